-- name: DeliveryCount :many
SELECT s.state::text AS state, count(d.id)::bigint AS rows,
       coalesce(min(CASE WHEN d.state = 'queued' THEN d.next_attempt_at ELSE d.updated_at END), @at)::timestamptz AS oldest
FROM clinics c
CROSS JOIN unnest(@states::text[]) AS s(state)
LEFT JOIN deliveries d ON d.clinic_id = c.id AND d.state = s.state
    AND d.updated_at > CASE WHEN s.state = ANY(@open_states::text[]) THEN '-infinity' ELSE @since::timestamptz END
GROUP BY s.state;
