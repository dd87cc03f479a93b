-- name: PageCreate :exec
INSERT INTO pages (id, clinic_id, message_id, patient_id, token_sealed, token_hash, expires_at, created_at)
VALUES (@id, @clinic_id, @message_id, @patient_id, @token_sealed, @token_hash, @expires_at, @created_at)
ON CONFLICT (message_id, clinic_id) DO UPDATE SET expires_at = excluded.expires_at, revoked_at = NULL;

-- name: PageOfMessage :one
SELECT * FROM pages WHERE message_id = @message_id AND clinic_id = @clinic_id;

-- name: PageLock :one
SELECT opened_at FROM pages WHERE message_id = @message_id AND clinic_id = @clinic_id FOR UPDATE;

-- name: PageByToken :one
SELECT pg.*, m.status AS message_status, m.version AS message_version, m.final_sealed, m.final_evidence, m.final_mac, m.signer_id, m.signer_name, m.signer_role, m.signed_at,
       p.birth_date_sealed, p.language, k.wrapped,
       cl.name AS clinic_name, cl.notice_name, cl.phone AS clinic_phone, cl.emergency_line, cl.time_zone AS clinic_zone
FROM pages pg
JOIN messages m ON m.id = pg.message_id AND m.clinic_id = pg.clinic_id
JOIN patients p ON p.id = pg.patient_id AND p.clinic_id = pg.clinic_id
JOIN patient_keys k ON k.patient_id = pg.patient_id AND k.clinic_id = pg.clinic_id
JOIN clinics cl ON cl.id = pg.clinic_id
WHERE pg.token_hash = @token_hash
FOR UPDATE OF pg;

-- name: PageProofsToday :one
SELECT count(*)::int FROM page_proofs WHERE clinic_id = @clinic_id AND patient_id = @patient_id AND NOT ok AND at > @since;

-- name: PageProofAppend :exec
INSERT INTO page_proofs (id, clinic_id, page_id, patient_id, ok, at) VALUES (@id, @clinic_id, @page_id, @patient_id, @ok, @at);

-- name: PageTried :exec
UPDATE pages SET tries = tries + 1, locked_at = CASE WHEN tries + 1 >= 5 THEN @at::timestamptz ELSE locked_at END WHERE id = @id AND clinic_id = @clinic_id;

-- name: PageOpened :exec
UPDATE pages SET tries = 0, opened_at = coalesce(opened_at, @at::timestamptz) WHERE id = @id AND clinic_id = @clinic_id;

-- name: PageAcknowledged :execrows
UPDATE pages SET acknowledged_at = @at WHERE id = @id AND clinic_id = @clinic_id AND acknowledged_at IS NULL;

-- name: PageRevoke :exec
UPDATE pages SET revoked_at = @at WHERE message_id = @message_id AND clinic_id = @clinic_id;

-- name: PageLasts :exec
UPDATE pages SET expires_at = @expires_at WHERE message_id = @message_id AND clinic_id = @clinic_id;

-- name: PageSessionCreate :exec
INSERT INTO page_sessions (id, clinic_id, page_id, token_hash, expires_at, created_at) VALUES (@id, @clinic_id, @page_id, @token_hash, @expires_at, @at);

-- name: PageSessionFind :one
SELECT * FROM page_sessions WHERE token_hash = @token_hash AND clinic_id = @clinic_id AND page_id = @page_id AND ended_at IS NULL AND expires_at > @at;

-- name: PageProofsLock :exec
SELECT 1 FROM patient_keys WHERE patient_id = @patient_id AND clinic_id = @clinic_id FOR NO KEY UPDATE;
