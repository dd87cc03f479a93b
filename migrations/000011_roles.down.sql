DROP TABLE glass_tries;
DROP TABLE glass;
DROP FUNCTION glass_kept();
DROP INDEX patients_newest;
ALTER TABLE patients DROP COLUMN person_index;
