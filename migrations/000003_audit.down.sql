DROP TRIGGER deliveries_audited ON deliveries;
DROP TRIGGER deliveries_born_audited ON deliveries;
DROP TRIGGER delivery_events_fixed ON delivery_events;
DROP TRIGGER delivery_events_whole ON delivery_events;
DROP TRIGGER delivery_events_kept ON delivery_events;
DROP TRIGGER consents_fixed ON consents;
DROP TRIGGER consents_kept ON consents;
DROP TABLE audit_events, audit_pending;
DROP FUNCTION audit_partitions, audit_events_pend, append_only, deliveries_audited, delivery_events_match;
