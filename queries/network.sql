-- name: NetworkAdd :exec
INSERT INTO networks (id, clinic_id, kind, network, country, reason, expires_at, added_by, added_at)
VALUES (@id, @clinic_id, @kind, @network, @country, @reason, @expires_at, @added_by, @at);

-- name: NetworksExpire :exec
UPDATE networks SET removed_at = expires_at WHERE clinic_id = @clinic_id AND removed_at IS NULL AND expires_at <= @at::timestamptz;

-- name: NetworkRemove :execrows
UPDATE networks SET removed_at = @at, removed_by = @removed_by WHERE id = @id AND clinic_id = @clinic_id AND removed_at IS NULL;

-- name: NetworksInForce :many
SELECT n.*, s.name AS added_by_name FROM networks n JOIN staff s ON s.id = n.added_by AND s.clinic_id = n.clinic_id
WHERE n.clinic_id = @clinic_id AND n.removed_at IS NULL AND (n.expires_at IS NULL OR n.expires_at > @at::timestamptz)
ORDER BY n.id DESC LIMIT @row_limit;

-- name: NetworksLock :exec
SELECT 1 FROM clinics WHERE id = @clinic_id FOR NO KEY UPDATE;
