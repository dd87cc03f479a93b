-- The states are written out, one by one, so that each is read from the small index that it has.
-- name: DeliveryCount :many
SELECT 'queued'::text AS state, count(*)::bigint AS rows, coalesce(min(d.next_attempt_at), now())::timestamptz AS oldest FROM deliveries d WHERE d.state = 'queued'
UNION ALL
SELECT 'sending', count(*)::bigint, coalesce(min(d.updated_at), now()) FROM deliveries d WHERE d.state = 'sending'
UNION ALL
SELECT 'unknown', count(*)::bigint, coalesce(min(d.updated_at), now()) FROM deliveries d WHERE d.state = 'unknown'
UNION ALL
SELECT 'needs_person', count(*)::bigint, coalesce(min(d.updated_at), now()) FROM deliveries d WHERE d.state = 'needs_person'
UNION ALL
(SELECT d.state, count(*)::bigint, min(d.updated_at)::timestamptz
FROM clinics c JOIN deliveries d ON d.clinic_id = c.id AND d.kind = 'notice' AND d.state IN ('unknown', 'needs_person', 'failed', 'refused', 'undelivered', 'expired')
    AND d.updated_at > @since
WHERE d.state IN ('failed', 'refused', 'undelivered', 'expired')
GROUP BY d.state);
