DROP INDEX audit_events_backups;
DROP INDEX audit_events_of_strangers;
DROP TABLE alert_round;
DROP TABLE alert_notices;
DROP TABLE alerts;
