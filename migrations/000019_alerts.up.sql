-- Alerts: what people are told of, whether it still is so, and what is on its way to them. Codes, ids and numbers only.
-- An alert belongs to a clinic, or to the installation: then its clinic_id is all zeros, and every clinic's operators see it.

CREATE TABLE alerts (
    id              uuid NOT NULL,
    clinic_id       uuid NOT NULL,
    rule            text NOT NULL,                        -- of package alert
    subject         text NOT NULL DEFAULT '',             -- a code, such as a channel, or a person's id
    state           text NOT NULL CHECK (state IN ('pending', 'firing', 'cleared')),
    run             int NOT NULL DEFAULT 0,               -- evaluations in a row that speak for a change
    value           double precision NOT NULL,            -- as last measured
    worst           double precision NOT NULL,
    since           timestamptz NOT NULL,                 -- the first of the evaluations that made it fire
    fired_at        timestamptz,
    notified_at     timestamptz,                          -- when people were last told
    cleared_at      timestamptz,
    acknowledged_by uuid,                                 -- of any clinic, if the alert is the installation's
    acknowledged_at timestamptz,
    note            text NOT NULL DEFAULT '',
    silenced_by     uuid,
    silenced_until  timestamptz,
    rev             int NOT NULL DEFAULT 1,
    PRIMARY KEY (id, clinic_id),
    CHECK ((state = 'pending') = (fired_at IS NULL)),
    CHECK ((state = 'cleared') = (cleared_at IS NOT NULL))
);
CREATE UNIQUE INDEX alerts_open ON alerts (clinic_id, rule, subject) WHERE state <> 'cleared';
CREATE INDEX alerts_past ON alerts (clinic_id, cleared_at DESC, id DESC) WHERE state = 'cleared';

-- What goes out about an alert, one row a way. Made in the transaction of the change, sent until somebody takes it.
CREATE TABLE alert_notices (
    id              uuid NOT NULL,
    clinic_id       uuid NOT NULL,
    alert_id        uuid NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('fired', 'repeated', 'cleared')),
    way             text NOT NULL CHECK (way IN ('sentry', 'email', 'webhook')),
    value           double precision NOT NULL,
    made_at         timestamptz NOT NULL,
    attempts        int NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,                          -- null: it is done, or given up
    sent_at         timestamptz,
    code            text NOT NULL DEFAULT '',             -- why the last attempt did not go
    PRIMARY KEY (id, clinic_id),
    FOREIGN KEY (alert_id, clinic_id) REFERENCES alerts (id, clinic_id)
);
CREATE INDEX alert_notices_due ON alert_notices (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX alert_notices_of_alert ON alert_notices (clinic_id, alert_id);

-- One row: when the rules were last evaluated, and by that who does it next.
CREATE TABLE alert_round (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    at  timestamptz NOT NULL DEFAULT '1970-01-01 00:00:00+00'
);
INSERT INTO alert_round DEFAULT VALUES;

-- What the rules look for on the trail each minute: refusals of strangers, and backups. Both are few.
CREATE INDEX audit_events_of_strangers ON audit_events (at) WHERE outcome = 'refused' AND actor_id IS NULL;
CREATE INDEX audit_events_backups ON audit_events (at DESC) WHERE deed = 'backup.create';
