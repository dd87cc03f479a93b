-- What a draft that goes is looked for in: without it, Postgres reads all reviews for each.
CREATE INDEX CONCURRENTLY reviews_by_draft ON reviews (draft_id, clinic_id);
