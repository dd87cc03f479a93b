-- name: AuditAppend :exec
INSERT INTO audit_events (id, at, clinic_id, actor_kind, actor_id, role, session_id, deed, subject_kind, subject_id, patient_id,
                          outcome, reason, rev, detail, ip, agent, request_id, rec)
VALUES (@id, @at, @clinic_id, @actor_kind, @actor_id, @role, @session_id, @deed, @subject_kind, @subject_id, @patient_id,
        @outcome, @reason, @rev, @detail, @ip, @agent, @request_id, @rec);

-- name: AuditSeen :one
SELECT EXISTS (
    SELECT 1 FROM audit_events
    WHERE session_id = @session_id AND deed = @deed AND subject_id IS NOT DISTINCT FROM @subject_id AND outcome = 'done' AND at > @since);

-- name: AuditOfMessage :many
SELECT e.at, e.deed, e.detail, coalesce(s.name, '')::text AS actor_name FROM audit_events e
LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id
WHERE e.clinic_id = @clinic_id AND e.subject_id = @message_id AND e.outcome = 'done' AND e.deed = ANY(@deeds::text[]) ORDER BY e.at, e.id;
