-- name: BreakerList :many
SELECT b.*, coalesce(s.name, '')::text AS person FROM breakers b
LEFT JOIN staff s ON s.id = b.changed_by AND s.clinic_id = @clinic_id
ORDER BY b.channel;

-- name: BreakerLock :one
SELECT * FROM breakers WHERE channel = @channel FOR UPDATE;

-- name: BreakerSave :exec
UPDATE breakers SET state = @state, failures = @failures, openings = @openings, code = @code, retry_at = @retry_at, probe = @probe,
    changed_by = @changed_by, changed_at = @changed_at, rev = rev + 1
WHERE channel = @channel;

-- name: BreakerProbe :execrows
UPDATE breakers SET state = 'half_open', probe = @delivery_id, retry_at = @until, rev = rev + 1
WHERE channel = @channel AND state <> 'closed' AND retry_at <= @at;

-- name: QueueState :many
-- Each state is written out, so that each is read from its own index.
SELECT d.channel, 'queued'::text AS state, (count(*) FILTER (WHERE d.next_attempt_at <= @at))::int AS many,
       coalesce(min(d.next_attempt_at) FILTER (WHERE d.next_attempt_at <= @at), now())::timestamptz AS oldest
FROM deliveries d WHERE d.state = 'queued' AND d.clinic_id = @clinic_id GROUP BY d.channel
UNION ALL
SELECT d.channel, 'unknown', count(*)::int, min(d.updated_at) FROM deliveries d WHERE d.state = 'unknown' AND d.clinic_id = @clinic_id GROUP BY d.channel
UNION ALL
SELECT d.channel, 'needs_person', count(*)::int, min(d.updated_at) FROM deliveries d WHERE d.state = 'needs_person' AND d.clinic_id = @clinic_id GROUP BY d.channel;
