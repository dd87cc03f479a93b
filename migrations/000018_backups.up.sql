-- The backups that were made of this database, a row each: how old the last one is, is asked of this table. It belongs to
-- no clinic, and holds nothing of what is in them. A restored database does not know the backup that it came from.
CREATE TABLE backups (
    id         uuid        PRIMARY KEY,
    name       text        NOT NULL UNIQUE CHECK (name <> ''),
    taken_at   timestamptz NOT NULL,                                       -- the moment that the backup is of
    made_at    timestamptz NOT NULL,                                       -- when it was whole
    bytes      bigint      NOT NULL CHECK (bytes > 0),
    sha256     bytea       NOT NULL CHECK (octet_length(sha256) = 32)
);
CREATE INDEX backups_by_time ON backups (taken_at);

CREATE TRIGGER backups_fixed BEFORE UPDATE OR DELETE ON backups FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER backups_kept BEFORE TRUNCATE ON backups FOR EACH STATEMENT EXECUTE FUNCTION append_only();
