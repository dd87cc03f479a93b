-- Every query that reads a patient for a person joins the care team; out of scope is no row. What an administrator reads
-- is in team.sql, what break-glass opens says so.

-- name: PatientCounts :many
SELECT p.id,
       (SELECT count(*) FROM messages m WHERE m.clinic_id = p.clinic_id AND m.patient_id = p.id
          AND m.status IN ('drafting', 'draft_ready', 'in_review', 'returned'))::int AS waiting,
       (SELECT coalesce(array_agg(c.channel ORDER BY c.channel), '{}') FROM contacts c WHERE c.clinic_id = p.clinic_id AND c.patient_id = p.id
          AND c.retired_at IS NULL)::text[] AS channels
FROM patients p JOIN care_team ct ON ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND ct.staff_id = @staff_id
WHERE p.clinic_id = @clinic_id AND p.id = ANY(@ids::uuid[]);

-- name: PatientNames :many
SELECT p.id, p.name_sealed, p.birth_date_sealed, p.mrn_sealed, k.wrapped
FROM care_team ct
JOIN patients p ON p.id = ct.patient_id AND p.clinic_id = ct.clinic_id
JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id
ORDER BY p.id;

-- name: PatientsByIndex :many
SELECT p.id FROM care_team ct
JOIN patients p ON p.id = ct.patient_id AND p.clinic_id = ct.clinic_id
LEFT JOIN contacts c ON c.patient_id = p.id AND c.clinic_id = p.clinic_id AND c.retired_at IS NULL
WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id AND (p.mrn_index = @mrn_index OR c.address_index = @address_index)
GROUP BY p.id;

-- name: PatientGet :one
-- @reading: a deed that only looks, which break-glass opens too.
SELECT p.*, k.wrapped, (ct.staff_id IS NULL)::bool AS by_glass FROM patients p
JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
LEFT JOIN care_team ct ON ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND ct.staff_id = @staff_id
WHERE p.id = @id AND p.clinic_id = @clinic_id
  AND (ct.staff_id IS NOT NULL OR @reading::bool AND EXISTS (SELECT 1 FROM glass g WHERE g.clinic_id = p.clinic_id AND g.staff_id = @staff_id
        AND g.patient_id = p.id AND g.expires_at > @at AND g.ended_at IS NULL));

-- name: MayWatch :one
-- How many of these messages and patients the person may hear of.
SELECT ((SELECT count(*) FROM messages m WHERE m.clinic_id = @clinic_id AND m.id = ANY(@messages::uuid[]) AND (
          EXISTS (SELECT 1 FROM care_team ct WHERE ct.patient_id = m.patient_id AND ct.clinic_id = m.clinic_id AND ct.staff_id = @staff_id)
          OR EXISTS (SELECT 1 FROM glass g WHERE g.clinic_id = m.clinic_id AND g.staff_id = @staff_id AND g.patient_id = m.patient_id AND g.expires_at > @at AND g.ended_at IS NULL)))
      + (SELECT count(*) FROM patients p WHERE p.clinic_id = @clinic_id AND p.id = ANY(@patients::uuid[]) AND (
          EXISTS (SELECT 1 FROM care_team ct WHERE ct.patient_id = p.id AND ct.clinic_id = p.clinic_id AND ct.staff_id = @staff_id)
          OR EXISTS (SELECT 1 FROM glass g WHERE g.clinic_id = p.clinic_id AND g.staff_id = @staff_id AND g.patient_id = p.id AND g.expires_at > @at AND g.ended_at IS NULL))))::int;

-- name: PatientCreate :exec
INSERT INTO patients (id, clinic_id, name_sealed, birth_date_sealed, mrn_sealed, mrn_index, person_index, summary_sealed, history_sealed,
                      medications_sealed, allergies_sealed, notes_sealed, language, time_zone, created_by, created_at, updated_at)
VALUES (@id, @clinic_id, @name_sealed, @birth_date_sealed, @mrn_sealed, @mrn_index, @person_index, @summary_sealed, @history_sealed,
        @medications_sealed, @allergies_sealed, @notes_sealed, @language, @time_zone, @created_by, @created_at, @created_at);

-- name: PatientUpdate :execrows
UPDATE patients SET name_sealed = @name_sealed, birth_date_sealed = @birth_date_sealed, mrn_sealed = @mrn_sealed, mrn_index = @mrn_index,
    person_index = @person_index, summary_sealed = @summary_sealed, history_sealed = @history_sealed, medications_sealed = @medications_sealed,
    allergies_sealed = @allergies_sealed, notes_sealed = @notes_sealed, language = @language, time_zone = @time_zone,
    updated_at = @updated_at, version = version + 1
WHERE id = @id AND clinic_id = @clinic_id AND version = @version;

-- name: PatientKeyCreate :exec
INSERT INTO patient_keys (patient_id, clinic_id, wrapped, created_at) VALUES (@patient_id, @clinic_id, @wrapped, @created_at);

-- name: PatientKeyGet :one
SELECT wrapped FROM patient_keys WHERE patient_id = @patient_id AND clinic_id = @clinic_id;

-- name: ContactsOfPatient :many
SELECT c.*, coalesce((SELECT s.status FROM consents s WHERE s.clinic_id = c.clinic_id AND s.address_index = c.address_index
        AND s.purpose = 'notice' ORDER BY s.at DESC, s.id DESC LIMIT 1), '')::text AS consent
FROM contacts c WHERE c.clinic_id = @clinic_id AND c.patient_id = @patient_id AND c.retired_at IS NULL ORDER BY c.channel;

-- name: ContactCreate :exec
INSERT INTO contacts (id, clinic_id, patient_id, channel, address_sealed, address_index, verified_at, created_at)
VALUES (@id, @clinic_id, @patient_id, @channel, @address_sealed, @address_index, @verified_at, @created_at);

-- name: ContactRetire :exec
UPDATE contacts SET retired_at = @at WHERE clinic_id = @clinic_id AND patient_id = @patient_id AND channel = @channel AND retired_at IS NULL;

-- name: ContactVerify :exec
UPDATE contacts SET verified_at = coalesce(verified_at, @at::timestamptz), bounced_at = NULL, bounce_code = NULL
WHERE id = @id AND clinic_id = @clinic_id AND (verified_at IS NULL OR bounced_at IS NOT NULL);

-- name: ContactBounce :exec
UPDATE contacts SET bounced_at = @at, bounce_code = @code WHERE id = @id AND clinic_id = @clinic_id;

-- name: ConsentAppend :execrows
-- Reply is the inbound text that said so, if one did. None when this text was told before.
INSERT INTO consents (id, clinic_id, address_index, channel, purpose, status, source, wording, at, reply)
VALUES (@id, @clinic_id, @address_index, @channel, 'notice', @status, @source, @wording, @at, nullif(@reply::text, ''))
ON CONFLICT (clinic_id, address_index, reply) WHERE reply IS NOT NULL DO NOTHING;

-- name: ConsentLast :one
SELECT coalesce((SELECT s.status FROM consents s WHERE s.clinic_id = @clinic_id AND s.address_index = @address_index
        AND s.purpose = 'notice' ORDER BY s.at DESC, s.id DESC LIMIT 1), '')::text;

-- name: ClinicsOfAddress :many
SELECT DISTINCT clinic_id FROM contacts WHERE address_index = @address_index;

-- name: PatientIdentities :many
SELECT p.id, p.name_sealed, p.birth_date_sealed, p.mrn_sealed, p.language, k.wrapped
FROM patients p JOIN patient_keys k ON k.patient_id = p.id AND k.clinic_id = p.clinic_id
WHERE p.clinic_id = @clinic_id
  AND p.id IN (SELECT @patient_id::uuid UNION ALL SELECT ct.patient_id FROM care_team ct WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id);

-- name: ContactsOfIdentities :many
SELECT c.id, c.patient_id, c.channel, c.address_sealed FROM contacts c
WHERE c.clinic_id = @clinic_id AND c.retired_at IS NULL
  AND c.patient_id IN (SELECT @patient_id::uuid UNION ALL SELECT ct.patient_id FROM care_team ct WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id);
