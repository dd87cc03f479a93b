-- Break-glass. Who looks here is not on the care team; that is the point, and why each row is reviewed.

-- name: GlassFind :many
SELECT p.id, k.wrapped, EXISTS (SELECT 1 FROM care_team ct WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND ct.staff_id = @staff_id) AS on_team
FROM patients p JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.clinic_id = @clinic_id AND (p.mrn_index = @mrn_index OR p.person_index = @person_index) LIMIT 2;

-- name: GlassUnindexed :many
-- Patients from before the index by name and date of birth.
SELECT p.id, p.name_sealed, p.birth_date_sealed, k.wrapped FROM patients p
JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.clinic_id = @clinic_id AND p.person_index IS NULL;

-- name: GlassIndex :exec
UPDATE patients SET person_index = u.person_index FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@person_indexes::bytea[]) AS person_index) AS u
WHERE patients.id = u.id AND patients.clinic_id = @clinic_id AND patients.person_index IS NULL;

-- name: GlassCreate :exec
INSERT INTO glass (id, clinic_id, staff_id, patient_id, found_by, reason_sealed, opened_at, expires_at)
VALUES (@id, @clinic_id, @staff_id, @patient_id, @found_by, @reason_sealed, @at, @expires_at);

-- name: GlassUsed :one
SELECT (SELECT count(*) FROM glass g WHERE g.clinic_id = @clinic_id AND g.staff_id = @staff_id AND g.expires_at > @since::timestamptz AND g.opened_at > @since::timestamptz)::int AS opened,
       (SELECT count(*) FROM glass_tries t WHERE t.clinic_id = @clinic_id AND t.staff_id = @staff_id AND t.at > @tries_since::timestamptz)::int AS tries;

-- name: GlassTry :exec
INSERT INTO glass_tries (id, clinic_id, staff_id, at) VALUES (@id, @clinic_id, @staff_id, @at);

-- name: GlassOpen :many
-- What a person has open now.
SELECT g.id, g.patient_id, g.expires_at, p.name_sealed, k.wrapped FROM glass g
JOIN patients p ON p.id = g.patient_id AND p.clinic_id = g.clinic_id
JOIN patient_keys k ON k.patient_id = g.patient_id AND k.clinic_id = g.clinic_id
WHERE g.clinic_id = @clinic_id AND g.staff_id = @staff_id AND g.expires_at > @at AND g.ended_at IS NULL ORDER BY g.expires_at, g.id;

-- name: GlassEndOf :exec
-- Who is switched off has nothing open any more, also when they are switched on again within the hour.
UPDATE glass SET ended_at = @at WHERE clinic_id = @clinic_id AND staff_id = @staff_id AND ended_at IS NULL AND expires_at > @at;

-- name: GlassUnreviewed :one
SELECT count(*)::int FROM glass WHERE clinic_id = @clinic_id AND reviewed_at IS NULL;

-- name: GlassEnd :one
UPDATE glass SET ended_at = @at WHERE id = @id AND clinic_id = @clinic_id AND staff_id = @staff_id AND ended_at IS NULL AND expires_at > @at RETURNING patient_id;

-- name: GlassListByAdmin :many
SELECT g.id, g.staff_id, g.patient_id, g.found_by, g.reason_sealed, g.opened_at, g.expires_at, g.ended_at, g.reviewed_at, g.note_sealed,
       s.name AS staff_name, coalesce(s.role, '') AS staff_role, coalesce(r.name, '')::text AS reviewer_name, p.name_sealed, k.wrapped,
       (SELECT count(*) FROM audit_events e WHERE e.clinic_id = g.clinic_id AND e.patient_id = g.patient_id AND e.actor_id = g.staff_id
          AND e.outcome = 'done' AND e.detail ? 'glass' AND e.at >= g.opened_at AND e.at <= coalesce(g.ended_at, g.expires_at))::int AS looks
FROM glass g
JOIN staff s ON s.id = g.staff_id AND s.clinic_id = g.clinic_id
JOIN patients p ON p.id = g.patient_id AND p.clinic_id = g.clinic_id
JOIN patient_keys k ON k.patient_id = g.patient_id AND k.clinic_id = g.clinic_id
LEFT JOIN staff r ON r.id = g.reviewed_by AND r.clinic_id = g.clinic_id
WHERE g.clinic_id = @clinic_id AND (g.reviewed_at IS NULL) = @open::bool AND (g.opened_at, g.id) < (@before::timestamptz, @before_id::uuid)
ORDER BY g.opened_at DESC, g.id DESC LIMIT @row_limit;

-- name: GlassLockByAdmin :one
SELECT g.staff_id, g.patient_id, g.reviewed_at, k.wrapped FROM glass g
JOIN patient_keys k ON k.patient_id = g.patient_id AND k.clinic_id = g.clinic_id
WHERE g.id = @id AND g.clinic_id = @clinic_id FOR UPDATE OF g;

-- name: GlassReviewed :exec
UPDATE glass SET reviewed_by = @staff_id, reviewed_at = @at, note_sealed = @note_sealed WHERE id = @id AND clinic_id = @clinic_id AND reviewed_at IS NULL;
