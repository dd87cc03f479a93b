-- How old a sign-in may be when its person signs a message, as an administrator sets it. Null: as the installation's SIGN_FRESH.
ALTER TABLE clinics ADD COLUMN sign_fresh_minutes int CHECK (sign_fresh_minutes BETWEEN 15 AND 720);
