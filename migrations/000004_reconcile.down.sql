ALTER TABLE deliveries DROP COLUMN resends;
DROP INDEX deliveries_unknown;
