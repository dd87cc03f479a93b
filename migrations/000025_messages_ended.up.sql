-- The oldest of what may be over, for the night's work.
CREATE INDEX CONCURRENTLY messages_ended ON messages (clinic_id, updated_at, id) WHERE status IN ('approved', 'withdrawn');
