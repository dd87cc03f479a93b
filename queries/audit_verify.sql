-- Verifications of the ledger that were asked for on the screen.

-- name: CheckCreate :exec
INSERT INTO ledger_checks (id, clinic_id, asked_by, asked_at) VALUES (@id, @clinic_id, @asked_by, @asked_at);

-- name: CheckOpen :one
SELECT id FROM ledger_checks WHERE clinic_id = @clinic_id AND finished_at IS NULL;

-- name: ChecksLast :many
SELECT c.id, c.asked_at, c.asked_by, coalesce(s.name, '')::text AS asked_by_name, c.attempts, c.done, c.total, c.finished_at, c.took_ms, c.outcome, c.code, c.report
FROM ledger_checks c LEFT JOIN staff s ON s.id = c.asked_by AND s.clinic_id = c.clinic_id
WHERE c.clinic_id = @clinic_id ORDER BY c.asked_at DESC, c.id DESC LIMIT @row_limit;

-- name: CheckClaim :one
-- One that nobody is at. Any number of workers may ask at once.
UPDATE ledger_checks SET lease_until = @lease_until, attempts = attempts + 1, done = 0, total = 0
WHERE (id, clinic_id) IN (SELECT c.id, c.clinic_id FROM ledger_checks c
    WHERE c.finished_at IS NULL AND (c.lease_until IS NULL OR c.lease_until <= @at) ORDER BY c.asked_at LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, clinic_id, attempts;

-- name: CheckProgress :execrows
UPDATE ledger_checks SET done = @done, total = @total, lease_until = @lease_until
WHERE id = @id AND clinic_id = @clinic_id AND attempts = @attempts AND finished_at IS NULL;

-- name: CheckFinish :execrows
UPDATE ledger_checks SET finished_at = @at, took_ms = @took_ms, outcome = @outcome, code = @code, report = @report, lease_until = NULL
WHERE id = @id AND clinic_id = @clinic_id AND attempts = @attempts AND finished_at IS NULL;
