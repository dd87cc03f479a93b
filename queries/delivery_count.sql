-- The states are written out, so that the planner knows how few rows have them.
-- name: DeliveryCount :many
SELECT d.state, count(*)::bigint AS rows, min(CASE WHEN d.state = 'queued' THEN d.next_attempt_at ELSE d.updated_at END)::timestamptz AS oldest
FROM clinics c JOIN deliveries d ON d.clinic_id = c.id AND d.state IN ('queued', 'sending', 'unknown', 'needs_person')
GROUP BY d.state
UNION ALL
SELECT d.state, count(*)::bigint, min(d.updated_at)::timestamptz
FROM clinics c JOIN deliveries d ON d.clinic_id = c.id AND d.state IN ('failed', 'refused', 'undelivered', 'expired') AND d.updated_at > @since
GROUP BY d.state;
