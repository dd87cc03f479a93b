-- The ledger over the audit trail: a Merkle tree whose leaves are the events' bytes, and its signed roots. Both only grow.

-- One row a leaf: which event, and the hashes that the leaf completes, its own first, then those of the subtrees that it ends.
CREATE TABLE ledger_leaves (
    leaf     bigint PRIMARY KEY CHECK (leaf >= 0),
    event_id uuid NOT NULL UNIQUE,
    at       timestamptz NOT NULL,                         -- the event's, to find it in its month
    hashes   bytea NOT NULL CHECK (octet_length(hashes) > 0 AND octet_length(hashes) % 32 = 0)
);

CREATE TABLE ledger_checkpoints (
    size      bigint PRIMARY KEY CHECK (size > 0),         -- the leaves below it
    sealed_at timestamptz NOT NULL,
    note      text NOT NULL                                -- size, root and time, signed
);

CREATE TRIGGER ledger_leaves_fixed BEFORE UPDATE OR DELETE ON ledger_leaves FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_leaves_kept BEFORE TRUNCATE ON ledger_leaves FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_checkpoints_fixed BEFORE UPDATE OR DELETE ON ledger_checkpoints FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_checkpoints_kept BEFORE TRUNCATE ON ledger_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The sealer takes the oldest first.
CREATE INDEX audit_pending_by_time ON audit_pending (at, event_id);
