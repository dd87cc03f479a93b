-- Sessions say how their person signed in and from where, so that people can look at their own sign-ins and end them.

ALTER TABLE sessions
    -- Access vouches with every request ('assertion'); an OpenID provider vouched once, when the session was opened ('code').
    ADD COLUMN method text NOT NULL DEFAULT 'assertion' CHECK (method IN ('assertion', 'code')),
    ADD COLUMN ip     text NOT NULL DEFAULT '',
    ADD COLUMN agent  text NOT NULL DEFAULT '';

-- A person's sessions of the last hours, ended ones too: what the provider said before one ended opens no other.
CREATE INDEX sessions_of_staff ON sessions (clinic_id, staff_id, created_at);
-- The clinic's open ones, newest first. Those left open by a closed browser lie beyond the last 12 hours.
CREATE INDEX sessions_open ON sessions (clinic_id, created_at DESC, id DESC) WHERE ended_at IS NULL;
