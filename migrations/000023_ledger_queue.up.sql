-- The ledger's queue is a heap without an index. All of it is read at each sealing, and that is a second's events; an index would
-- cost each event a page that all writers of the moment want at once, and nobody looks one event of it up.
-- contract: only the sealer reads the queue, and each version's sealer reads all that waits, with or without an index.
ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_pkey;
