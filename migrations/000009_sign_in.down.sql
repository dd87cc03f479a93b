DROP INDEX sessions_open;
DROP INDEX sessions_of_staff;
ALTER TABLE sessions DROP COLUMN agent, DROP COLUMN ip, DROP COLUMN method;
