-- Each event pays for every index of the ledger's queue, twice: when it comes and when it is sealed. One serves both uses, the
-- order of sealing and the look for one event.
DROP INDEX audit_pending_by_time;
ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_pkey;
ALTER TABLE audit_pending ADD PRIMARY KEY (at, event_id);

-- The queue is emptied each second: its dead rows would be walked over again and again between two vacuums of the usual measure.
ALTER TABLE audit_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_cost_delay = 0);
