DROP TRIGGER deliveries_restored ON deliveries;
DROP FUNCTION deliveries_restored;
DELETE FROM delivery_edges WHERE from_state = 'queued' AND to_state = 'unknown';
ALTER TABLE deliveries DROP COLUMN asked_since;
DROP TABLE instance;
DROP FUNCTION instance_forward;
