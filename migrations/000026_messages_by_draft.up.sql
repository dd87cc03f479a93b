-- What a draft that goes is looked for in: without it, Postgres reads all messages for each.
CREATE INDEX CONCURRENTLY messages_by_draft ON messages (draft_id, clinic_id);
