-- name: ClinicEdit :execrows
UPDATE clinics SET notice_name = @notice_name, phone = @phone, emergency_line = @emergency_line, time_zone = @time_zone, undo_seconds = @undo_seconds,
    page_days = @page_days, drafting_on = @drafting_on, email_on = @email_on, sms_on = @sms_on, later_on = @later_on, retention_years = sqlc.narg('retention_years'), version = version + 1
WHERE id = @id AND version = @version;

-- name: ClinicChanges :many
-- Who changed the clinic's settings, from the trail: by the index of what an event is about.
SELECT e.at, e.detail, coalesce(s.name, '')::text AS person FROM audit_events e LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id
WHERE e.clinic_id = @clinic_id AND e.subject_id = @clinic_id AND e.deed = 'clinic.edit' AND e.outcome = 'done' ORDER BY e.at DESC LIMIT @row_limit;

-- name: DraftLimits :many
SELECT * FROM draft_limits WHERE clinic_id = @clinic_id ORDER BY role;

-- name: DraftLimitsPut :exec
-- All roles in one statement.
INSERT INTO draft_limits (clinic_id, role, drafts_a_day, warn_day, warn_month, stop_day)
SELECT @clinic_id::uuid, unnest(@roles::text[]), unnest(@drafts::int[]), unnest(@warn_days::bigint[]), unnest(@warn_months::bigint[]), unnest(@stop_days::bigint[])
ON CONFLICT (clinic_id, role) DO UPDATE SET drafts_a_day = excluded.drafts_a_day, warn_day = excluded.warn_day, warn_month = excluded.warn_month, stop_day = excluded.stop_day;
