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
SELECT d.channel, d.state, count(*)::int AS many, min(d.updated_at)::timestamptz AS oldest,
       (count(*) FILTER (WHERE d.next_attempt_at <= @at))::int AS due, coalesce(min(d.next_attempt_at) FILTER (WHERE d.state = 'queued'), now())::timestamptz AS oldest_due
FROM deliveries d
WHERE d.clinic_id = @clinic_id AND d.state IN ('queued', 'sending', 'unknown', 'needs_person')
GROUP BY d.channel, d.state;
