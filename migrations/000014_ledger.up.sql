-- Each event pays for every index of the ledger's queue, twice: when it comes and when it is sealed. One serves both uses, the
-- order of sealing and the look for one event.
DROP INDEX audit_pending_by_time;
ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_pkey;
ALTER TABLE audit_pending ADD PRIMARY KEY (at, event_id);

-- The queue is emptied each second: its dead rows would be walked over again and again between two vacuums of the usual measure.
ALTER TABLE audit_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);

-- The months of the trail that were taken to BLOB_URL: their events are there, their leaves are here.
CREATE TABLE ledger_archives (
    month       date PRIMARY KEY CHECK (extract(day FROM month) = 1),
    file        text NOT NULL UNIQUE,
    events      bigint NOT NULL CHECK (events > 0),
    first_leaf  bigint NOT NULL,
    last_leaf   bigint NOT NULL CHECK (last_leaf >= first_leaf),
    archived_at timestamptz NOT NULL
);
CREATE TRIGGER ledger_archives_fixed BEFORE UPDATE OR DELETE ON ledger_archives FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_archives_kept BEFORE TRUNCATE ON ledger_archives FOR EACH STATEMENT EXECUTE FUNCTION append_only();
