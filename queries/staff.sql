-- name: ClinicFirst :one
SELECT * FROM clinics ORDER BY created_at, id LIMIT 1;

-- name: ClinicGet :one
SELECT * FROM clinics WHERE id = @id;

-- name: ClinicCreate :exec
INSERT INTO clinics (id, name, notice_name, phone, emergency_line, time_zone, undo_seconds, page_days, created_at)
VALUES (@id, @name, @notice_name, @phone, @emergency_line, @time_zone, @undo_seconds, @page_days, @created_at)
ON CONFLICT (id) DO NOTHING;

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

-- name: TeamJoin :exec
INSERT INTO care_team (patient_id, staff_id, clinic_id, since) VALUES (@patient_id, @staff_id, @clinic_id, @since) ON CONFLICT DO NOTHING;

-- name: SessionCreate :exec
INSERT INTO sessions (id, clinic_id, staff_id, token_hash, assertion_hash, signed_in_at, created_at, last_seen_at)
VALUES (@id, @clinic_id, @staff_id, @token_hash, @assertion_hash, @signed_in_at, @created_at, @created_at);

-- name: SessionByToken :one
SELECT se.*, s.issuer, s.subject, s.name, s.email, coalesce(s.role, '') AS role, s.disabled_at, c.name AS clinic_name
FROM sessions se
JOIN staff s ON s.id = se.staff_id AND s.clinic_id = se.clinic_id
JOIN clinics c ON c.id = se.clinic_id
WHERE se.token_hash = @token_hash;

-- name: SessionTouch :exec
UPDATE sessions SET last_seen_at = @at WHERE id = @id AND clinic_id = @clinic_id AND ended_at IS NULL;

-- name: SessionEnd :exec
UPDATE sessions SET ended_at = @at, end_reason = @reason WHERE id = @id AND clinic_id = @clinic_id AND ended_at IS NULL;

-- name: SessionsEndOf :exec
UPDATE sessions SET ended_at = @at, end_reason = @reason WHERE staff_id = @staff_id AND clinic_id = @clinic_id AND ended_at IS NULL;

-- name: StaffLock :one
SELECT coalesce(role, '') AS role FROM staff WHERE id = @id AND clinic_id = @clinic_id FOR NO KEY UPDATE;

-- name: StaffLockByIdentity :one
SELECT coalesce(role, '') AS role FROM staff WHERE issuer = @issuer AND subject = @subject AND clinic_id = @clinic_id FOR NO KEY UPDATE;

-- name: StaffList :many
SELECT id, issuer, subject, email, name, coalesce(role, '') AS role, disabled_at FROM staff WHERE clinic_id = @clinic_id ORDER BY name, subject;

-- name: StaffDisable :execrows
UPDATE staff SET disabled_at = @at WHERE id = @id AND clinic_id = @clinic_id AND disabled_at IS NULL;
