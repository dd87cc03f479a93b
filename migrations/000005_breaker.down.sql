DROP INDEX audit_events_by_actor;
CREATE INDEX audit_events_by_actor ON audit_events (clinic_id, actor_id, at DESC);
CREATE INDEX audit_events_by_rev ON audit_events (subject_id, rev) WHERE rev IS NOT NULL;
DROP TABLE breakers;
