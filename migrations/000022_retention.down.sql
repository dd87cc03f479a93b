CREATE OR REPLACE TRIGGER delivery_events_whole BEFORE DELETE ON delivery_events FOR EACH ROW EXECUTE FUNCTION append_only();
DROP FUNCTION delivery_events_last();
DROP TRIGGER deliveries_under_way ON deliveries;
DROP FUNCTION deliveries_under_way();
DROP TRIGGER messages_retired ON messages;
DROP FUNCTION messages_retired();
DROP VIEW message_ends;
ALTER TABLE clinics DROP CONSTRAINT clinics_retention, DROP COLUMN retention_years;
