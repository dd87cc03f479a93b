-- Evidence always wins: a report about a row that was claimed moves it to its rank from wherever it stands, also when it
-- is queued again after a person's "send again" or after what was taken for "not sent", and then it is not sent again.

INSERT INTO delivery_edges (from_state, to_state)
SELECT f, t FROM unnest(ARRAY['queued', 'cancelled', 'expired', 'refused']) f,
                 unnest(ARRAY['accepted', 'in_transit', 'sent', 'delivered', 'opened', 'acknowledged', 'undelivered']) t;

-- A row that was never claimed cannot have been sent, so no evidence can be about it, unless the database was restored and
-- may have lost the claim. The condition is tested without calling the function: a first claim, the usual case, pays nothing
-- for it.
CREATE FUNCTION deliveries_never_claimed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'delivery %: % -> % is not an edge for what was never claimed', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER deliveries_never_claimed BEFORE UPDATE ON deliveries FOR EACH ROW
    WHEN (OLD.attempt = 0 AND NEW.asked_since IS NULL AND NEW.state <> OLD.state AND NEW.state NOT IN ('sending', 'cancelled', 'expired', 'refused'))
    EXECUTE FUNCTION deliveries_never_claimed();

-- What needs a person is still looked up, more slowly; lease_until is when next, as for unknown rows.
CREATE INDEX deliveries_undecided ON deliveries (lease_until NULLS FIRST, updated_at) WHERE state = 'needs_person';
