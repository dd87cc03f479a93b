DROP INDEX CONCURRENTLY reviews_by_draft;
