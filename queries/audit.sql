-- name: AuditAppend :exec
-- One statement for all events of a transaction. A zero id or rev is none.
INSERT INTO audit_events (id, at, clinic_id, actor_kind, actor_id, role, session_id, deed, subject_kind, subject_id, patient_id,
                          outcome, reason, rev, detail, ip, agent, request_id, rec)
SELECT unnest(@ids::uuid[]), unnest(@ats::timestamptz[]), unnest(@clinic_ids::uuid[]), unnest(@actor_kinds::text[]),
       nullif(unnest(@actor_ids::uuid[]), '00000000-0000-0000-0000-000000000000'::uuid), unnest(@roles::text[]),
       nullif(unnest(@session_ids::uuid[]), '00000000-0000-0000-0000-000000000000'::uuid), unnest(@deeds::text[]), unnest(@subject_kinds::text[]),
       nullif(unnest(@subject_ids::uuid[]), '00000000-0000-0000-0000-000000000000'::uuid),
       nullif(unnest(@patient_ids::uuid[]), '00000000-0000-0000-0000-000000000000'::uuid),
       unnest(@outcomes::text[]), unnest(@reasons::text[]), nullif(unnest(@revs::int[]), 0), unnest(@details::jsonb[]),
       unnest(@ips::text[]), unnest(@agents::text[]), unnest(@request_ids::text[]), unnest(@recs::bytea[]);

-- name: AuditSeen :one
SELECT EXISTS (
    SELECT 1 FROM audit_events
    WHERE session_id = @session_id AND deed = @deed AND subject_id IS NOT DISTINCT FROM @subject_id AND outcome = 'done' AND at > @since);

-- name: AuditOfMessage :many
SELECT e.at, e.deed, e.detail, coalesce(s.name, '')::text AS actor_name FROM audit_events e
LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id
WHERE e.clinic_id = @clinic_id AND e.subject_id = @message_id AND e.outcome = 'done' AND e.deed = ANY(@deeds::text[]) ORDER BY e.at, e.id;

-- name: RefusalCount :one
-- Counts one. 0: it is the first of its kind, and an event.
INSERT INTO audit_refusals (minute, address, actor_kind, deed, reason) VALUES (@minute, @address, @actor_kind, @deed, @reason)
ON CONFLICT (minute, address, actor_kind, deed, reason) DO UPDATE SET more = audit_refusals.more + 1 RETURNING more;

-- name: RefusalsTake :many
-- Takes the counts of minutes that are over. Any number of workers may.
DELETE FROM audit_refusals WHERE (minute, address, actor_kind, deed, reason) IN (
    SELECT r.minute, r.address, r.actor_kind, r.deed, r.reason FROM audit_refusals r WHERE r.minute < @before ORDER BY r.minute LIMIT @most FOR UPDATE SKIP LOCKED)
RETURNING minute, address, actor_kind, deed, reason, more;
