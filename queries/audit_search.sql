-- The audit trail as it is read. No patient's record is opened here; a test sees to it that each filter has an index.

-- name: AuditPlanEach :exec
-- Each question is planned for what it asks: a plan for any question would read the trail from its end.
SELECT set_config('plan_cache_mode', 'force_custom_plan', true);

-- name: AuditFind :many
-- The newest first, before the one that @before and @before_id name; with the bytes that the ledger holds.
SELECT e.id, e.at, e.actor_kind, e.actor_id, e.role, e.deed, e.subject_kind, e.subject_id, e.patient_id, e.outcome, e.reason, e.detail,
       e.ip, e.agent, e.request_id, e.rec, coalesce(s.name, '')::text AS actor_name
FROM audit_events e LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id
WHERE e.clinic_id = @clinic_id AND e.at >= @since AND e.at < @until
  AND (sqlc.narg('actor_id')::uuid IS NULL OR e.actor_id = sqlc.narg('actor_id'))
  AND (sqlc.narg('patient_id')::uuid IS NULL OR e.patient_id = sqlc.narg('patient_id'))
  AND (sqlc.narg('deed')::text IS NULL OR e.deed = sqlc.narg('deed'))
  AND (sqlc.narg('outcome')::text IS NULL OR e.outcome = sqlc.narg('outcome'))
  AND (sqlc.narg('ip')::text IS NULL OR e.ip = sqlc.narg('ip'))
  AND (e.at, e.id) < (@before::timestamptz, @before_id::uuid)
ORDER BY e.at DESC, e.id DESC LIMIT @row_limit;

-- name: AuditPeople :many
-- Everybody who may stand on the trail by name.
SELECT id, name, coalesce(role, '') AS role FROM staff WHERE clinic_id = @clinic_id ORDER BY name, id;

-- name: AuditPatientByAdmin :many
-- By exact record number.
SELECT p.id FROM patients p WHERE p.clinic_id = @clinic_id AND p.mrn_index = @mrn_index LIMIT 1;

-- name: AuditNamesByAdmin :many
SELECT p.id, p.name_sealed, k.wrapped FROM patients p JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.clinic_id = @clinic_id AND p.id = ANY(@ids::uuid[]);

-- name: AuditPatientKnown :one
-- Whether this patient's trail is one that the actor may read: one of their care teams, or any of the clinic.
SELECT EXISTS (SELECT 1 FROM patients p WHERE p.id = @id AND p.clinic_id = @clinic_id
    AND (@everybody::bool OR EXISTS (SELECT 1 FROM care_team ct WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND ct.staff_id = @staff_id)));

-- name: AuditGet :one
SELECT e.id, e.at, e.actor_kind, e.actor_id, e.role, e.session_id, e.deed, e.subject_kind, e.subject_id, e.patient_id, e.outcome, e.reason, e.rev,
       e.detail, e.ip, e.agent, e.request_id, e.rec, coalesce(s.name, '')::text AS actor_name
FROM audit_events e LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id
WHERE e.id = @id AND e.clinic_id = @clinic_id;

-- name: AuditWhoSaw :many
-- Who looked at a patient's record or worked on it, in sum, the last first. Machines are left out.
SELECT e.actor_id::uuid AS actor_id, coalesce(s.name, '')::text AS name, coalesce(s.role, '')::text AS role, count(*)::int AS times, min(e.at)::timestamptz AS first_at,
       max(e.at)::timestamptz AS last_at, count(*) FILTER (WHERE e.outcome = 'refused')::int AS refused, bool_or(e.detail ? 'glass' OR e.deed = 'glass.break')::bool AS by_glass,
       EXISTS (SELECT 1 FROM care_team ct WHERE ct.clinic_id = @clinic_id AND ct.patient_id = @patient_id AND ct.staff_id = e.actor_id) AS on_team
FROM audit_events e LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id
WHERE e.clinic_id = @clinic_id AND e.patient_id = @patient_id AND e.actor_id IS NOT NULL AND e.actor_kind = 'person' AND e.at >= @since
GROUP BY e.actor_id, s.name, s.role ORDER BY max(e.at) DESC, e.actor_id;

-- name: AuditDisclosures :many
-- What left the house about a patient, or was read by whoever held their link: the newest first.
SELECT e.id, e.at, e.deed, e.actor_kind, e.subject_id, e.detail, e.ip FROM audit_events e
WHERE e.clinic_id = @clinic_id AND e.patient_id = @patient_id AND e.outcome = 'done' AND e.at >= @since
  AND (e.deed IN ('page.read', 'draft.claim') OR e.subject_kind = 'delivery' AND e.detail->>'to' IN ('accepted', 'sent', 'delivered'))
ORDER BY e.at DESC, e.id DESC LIMIT @row_limit;

-- name: AuditChannels :many
-- Behind the door: by which way deliveries of that patient went; of those whose message is deleted, the event of that says it.
SELECT d.id, d.channel FROM deliveries d WHERE d.clinic_id = @clinic_id AND d.patient_id = @patient_id AND d.id = ANY(@ids::uuid[])
UNION ALL
SELECT w.key::uuid, w.value FROM audit_events e CROSS JOIN LATERAL jsonb_each_text(e.detail->'deliveries') w
WHERE e.clinic_id = @clinic_id AND e.patient_id = @patient_id AND e.deed = 'message.retire' AND e.outcome = 'done';
