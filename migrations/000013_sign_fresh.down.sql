ALTER TABLE clinics DROP COLUMN sign_fresh_minutes;
