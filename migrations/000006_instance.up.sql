-- The restore fence. A database that was restored does not know what was sent after the moment it was restored to, so
-- nothing is sent from it until an operator has said what that was.

-- One row: this installation. It belongs to no clinic. Each beat raises the generation; the last one is written to
-- BLOB_URL too, outside the database. A database that is behind it has lost something.
CREATE TABLE instance (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    lineage     uuid    NOT NULL DEFAULT gen_random_uuid(),  -- a new one each time a stop is lifted: copies of before are others
    generation  bigint  NOT NULL DEFAULT 0 CHECK (generation >= 0),
    beat        uuid    NOT NULL DEFAULT gen_random_uuid(),  -- of this generation: two databases that both made it differ here
    beat_at     timestamptz,                                 -- by the database's clock
    anchored    boolean NOT NULL DEFAULT false,              -- BLOB_URL has been seen to hold this installation's file
    witnessed   bigint  NOT NULL DEFAULT 0,                  -- the highest generation that anybody showed while sending was stopped
    held_at     timestamptz,                                 -- not null: nothing is sent
    held_since  timestamptz,                                 -- what was sent after this may be missing here
    held_reason text    NOT NULL DEFAULT '',                 -- a code
    CHECK ((held_at IS NULL) = (held_reason = ''))
);
INSERT INTO instance DEFAULT VALUES;

CREATE FUNCTION instance_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' THEN RAISE EXCEPTION 'the instance has one row' USING ERRCODE = 'insufficient_privilege'; END IF;
    IF NEW.generation < OLD.generation OR NEW.lineage <> OLD.lineage AND (OLD.held_at IS NULL OR NEW.generation = OLD.generation) THEN
        RAISE EXCEPTION 'the instance only goes forward' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER instance_forward BEFORE UPDATE OR DELETE ON instance FOR EACH ROW EXECUTE FUNCTION instance_forward();
CREATE TRIGGER instance_kept BEFORE TRUNCATE ON instance FOR EACH STATEMENT EXECUTE FUNCTION instance_forward();

-- What a look-up has to cover beside the last attempt, for deliveries whose attempts may be lost.
ALTER TABLE deliveries ADD COLUMN asked_since timestamptz;
CREATE INDEX deliveries_asked ON deliveries (channel, state) WHERE asked_since IS NOT NULL;

-- A queued delivery may have been sent only if the database lost something: while sending is stopped, and only then.
INSERT INTO delivery_edges (from_state, to_state) VALUES ('queued', 'unknown');
CREATE FUNCTION deliveries_restored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.asked_since IS NULL OR NOT EXISTS (SELECT 1 FROM instance WHERE held_at IS NOT NULL) THEN
        RAISE EXCEPTION 'delivery %: queued -> unknown is for a restored database whose sending is stopped', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deliveries_restored BEFORE UPDATE ON deliveries FOR EACH ROW
    WHEN (OLD.state = 'queued' AND NEW.state = 'unknown') EXECUTE FUNCTION deliveries_restored();
