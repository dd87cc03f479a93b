-- The weekly access review: who had access, and how it was used.

-- name: AccessDue :many
-- Clinics whose last whole week has no review yet. The worker asks for all of them.
SELECT c.id, c.time_zone FROM clinics c WHERE NOT EXISTS (SELECT 1 FROM access_reviews r WHERE r.clinic_id = c.id AND r.until > @after)
  AND c.created_at < @after ORDER BY c.id;

-- name: AccessPeople :many
SELECT s.id, s.name, coalesce(s.role, '') AS role, s.disabled_at, s.created_at,
       coalesce((SELECT max(x.created_at) FROM sessions x WHERE x.staff_id = s.id AND x.clinic_id = s.clinic_id), 'epoch'::timestamptz)::timestamptz AS last_in
FROM staff s WHERE s.clinic_id = @clinic_id ORDER BY s.name, s.id;

-- name: AccessDeeds :many
-- What persons did in a week, by deed: how often, how often refused, and to how many patients.
SELECT e.actor_id::uuid AS actor_id, e.deed, count(*) FILTER (WHERE e.outcome = 'done')::int AS done, count(*) FILTER (WHERE e.outcome = 'refused')::int AS refused
FROM audit_events e WHERE e.clinic_id = @clinic_id AND e.at >= @since AND e.at < @until AND e.actor_id IS NOT NULL AND e.actor_kind = 'person'
GROUP BY e.actor_id, e.deed ORDER BY e.actor_id, e.deed;

-- name: AccessPatients :many
-- How many patients each person looked at.
SELECT e.actor_id::uuid AS actor_id, count(DISTINCT e.patient_id)::int AS patients
FROM audit_events e WHERE e.clinic_id = @clinic_id AND e.at >= @since AND e.at < @until AND e.actor_id IS NOT NULL AND e.patient_id IS NOT NULL AND e.outcome = 'done'
GROUP BY e.actor_id ORDER BY count(DISTINCT e.patient_id) DESC, e.actor_id;

-- name: AccessChanges :many
-- Roles that were given, taken, switched off and on.
SELECT e.id, e.at, e.deed, e.subject_id, e.detail, e.actor_id, e.actor_kind FROM audit_events e
WHERE e.clinic_id = @clinic_id AND e.at >= @since AND e.at < @until AND e.outcome = 'done'
  AND e.deed IN ('staff.put', 'staff.assign', 'staff.disable', 'staff.enable') ORDER BY e.at, e.id LIMIT 500;

-- name: AccessCreate :execrows
INSERT INTO access_reviews (id, clinic_id, since, until, made_at, facts) VALUES (@id, @clinic_id, @since, @until, @made_at, @facts) ON CONFLICT (clinic_id, since) DO NOTHING;

-- name: AccessList :many
SELECT r.id, r.since, r.until, r.made_at, r.signed_at, r.facts, coalesce(s.name, '')::text AS signed_by_name FROM access_reviews r
LEFT JOIN staff s ON s.id = r.signed_by AND s.clinic_id = r.clinic_id
WHERE r.clinic_id = @clinic_id AND r.since < @before ORDER BY r.since DESC LIMIT @row_limit;

-- name: AccessGet :one
SELECT r.id, r.since, r.until, r.made_at, r.facts, r.signed_by, r.signed_at, r.note, coalesce(s.name, '')::text AS signed_by_name FROM access_reviews r
LEFT JOIN staff s ON s.id = r.signed_by AND s.clinic_id = r.clinic_id
WHERE r.id = @id AND r.clinic_id = @clinic_id;

-- name: AccessLock :one
SELECT id, signed_by FROM access_reviews WHERE id = @id AND clinic_id = @clinic_id FOR UPDATE;

-- name: AccessSign :execrows
UPDATE access_reviews SET signed_by = @signed_by, signed_at = @at, note = @note WHERE id = @id AND clinic_id = @clinic_id AND signed_at IS NULL;

-- name: AccessWaiting :one
SELECT count(*)::int AS waiting, coalesce(min(made_at), 'epoch'::timestamptz)::timestamptz AS oldest FROM access_reviews WHERE clinic_id = @clinic_id AND signed_at IS NULL;
