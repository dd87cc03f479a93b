-- name: LedgerLock :one
-- One sealer among all workers, for as long as its transaction lasts.
SELECT pg_try_advisory_xact_lock(hashtext('ledger'));

-- name: LedgerHead :one
SELECT size, sealed_at, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1;

-- name: LedgerPending :many
-- What waits to be sealed, the oldest first. No rec: its event is not there.
SELECT p.event_id, p.at, e.rec FROM audit_pending p LEFT JOIN audit_events e ON e.id = p.event_id AND e.at = p.at
ORDER BY p.at, p.event_id LIMIT @most;

-- name: LedgerHashes :many
SELECT leaf, hashes FROM ledger_leaves WHERE leaf = ANY(@leaves::bigint[]);

-- name: LedgerLeavesAdd :exec
INSERT INTO ledger_leaves (leaf, event_id, at, hashes)
SELECT unnest(@leaves::bigint[]), unnest(@event_ids::uuid[]), unnest(@ats::timestamptz[]), unnest(@hashes::bytea[]);

-- name: LedgerSealed :execrows
DELETE FROM audit_pending WHERE event_id = ANY(@event_ids::uuid[]);

-- name: LedgerCheckpointAdd :exec
INSERT INTO ledger_checkpoints (size, sealed_at, note) VALUES (@size, @sealed_at, @note);

-- name: LedgerChunk :many
-- Leaves with their events, in the leaves' order. An event that is not there has no found.
SELECT l.leaf, l.event_id, l.at AS leaf_at, l.hashes, e.id AS found, e.clinic_id, e.actor_kind, e.actor_id, e.role, e.session_id, e.deed, e.subject_kind,
       e.subject_id, e.patient_id, e.outcome, e.reason, e.rev, e.detail, e.ip, e.agent, e.request_id, e.rec
FROM ledger_leaves l LEFT JOIN audit_events e ON e.id = l.event_id AND e.at = l.at
WHERE l.leaf >= @since AND l.leaf < @until::bigint ORDER BY l.leaf;

-- name: LedgerCheckpoints :many
SELECT size, sealed_at, note FROM ledger_checkpoints WHERE size > @since AND size <= @until::bigint ORDER BY size LIMIT @most;

-- name: LedgerCounts :one
SELECT (SELECT count(*) FROM audit_events) AS events, (SELECT count(*) FROM ledger_leaves) AS leaves,
       coalesce((SELECT max(leaf) + 1 FROM ledger_leaves), 0)::bigint AS upto,
       (SELECT count(*) FROM audit_pending p JOIN audit_events e ON e.id = p.event_id AND e.at = p.at) AS waiting;

-- name: LedgerLost :many
-- Events that waited and are gone.
SELECT p.event_id FROM audit_pending p WHERE NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.id = p.event_id AND e.at = p.at) ORDER BY p.at LIMIT 100;

-- name: LedgerStray :many
-- Events that are neither sealed nor waiting.
SELECT e.id, e.at FROM audit_events e WHERE NOT EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.event_id = e.id AND l.at = e.at)
    AND NOT EXISTS (SELECT 1 FROM audit_pending p WHERE p.event_id = e.id AND p.at = e.at) ORDER BY e.at, e.id LIMIT 100;

-- name: LedgerLeafOf :one
SELECT l.leaf, e.rec FROM ledger_leaves l JOIN audit_events e ON e.id = l.event_id AND e.at = l.at WHERE l.event_id = @event_id;
