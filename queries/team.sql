-- Care teams, for an administrator: of the whole clinic. Who a patient is, how they are reached and who cares for them;
-- a test sees to it that nothing clinical is read here.

-- name: TeamListByAdmin :many
SELECT p.id, p.created_at, p.name_sealed, p.mrn_sealed, k.wrapped,
       (SELECT coalesce(array_agg(s.name ORDER BY s.role, s.name), '{}') FROM care_team ct
        JOIN staff s ON s.id = ct.staff_id AND s.clinic_id = ct.clinic_id
        WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND s.disabled_at IS NULL)::text[] AS people,
       EXISTS (SELECT 1 FROM care_team ct JOIN staff s ON s.id = ct.staff_id AND s.clinic_id = ct.clinic_id
        WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND s.disabled_at IS NULL AND s.role = 'doctor') AS has_doctor
FROM patients p JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.clinic_id = @clinic_id AND (p.created_at, p.id) < (@before::timestamptz, @before_id::uuid)
ORDER BY p.created_at DESC, p.id DESC LIMIT @row_limit;

-- name: TeamFindByAdmin :many
SELECT p.id FROM patients p WHERE p.clinic_id = @clinic_id
  AND (p.mrn_index = @mrn_index OR p.id IN (SELECT c.patient_id FROM contacts c WHERE c.clinic_id = @clinic_id AND c.address_index = @address_index AND c.retired_at IS NULL))
ORDER BY p.id LIMIT @row_limit;

-- name: TeamOfIdsByAdmin :many
SELECT p.id, p.created_at, p.name_sealed, p.mrn_sealed, k.wrapped,
       (SELECT coalesce(array_agg(s.name ORDER BY s.role, s.name), '{}') FROM care_team ct
        JOIN staff s ON s.id = ct.staff_id AND s.clinic_id = ct.clinic_id
        WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND s.disabled_at IS NULL)::text[] AS people,
       EXISTS (SELECT 1 FROM care_team ct JOIN staff s ON s.id = ct.staff_id AND s.clinic_id = ct.clinic_id
        WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND s.disabled_at IS NULL AND s.role = 'doctor') AS has_doctor
FROM patients p JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.clinic_id = @clinic_id AND p.id = ANY(@ids::uuid[]) ORDER BY p.created_at DESC, p.id DESC;

-- name: TeamGetByAdmin :one
SELECT p.id, p.name_sealed, p.mrn_sealed, k.wrapped FROM patients p
JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.id = @id AND p.clinic_id = @clinic_id;

-- name: TeamLock :one
-- Whoever changes a patient's care team waits for whoever is changing it.
SELECT p.id FROM patients p WHERE p.id = @id AND p.clinic_id = @clinic_id FOR NO KEY UPDATE;

-- name: TeamMembers :many
-- The switched-off too: an administrator sees them and takes them off.
SELECT s.id, s.name, coalesce(s.role, '') AS role, s.disabled_at, ct.since FROM care_team ct
JOIN staff s ON s.id = ct.staff_id AND s.clinic_id = ct.clinic_id
WHERE ct.clinic_id = @clinic_id AND ct.patient_id = @patient_id ORDER BY s.role, s.name, s.id;

-- name: TeamCandidates :many
SELECT s.id, s.name, coalesce(s.role, '') AS role FROM staff s
WHERE s.clinic_id = @clinic_id AND s.disabled_at IS NULL AND s.role IN ('staff', 'reviewer', 'doctor')
  AND NOT EXISTS (SELECT 1 FROM care_team ct WHERE ct.staff_id = s.id AND ct.clinic_id = s.clinic_id AND ct.patient_id = @patient_id)
ORDER BY s.role, s.name, s.id;

-- name: TeamJoin :execrows
INSERT INTO care_team (patient_id, staff_id, clinic_id, since) VALUES (@patient_id, @staff_id, @clinic_id, @since) ON CONFLICT DO NOTHING;

-- name: TeamLeave :execrows
DELETE FROM care_team WHERE patient_id = @patient_id AND staff_id = @staff_id AND clinic_id = @clinic_id;
