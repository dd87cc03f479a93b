-- The text that said so, by its provider's id. One that is told twice counts once, whatever was said in between.
ALTER TABLE consents ADD COLUMN reply text;
