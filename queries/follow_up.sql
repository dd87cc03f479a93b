-- Who has not read their message: looked at by the job, and listed for who is to call.

-- name: JobPresent :exec
INSERT INTO job_runs (job) VALUES (@job) ON CONFLICT DO NOTHING;

-- name: JobLead :one
-- One worker at a time, and no other waits for it.
SELECT job FROM job_runs WHERE job = @job FOR UPDATE SKIP LOCKED;

-- name: FollowUpsDue :many
-- The messages to look at now, with all that is decided by, each held with its follow-up until the commit. One that somebody
-- changes at this moment is left for the next look. Nothing is due while sending is stopped.
SELECT f.message_id, f.clinic_id, f.patient_id, f.handed_at, f.reminders, f.reminded_at,
       m.status AS message_status, m.version AS message_version, m.channel, m.priority, k.wrapped, p.language, cl.notice_name, cl.email_on, cl.sms_on,
       pg.id AS page_id, pg.token_sealed, pg.expires_at, pg.revoked_at, pg.locked_at,
       n.id AS notice_id, n.state AS notice_state, n.message_version AS notice_version, n.updated_at AS notice_at, n.contact_id, n.recipient_sealed, n.recipient_index,
       coalesce((SELECT min(a.finished_at) FROM delivery_attempts a WHERE a.delivery_id = n.id AND a.clinic_id = n.clinic_id AND a.outcome = 'accepted'), n.updated_at)::timestamptz AS accepted_at,
       (c.id IS NULL OR c.retired_at IS NOT NULL OR c.address_index IS DISTINCT FROM n.recipient_index)::bool AS contact_changed,
       coalesce(c.bounce_code, '')::text AS bounce_code,
       coalesce((SELECT s.status FROM consents s WHERE s.clinic_id = n.clinic_id AND s.address_index = n.recipient_index
        AND s.purpose = 'notice' ORDER BY s.at DESC, s.id DESC LIMIT 1), '')::text AS consent,
       coalesce(r.state, '')::text AS reminder_state, coalesce(r.round, 0)::int AS round
FROM follow_ups f
JOIN messages m ON m.id = f.message_id AND m.clinic_id = f.clinic_id
JOIN pages pg ON pg.message_id = f.message_id AND pg.clinic_id = f.clinic_id
JOIN patients p ON p.id = f.patient_id AND p.clinic_id = f.clinic_id
JOIN patient_keys k ON k.patient_id = f.patient_id AND k.clinic_id = f.clinic_id
JOIN clinics cl ON cl.id = f.clinic_id
JOIN LATERAL (SELECT x.id, x.clinic_id, x.state, x.message_version, x.updated_at, x.contact_id, x.recipient_sealed, x.recipient_index FROM deliveries x
    WHERE x.message_id = f.message_id AND x.clinic_id = f.clinic_id AND x.kind = 'notice' ORDER BY x.round DESC LIMIT 1) n ON true
LEFT JOIN LATERAL (SELECT y.state, y.round FROM deliveries y
    WHERE y.message_id = f.message_id AND y.clinic_id = f.clinic_id AND y.kind = 'reminder' ORDER BY y.round DESC LIMIT 1) r ON true
LEFT JOIN contacts c ON c.id = n.contact_id AND c.clinic_id = n.clinic_id
WHERE f.due_at <= @at::timestamptz AND EXISTS (SELECT 1 FROM instance i WHERE i.held_at IS NULL AND i.generation >= @generation)
ORDER BY f.due_at LIMIT @row_limit
FOR NO KEY UPDATE OF f SKIP LOCKED FOR SHARE OF m SKIP LOCKED;

-- name: FollowUpsMove :exec
-- Where one look leaves them. A zero time is none. Of calls: a look asks for one and takes none back, and one that is put off until
-- later, because somebody has called already, stays so.
UPDATE follow_ups f SET due_at = nullif(v.due_at, '0001-01-01 00:00:00+00'::timestamptz), handed_at = nullif(v.handed_at, '0001-01-01 00:00:00+00'::timestamptz),
    unread_at = nullif(v.unread_at, '0001-01-01 00:00:00+00'::timestamptz), reminders = v.reminders,
    reminded_at = nullif(v.reminded_at, '0001-01-01 00:00:00+00'::timestamptz), call_at = coalesce(f.call_at, nullif(v.call_at, '0001-01-01 00:00:00+00'::timestamptz)),
    call_reason = coalesce(nullif(v.call_reason, ''), f.call_reason)
FROM (SELECT unnest(@message_ids::uuid[]) AS message_id, unnest(@clinic_ids::uuid[]) AS clinic_id, unnest(@dues::timestamptz[]) AS due_at,
             unnest(@handeds::timestamptz[]) AS handed_at, unnest(@unreads::timestamptz[]) AS unread_at, unnest(@reminders::int[]) AS reminders,
             unnest(@remindeds::timestamptz[]) AS reminded_at, unnest(@calls::timestamptz[]) AS call_at, unnest(@reasons::text[]) AS call_reason) v
WHERE f.message_id = v.message_id AND f.clinic_id = v.clinic_id AND f.ended_at IS NULL;

-- name: FollowUpEnd :exec
UPDATE follow_ups SET ended_at = @at, ended_reason = @reason, due_at = NULL, call_at = NULL
WHERE message_id = @message_id AND clinic_id = @clinic_id AND ended_at IS NULL;

-- name: PageUnread :one
-- What a reminder asks at its claim. The page is held until the commit, so that it is opened before the claim or after it. One
-- that its patient proves at this moment gives no row.
SELECT opened_at, locked_at FROM pages WHERE message_id = @message_id AND clinic_id = @clinic_id FOR SHARE SKIP LOCKED;

-- name: CallList :many
-- Whom to call in the actor's care teams: the urgent ones first, then who has waited longest. Each with the phone number on file.
SELECT f.message_id, f.patient_id, f.priority, f.handed_at, f.unread_at, f.reminders, f.call_at, f.call_reason, f.calls, f.called_at, f.call_outcome,
       m.red_flag, m.channel, p.name_sealed, k.wrapped, s.name AS doctor_name, coalesce(w.name, '')::text AS caller, c.id AS contact_id, c.address_sealed
FROM follow_ups f
JOIN care_team ct ON ct.patient_id = f.patient_id AND ct.clinic_id = f.clinic_id AND ct.staff_id = @staff_id
JOIN messages m ON m.id = f.message_id AND m.clinic_id = f.clinic_id AND m.status = 'approved'
JOIN patients p ON p.id = f.patient_id AND p.clinic_id = f.clinic_id
JOIN patient_keys k ON k.patient_id = f.patient_id AND k.clinic_id = f.clinic_id
JOIN staff s ON s.id = m.doctor_id AND s.clinic_id = m.clinic_id
LEFT JOIN staff w ON w.id = f.called_by AND w.clinic_id = f.clinic_id
LEFT JOIN contacts c ON c.patient_id = f.patient_id AND c.clinic_id = f.clinic_id AND c.channel = 'sms' AND c.retired_at IS NULL
WHERE f.clinic_id = @clinic_id AND f.call_at <= @at::timestamptz
  AND (@after_priority::int < 0 OR (-f.priority, f.call_at, f.message_id) > (0 - @after_priority::int, @after_at::timestamptz, @after_id::uuid))
ORDER BY -f.priority, f.call_at, f.message_id LIMIT @row_limit;

-- name: CallListUnread :many
-- All that counts as unread, in the same order.
SELECT f.message_id, f.patient_id, f.priority, f.handed_at, f.unread_at, f.reminders, f.call_at, f.call_reason, f.calls, f.called_at, f.call_outcome,
       m.red_flag, m.channel, p.name_sealed, k.wrapped, s.name AS doctor_name, coalesce(w.name, '')::text AS caller, c.id AS contact_id, c.address_sealed
FROM follow_ups f
JOIN care_team ct ON ct.patient_id = f.patient_id AND ct.clinic_id = f.clinic_id AND ct.staff_id = @staff_id
JOIN messages m ON m.id = f.message_id AND m.clinic_id = f.clinic_id AND m.status = 'approved'
JOIN patients p ON p.id = f.patient_id AND p.clinic_id = f.clinic_id
JOIN patient_keys k ON k.patient_id = f.patient_id AND k.clinic_id = f.clinic_id
JOIN staff s ON s.id = m.doctor_id AND s.clinic_id = m.clinic_id
LEFT JOIN staff w ON w.id = f.called_by AND w.clinic_id = f.clinic_id
LEFT JOIN contacts c ON c.patient_id = f.patient_id AND c.clinic_id = f.clinic_id AND c.channel = 'sms' AND c.retired_at IS NULL
WHERE f.clinic_id = @clinic_id AND f.ended_at IS NULL AND f.unread_at <= @at::timestamptz
  AND (@after_priority::int < 0 OR (-f.priority, f.unread_at, f.message_id) > (0 - @after_priority::int, @after_at::timestamptz, @after_id::uuid))
ORDER BY -f.priority, f.unread_at, f.message_id LIMIT @row_limit;

-- name: CallCounts :one
-- How many there are of each, up to a limit.
SELECT (SELECT count(*) FROM (SELECT 1 FROM follow_ups f JOIN care_team ct ON ct.patient_id = f.patient_id AND ct.clinic_id = f.clinic_id AND ct.staff_id = @staff_id
        WHERE f.clinic_id = @clinic_id AND f.call_at <= @at::timestamptz LIMIT @most) q)::int AS calls,
       (SELECT count(*) FROM (SELECT 1 FROM follow_ups f JOIN care_team ct ON ct.patient_id = f.patient_id AND ct.clinic_id = f.clinic_id AND ct.staff_id = @staff_id
        WHERE f.clinic_id = @clinic_id AND f.ended_at IS NULL AND f.unread_at <= @at::timestamptz LIMIT @most) q)::int AS unread;

-- name: FollowUpOfMessage :one
SELECT f.*, coalesce(w.name, '')::text AS caller FROM follow_ups f LEFT JOIN staff w ON w.id = f.called_by AND w.clinic_id = f.clinic_id
WHERE f.message_id = @message_id AND f.clinic_id = @clinic_id;

-- name: FollowUpLock :one
SELECT * FROM follow_ups WHERE message_id = @message_id AND clinic_id = @clinic_id FOR UPDATE;

-- name: CallRecord :exec
-- A call, and when somebody is to try again; who was reached need not be followed any more.
UPDATE follow_ups SET calls = calls + 1, called_at = @at::timestamptz, called_by = @by::uuid, call_outcome = @outcome, call_at = @again,
    due_at = CASE WHEN @outcome = 'reached' THEN NULL ELSE due_at END,
    ended_at = CASE WHEN @outcome = 'reached' THEN @at::timestamptz END, ended_reason = CASE WHEN @outcome = 'reached' THEN 'reached' ELSE '' END
WHERE message_id = @message_id AND clinic_id = @clinic_id;

-- name: CallsDue :one
-- How many patients somebody is to call now, in all clinics, and since when the first of them is.
SELECT count(*)::int AS calls, coalesce(min(f.call_at), now())::timestamptz AS oldest FROM follow_ups f WHERE f.call_at <= @at::timestamptz;

-- name: RemindersLock :many
SELECT state FROM deliveries WHERE message_id = @message_id AND clinic_id = @clinic_id AND kind = 'reminder' AND message_version = @message_version ORDER BY id FOR UPDATE;
