-- The ledger's queue is a heap without an index. All of it is read at each sealing, and that is a second's events; an index would
-- cost each event a page that all writers of the moment want at once, and nobody looks one event of it up.
-- contract: only the sealer reads the queue, and each version's sealer reads all that waits, with or without an index.
ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_pkey;

-- Refusals of strangers, beyond the first of their kind of an address in a minute, which is an event by itself. When the minute is
-- over, their number becomes an event, and the row goes.
CREATE TABLE audit_refusals (
    minute     timestamptz NOT NULL,
    address    text NOT NULL,                             -- of IPv6 the first 64 bits
    actor_kind text NOT NULL,
    deed       text NOT NULL,
    reason     text NOT NULL,                             -- a code
    more       bigint NOT NULL DEFAULT 0 CHECK (more >= 0),
    PRIMARY KEY (minute, address, actor_kind, deed, reason)
);
