-- name: AuditAppend :exec
INSERT INTO audit_events (id, at, clinic_id, actor_kind, actor_id, role, session_id, deed, subject_kind, subject_id, patient_id,
                          outcome, reason, rev, detail, ip, agent, request_id, rec)
VALUES (@id, @at, @clinic_id, @actor_kind, @actor_id, @role, @session_id, @deed, @subject_kind, @subject_id, @patient_id,
        @outcome, @reason, @rev, @detail, @ip, @agent, @request_id, @rec);

-- name: AuditSeen :one
SELECT EXISTS (
    SELECT 1 FROM audit_events
    WHERE session_id = @session_id AND deed = @deed AND subject_id IS NOT DISTINCT FROM @subject_id AND outcome = 'done' AND at > @since);
