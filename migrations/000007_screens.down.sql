ALTER TABLE reviews DROP COLUMN cause;
DROP FUNCTION message_rank;
ALTER TABLE messages DROP COLUMN unsent_code;
CREATE INDEX deliveries_by_state ON deliveries (clinic_id, state, updated_at DESC, id DESC);
DROP INDEX deliveries_by_outcome;
DROP TRIGGER deliveries_supersede ON deliveries;
DROP FUNCTION deliveries_supersede;
ALTER TABLE deliveries DROP COLUMN superseded;
DROP FUNCTION delivery_outcome;
