-- name: LedgerLock :one
-- One sealer among all workers, for as long as its transaction lasts.
SELECT pg_try_advisory_xact_lock(hashtext('ledger'));

-- name: LedgerHead :one
SELECT size, sealed_at, note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1;

-- name: LedgerNext :many
-- What waits to be sealed, the oldest first, in one look at it. No rec: its event is not there. Each event is looked up by its key,
-- however many there are: a join might read the trail.
WITH next AS (SELECT CAST(p.ctid AS tid) AS place, p.event_id, p.at FROM audit_pending p ORDER BY p.at, p.event_id LIMIT @most)
SELECT n.place, n.event_id, n.at, (SELECT e.rec FROM audit_events e WHERE e.id = n.event_id AND e.at = n.at LIMIT 1) AS rec
FROM next n ORDER BY n.at, n.event_id;

-- name: LedgerTake :execrows
-- Takes out of the queue what stood at these places. Nobody else does, and what comes in meanwhile stands at others.
DELETE FROM audit_pending WHERE ctid = ANY(@places::tid[]);

-- name: LedgerHashes :many
SELECT leaf, hashes FROM ledger_leaves WHERE leaf = ANY(@leaves::bigint[]);

-- name: LedgerCheckpointAdd :exec
INSERT INTO ledger_checkpoints (size, sealed_at, note) VALUES (@size, @sealed_at, @note);

-- name: LedgerLast :one
SELECT coalesce(max(leaf), -1)::bigint FROM ledger_leaves;

-- name: LedgerPlaces :many
-- Where events stand that a verification met without a leaf. Micros is their time as Postgres keeps it: since 2000. Elsewhere: their
-- leaf has another date, under which there is no event.
SELECT x.id::uuid AS id, x.micros::bigint AS micros,
       EXISTS (SELECT 1 FROM audit_pending p WHERE p.event_id = x.id AND p.at = x.at) AS waits,
       EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.event_id = x.id AND l.at = x.at) AS sealed,
       EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.event_id = x.id AND l.at <> x.at
                 AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.id = l.event_id AND e.at = l.at)) AS elsewhere
FROM (SELECT i.id, i.micros, '2000-01-01 00:00:00+00'::timestamptz + i.micros * interval '1 microsecond' AS at
      FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@micros::bigint[]) AS micros) i) x;

-- name: LedgerTwice :many
SELECT id FROM audit_events GROUP BY id, at HAVING count(*) > 1 ORDER BY at, id LIMIT 100;

-- name: LedgerLost :many
-- Events that waited and are gone.
SELECT p.event_id FROM audit_pending p WHERE p.event_id IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM audit_events e WHERE e.id = p.event_id AND e.at = p.at) ORDER BY p.at LIMIT 100;

-- name: LedgerQueuedAgain :many
-- Events that are sealed, and wait to be.
SELECT p.event_id FROM audit_pending p WHERE EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.event_id = p.event_id) ORDER BY p.at LIMIT 100;

-- name: LedgerLeafOf :one
SELECT l.leaf, l.at, e.rec FROM ledger_leaves l LEFT JOIN audit_events e ON e.id = l.event_id AND e.at = l.at WHERE l.event_id = @event_id;

-- name: LedgerArchives :many
SELECT month, file, events, first_leaf, last_leaf, archived_at FROM ledger_archives ORDER BY month;

-- name: LedgerArchiveAdd :exec
INSERT INTO ledger_archives (month, file, events, first_leaf, last_leaf, archived_at)
VALUES (@month::date, @file, @events, @first_leaf, @last_leaf, @archived_at);

-- name: LedgerArchiveLock :exec
SELECT pg_advisory_xact_lock(hashtext('ledger_archives'));
