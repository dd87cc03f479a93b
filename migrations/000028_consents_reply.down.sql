ALTER TABLE consents DROP COLUMN reply;
