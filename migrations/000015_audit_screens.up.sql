-- The trail's screens. Who reads it asks for the newest of all, of a person, of a patient, of a deed, of an address, or of what
-- was refused; each of these has an index in the order that it is shown in. Every event pays for three of them, a refusal for four.
DROP INDEX audit_events_by_patient;
DROP INDEX audit_events_by_actor;
CREATE INDEX audit_events_by_time ON audit_events (clinic_id, at DESC, id DESC);
CREATE INDEX audit_events_by_patient ON audit_events (clinic_id, patient_id, at DESC, id DESC) WHERE patient_id IS NOT NULL;
CREATE INDEX audit_events_by_actor ON audit_events (clinic_id, actor_id, at DESC, id DESC) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_events_by_deed ON audit_events (clinic_id, deed, at DESC, id DESC);
CREATE INDEX audit_events_by_address ON audit_events (clinic_id, ip, at DESC, id DESC) WHERE ip <> '';
CREATE INDEX audit_events_refused ON audit_events (clinic_id, at DESC, id DESC) WHERE outcome = 'refused';

-- A verification of the ledger that somebody asked for on the screen: a worker carries it out. What it found is codes and words
-- about leaves and ids.
CREATE TABLE ledger_checks (
    id          uuid NOT NULL,
    clinic_id   uuid NOT NULL REFERENCES clinics (id),
    asked_by    uuid NOT NULL,
    asked_at    timestamptz NOT NULL,
    lease_until timestamptz,                              -- a worker is at it
    attempts    int NOT NULL DEFAULT 0,
    done        bigint NOT NULL DEFAULT 0,                -- leaves looked at
    total       bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,
    took_ms     bigint NOT NULL DEFAULT 0,
    outcome     text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'clean', 'tampered', 'failed')),
    code        text NOT NULL DEFAULT '',                 -- why it could not be carried out
    report      jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (id, clinic_id),
    FOREIGN KEY (asked_by, clinic_id) REFERENCES staff (id, clinic_id),
    CHECK ((finished_at IS NULL) = (outcome = ''))
);
CREATE UNIQUE INDEX ledger_checks_one_at_a_time ON ledger_checks (clinic_id) WHERE finished_at IS NULL;
CREATE INDEX ledger_checks_by_time ON ledger_checks (clinic_id, asked_at DESC);

-- The weekly look at who had access and how it was used. What it says is ids, names of roles and numbers, as they were when it
-- was made; it is signed off once.
CREATE TABLE access_reviews (
    id        uuid NOT NULL,
    clinic_id uuid NOT NULL REFERENCES clinics (id),
    since     timestamptz NOT NULL,                       -- a Monday, on the clinic's clock
    until     timestamptz NOT NULL,
    made_at   timestamptz NOT NULL,
    facts     jsonb NOT NULL,
    signed_by uuid,
    signed_at timestamptz,
    note      text NOT NULL DEFAULT '',
    PRIMARY KEY (id, clinic_id),
    UNIQUE (clinic_id, since),
    FOREIGN KEY (signed_by, clinic_id) REFERENCES staff (id, clinic_id),
    CHECK ((signed_by IS NULL) = (signed_at IS NULL))
);
CREATE INDEX access_reviews_open ON access_reviews (clinic_id, until) WHERE signed_at IS NULL;
