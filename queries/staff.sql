-- name: ClinicFirst :one
SELECT * FROM clinics ORDER BY created_at, id LIMIT 1;

-- name: ClinicGet :one
SELECT * FROM clinics WHERE id = @id;

-- name: ClinicCreate :exec
INSERT INTO clinics (id, name, notice_name, phone, emergency_line, time_zone, undo_seconds, page_days, created_at)
VALUES (@id, @name, @notice_name, @phone, @emergency_line, @time_zone, @undo_seconds, @page_days, @created_at)
ON CONFLICT (id) DO NOTHING;

-- name: ClinicSignFresh :exec
UPDATE clinics SET sign_fresh_minutes = @minutes WHERE id = @id;

-- name: StaffByIdentity :one
SELECT s.*, c.name AS clinic_name FROM staff s JOIN clinics c ON c.id = s.clinic_id
WHERE s.issuer = @issuer AND s.subject = @subject ORDER BY s.created_at LIMIT 1;

-- name: StaffCreate :exec
INSERT INTO staff (id, clinic_id, issuer, subject, email, name, role, created_at)
VALUES (@id, @clinic_id, @issuer, @subject, @email, @name, @role, @created_at)
ON CONFLICT (issuer, subject, clinic_id) DO NOTHING;

-- name: StaffPut :one
INSERT INTO staff (id, clinic_id, issuer, subject, email, name, role, created_at)
VALUES (@id, @clinic_id, @issuer, @subject, @email, @name, @role, @created_at)
ON CONFLICT (issuer, subject, clinic_id) DO UPDATE SET role = excluded.role, name = excluded.name, email = excluded.email
RETURNING id;

-- name: StaffGet :one
SELECT * FROM staff WHERE id = @id AND clinic_id = @clinic_id;

-- name: DoctorsOfClinic :many
SELECT id, name, coalesce(role, '') AS role FROM staff WHERE clinic_id = @clinic_id AND role = 'doctor' AND disabled_at IS NULL ORDER BY name;

-- name: TeamOfPatient :many
SELECT s.id, s.name, coalesce(s.role, '') AS role FROM care_team ct
JOIN staff s ON s.id = ct.staff_id AND s.clinic_id = ct.clinic_id
WHERE ct.clinic_id = @clinic_id AND ct.patient_id = @patient_id AND s.disabled_at IS NULL ORDER BY s.role, s.name;

-- name: SessionCreate :exec
INSERT INTO sessions (id, clinic_id, staff_id, token_hash, assertion_hash, signed_in_at, created_at, last_seen_at, method, ip, agent)
VALUES (@id, @clinic_id, @staff_id, @token_hash, @assertion_hash, @signed_in_at, @created_at, @created_at, @method, @ip, @agent);

-- name: SessionReplace :one
-- The session of a cookie that a browser brings to a new sign-in.
UPDATE sessions SET ended_at = @at, end_reason = 'replaced' WHERE token_hash = @token_hash AND ended_at IS NULL RETURNING id;

-- name: SessionEndedSince :one
-- Whether one of a person's sessions has come to its end since the provider saw them: by an act, or by lying idle.
SELECT EXISTS (SELECT 1 FROM sessions WHERE clinic_id = @clinic_id AND staff_id = @staff_id AND created_at > @made_since
    AND (ended_at > @seen_at AND end_reason <> 'replaced'
        OR ended_at IS NULL AND last_seen_at < @idle_since AND last_seen_at > @seen_less_idle));

-- name: SessionByToken :one
-- With @marked it also says, as MarkGet does, where the log stands.
SELECT se.*, s.issuer, s.subject, s.name, s.email, coalesce(s.role, '') AS role, s.disabled_at, c.name AS clinic_name,
       CASE WHEN NOT @marked::bool OR pg_is_in_recovery() THEN '' ELSE (pg_control_system()).system_identifier || ' ' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END::text AS origin,
       CASE WHEN NOT @marked::bool OR pg_is_in_recovery() THEN 0 WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn() - '0/0'
            ELSE pg_current_wal_flush_lsn() - '0/0' END::bigint AS at
FROM sessions se
JOIN staff s ON s.id = se.staff_id AND s.clinic_id = se.clinic_id
JOIN clinics c ON c.id = se.clinic_id
WHERE se.token_hash = @token_hash;

-- name: SessionTouch :exec
UPDATE sessions SET last_seen_at = @at WHERE id = @id AND clinic_id = @clinic_id AND ended_at IS NULL;

-- name: SessionEnd :exec
UPDATE sessions SET ended_at = @at, end_reason = @reason WHERE id = @id AND clinic_id = @clinic_id AND ended_at IS NULL;

-- name: SessionsEndOf :many
UPDATE sessions SET ended_at = @at, end_reason = @reason
WHERE staff_id = @staff_id AND clinic_id = @clinic_id AND ended_at IS NULL AND id <> @but RETURNING id;

-- name: SessionLock :one
SELECT staff_id, ended_at FROM sessions WHERE id = @id AND clinic_id = @clinic_id FOR UPDATE;

-- name: SessionsOpen :many
-- Open sessions, newest first, after the one that @before and @before_id name; of one person if @staff_id is given.
SELECT se.id, se.staff_id, s.name, coalesce(s.role, '') AS role, se.ip, se.agent, se.created_at, se.last_seen_at
FROM sessions se JOIN staff s ON s.id = se.staff_id AND s.clinic_id = se.clinic_id
WHERE se.clinic_id = @clinic_id AND se.ended_at IS NULL AND se.created_at >= @made_since AND se.last_seen_at >= @idle_since
    AND (sqlc.narg('staff_id')::uuid IS NULL OR se.staff_id = sqlc.narg('staff_id'))
    AND (se.created_at, se.id) < (@before::timestamptz, @before_id::uuid)
ORDER BY se.created_at DESC, se.id DESC LIMIT @most;

-- name: StaffLock :one
SELECT coalesce(role, '') AS role FROM staff WHERE id = @id AND clinic_id = @clinic_id FOR NO KEY UPDATE;

-- name: StaffLockByIdentity :one
SELECT coalesce(role, '') AS role FROM staff WHERE issuer = @issuer AND subject = @subject AND clinic_id = @clinic_id FOR NO KEY UPDATE;

-- name: StaffList :many
SELECT id, issuer, subject, email, name, coalesce(role, '') AS role, disabled_at FROM staff WHERE clinic_id = @clinic_id ORDER BY name, subject;

-- name: StaffDisable :execrows
UPDATE staff SET disabled_at = @at WHERE id = @id AND clinic_id = @clinic_id AND disabled_at IS NULL;

-- name: StaffEnable :execrows
UPDATE staff SET disabled_at = NULL WHERE id = @id AND clinic_id = @clinic_id AND disabled_at IS NOT NULL;

-- name: StaffAssign :exec
UPDATE staff SET role = nullif(@role::text, '') WHERE id = @id AND clinic_id = @clinic_id;
