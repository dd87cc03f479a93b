-- Backups are of the whole installation, of all clinics.

-- name: BackupCreate :exec
INSERT INTO backups (id, name, taken_at, made_at, bytes, sha256) VALUES (@id, @name, @taken_at, @made_at, @bytes, @sha256);

-- name: BackupLast :one
SELECT taken_at FROM backups ORDER BY taken_at DESC LIMIT 1;

-- name: BackupCounts :one
-- What a restore is compared with.
SELECT (SELECT count(*) FROM audit_events) AS events, (SELECT count(*) FROM ledger_leaves) AS leaves;
