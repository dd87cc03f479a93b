-- What an administrator steers: the clinic's own settings, what drafting may cost, and the scheduled jobs.

ALTER TABLE clinics
    ADD COLUMN version     int     NOT NULL DEFAULT 1,    -- of the settings: every change names the one it read
    ADD COLUMN drafting_on boolean NOT NULL DEFAULT true, -- by the model; by hand always works
    ADD COLUMN email_on    boolean NOT NULL DEFAULT true,
    ADD COLUMN sms_on      boolean NOT NULL DEFAULT true,
    ADD COLUMN later_on    boolean NOT NULL DEFAULT true, -- notices that go out at a time of their own
    ADD CONSTRAINT clinics_reach_somebody CHECK (email_on OR sms_on);

-- What a role may spend on drafts, where a clinic has changed it. Money in millionths of a US dollar.
CREATE TABLE draft_limits (
    clinic_id    uuid NOT NULL REFERENCES clinics,
    role         text NOT NULL CHECK (role IN ('staff', 'reviewer', 'doctor')),
    drafts_a_day int    NOT NULL CHECK (drafts_a_day BETWEEN 0 AND 1000),
    warn_day     bigint NOT NULL CHECK (warn_day > 0),
    warn_month   bigint NOT NULL CHECK (warn_month > 0),
    stop_day     bigint NOT NULL CHECK (stop_day > 0),
    PRIMARY KEY (clinic_id, role),
    CHECK (warn_day <= stop_day AND warn_day <= warn_month)
);

-- What was asked of the model, by day, person and model; and what it wrote, by version of the prompt.
CREATE INDEX draft_requests_by_day ON draft_requests (clinic_id, created_at);
CREATE INDEX drafts_by_model ON drafts (clinic_id, created_at) WHERE source = 'model';
-- What somebody signed lately.
CREATE INDEX messages_signed ON messages (clinic_id, signer_id, signed_at) WHERE signed_at IS NOT NULL;

-- How the scheduled jobs went: one row each, of the installation. Codes and numbers only.
CREATE TABLE job_runs (
    job        text PRIMARY KEY,
    ran_at     timestamptz,                               -- when the last run began
    took_ms    bigint NOT NULL DEFAULT 0,
    every_ms   bigint NOT NULL DEFAULT 0,                 -- how often its worker runs it
    code       text   NOT NULL DEFAULT '',                -- why it failed; empty: it did not
    good_at    timestamptz,                               -- the last run that did not fail
    runs       bigint NOT NULL DEFAULT 0,                 -- written down: a job of each second is not each time
    asked_at   timestamptz,                               -- somebody wants it to run now
    done_day   text   NOT NULL DEFAULT '',                -- the clinic's day that the nightly job is done for
    found      jsonb  NOT NULL DEFAULT '{}'               -- what the nightly job took away and found, counted
);
