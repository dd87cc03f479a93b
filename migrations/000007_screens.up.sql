-- The people's side of delivery: the deliveries screen, and what goes back to the doctor.

-- What a notice's state comes to for a person who looks at a list.
CREATE FUNCTION delivery_outcome(state text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN state IN ('failed', 'refused', 'undelivered', 'expired') THEN 'trouble'
                WHEN state IN ('unknown', 'needs_person') THEN 'unknown'
                WHEN state IN ('queued', 'sending', 'accepted', 'in_transit', 'sent') THEN 'way'
                WHEN state = 'cancelled' THEN 'ended'
                ELSE 'arrived' END $$;

-- A round that was followed by a further one is history; the lists show the last.
ALTER TABLE deliveries ADD COLUMN superseded boolean NOT NULL DEFAULT false;
UPDATE deliveries d SET superseded = true
 WHERE EXISTS (SELECT 1 FROM deliveries x WHERE x.message_id = d.message_id AND x.clinic_id = d.clinic_id AND x.kind = d.kind AND x.round > d.round);

CREATE FUNCTION deliveries_supersede() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE deliveries SET superseded = true
     WHERE clinic_id = NEW.clinic_id AND message_id = NEW.message_id AND kind = NEW.kind AND round < NEW.round AND NOT superseded;
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_supersede AFTER INSERT ON deliveries FOR EACH ROW WHEN (NEW.round > 1) EXECUTE FUNCTION deliveries_supersede();

-- One equality for each filter that is always there, then the order of the list. Changes less often than the state it stands for.
CREATE INDEX deliveries_by_outcome ON deliveries (clinic_id, delivery_outcome(state), priority, created_at, id)
    WHERE kind = 'notice' AND NOT superseded;
DROP INDEX deliveries_by_state;

-- Why the notice of the last signature was not sent in time; empty once the message is signed again.
ALTER TABLE messages ADD COLUMN unsent_code text NOT NULL DEFAULT '';

-- The order of what waits: by priority, and within its class first what was signed and did not go out.
CREATE FUNCTION message_rank(priority int, unsent_code text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN priority = 3 THEN 4 + (unsent_code <> '')::int WHEN unsent_code <> '' THEN 3 ELSE priority END $$;

-- A round of review begins by a submission, or because the notice of the round before was not sent in time.
ALTER TABLE reviews ADD COLUMN cause text NOT NULL DEFAULT 'submitted' CHECK (cause IN ('submitted', 'unsent'));
