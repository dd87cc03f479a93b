-- The keys of patients, of all clinics: only the operator's tool turns them.

-- name: PatientKeysPage :many
SELECT patient_id, clinic_id, wrapped FROM patient_keys WHERE (patient_id, clinic_id) > (@after_patient::uuid, @after_clinic::uuid)
ORDER BY patient_id, clinic_id LIMIT @row_limit FOR UPDATE;

-- name: PatientKeysRewrap :execrows
UPDATE patient_keys k SET wrapped = x.wrapped
FROM (SELECT unnest(@patient_ids::uuid[]) AS patient_id, unnest(@clinic_ids::uuid[]) AS clinic_id, unnest(@wrapped::bytea[]) AS wrapped) x
WHERE k.patient_id = x.patient_id AND k.clinic_id = x.clinic_id;

-- name: PatientKeysCount :many
-- How many patients' keys each wrapping key wrapped: its id stands in front, after one byte.
SELECT substring(wrapped FROM 1 FOR 5)::bytea AS head, count(*)::bigint AS n FROM patient_keys GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: PatientKeysSample :many
SELECT wrapped FROM patient_keys ORDER BY patient_id DESC LIMIT 20;
