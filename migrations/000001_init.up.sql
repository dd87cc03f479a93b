-- Countersign, first schema.
--
-- Every table carries clinic_id and every key holds it. Primary keys are (id, clinic_id), so that a webhook that
-- knows only an id finds its row by the prefix and no row can ever point into another clinic.
-- A column whose name ends in _sealed holds ciphertext under the patient's own key (package seal) and nothing else does.

CREATE TABLE clinics (
    id             uuid PRIMARY KEY,
    name           text NOT NULL,
    notice_name    text NOT NULL,                       -- the neutral name that may stand in an e-mail or SMS
    phone          text NOT NULL,
    emergency_line text NOT NULL DEFAULT '911',
    time_zone      text NOT NULL,
    undo_seconds   int  NOT NULL DEFAULT 30 CHECK (undo_seconds BETWEEN 0 AND 120),
    page_days      int  NOT NULL DEFAULT 7  CHECK (page_days BETWEEN 1 AND 30),
    created_at     timestamptz NOT NULL
);

-- People who sign in. A person is (issuer, subject); the e-mail address is an attribute. No role = "ask an administrator".
CREATE TABLE staff (
    id          uuid NOT NULL,
    clinic_id   uuid NOT NULL REFERENCES clinics,
    issuer      text NOT NULL,
    subject     text NOT NULL,
    email       text NOT NULL,
    name        text NOT NULL,
    role        text CHECK (role IN ('staff', 'reviewer', 'doctor', 'auditor', 'admin', 'ops')),
    disabled_at timestamptz,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (issuer, subject, clinic_id)
);

CREATE TABLE sessions (
    id             uuid NOT NULL,
    clinic_id      uuid NOT NULL,
    staff_id       uuid NOT NULL,
    token_hash     bytea NOT NULL,                       -- SHA-256 of the cookie
    assertion_hash bytea NOT NULL,                       -- SHA-256 of the token that opened it: a token opens one session
    signed_in_at   timestamptz NOT NULL,                 -- when the identity provider saw the person
    created_at     timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL,
    ended_at       timestamptz,
    end_reason     text,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (token_hash, clinic_id),
    UNIQUE (assertion_hash, clinic_id),
    FOREIGN KEY (staff_id, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE INDEX sessions_by_staff ON sessions (clinic_id, staff_id) WHERE ended_at IS NULL;

CREATE TABLE patients (
    id                 uuid NOT NULL,
    clinic_id          uuid NOT NULL REFERENCES clinics,
    name_sealed        bytea NOT NULL,
    birth_date_sealed  bytea NOT NULL,
    mrn_sealed         bytea NOT NULL,
    mrn_index          bytea NOT NULL,
    summary_sealed     bytea NOT NULL,
    history_sealed     bytea NOT NULL,
    medications_sealed bytea NOT NULL,
    allergies_sealed   bytea NOT NULL,
    notes_sealed       bytea NOT NULL,
    language           text NOT NULL DEFAULT 'en',
    time_zone          text,                             -- null: the clinic's, until the patient or the number says otherwise
    version            int  NOT NULL DEFAULT 1,
    created_by         uuid NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (mrn_index, clinic_id),
    FOREIGN KEY (created_by, clinic_id) REFERENCES staff (id, clinic_id)
);

-- One data key per patient, wrapped by the keyset.
CREATE TABLE patient_keys (
    patient_id uuid NOT NULL,
    clinic_id  uuid NOT NULL,
    wrapped    bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (patient_id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id) DEFERRABLE INITIALLY DEFERRED
);

-- Who may see a patient. Every patient query joins it.
CREATE TABLE care_team (
    patient_id uuid NOT NULL,
    staff_id   uuid NOT NULL,
    clinic_id  uuid NOT NULL,
    since      timestamptz NOT NULL,
    PRIMARY KEY (staff_id, patient_id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id),
    FOREIGN KEY (staff_id, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE INDEX care_team_by_patient ON care_team (clinic_id, patient_id);

CREATE TABLE contacts (
    id             uuid NOT NULL,
    clinic_id      uuid NOT NULL,
    patient_id     uuid NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('email', 'sms')),
    address_sealed bytea NOT NULL,
    address_index  bytea NOT NULL,
    verified_at    timestamptz,
    bounced_at     timestamptz,
    bounce_code    text,
    retired_at     timestamptz,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id)
);
CREATE UNIQUE INDEX contacts_live ON contacts (clinic_id, patient_id, channel) WHERE retired_at IS NULL;
CREATE INDEX contacts_by_address ON contacts (address_index, clinic_id);

-- Consent per address and purpose: a ledger, so the last entry speaks and no entry is ever changed.
CREATE TABLE consents (
    id            uuid NOT NULL,
    clinic_id     uuid NOT NULL REFERENCES clinics,
    address_index bytea NOT NULL,
    channel       text NOT NULL CHECK (channel IN ('email', 'sms')),
    purpose       text NOT NULL CHECK (purpose IN ('notice')),
    status        text NOT NULL CHECK (status IN ('in', 'out')),
    source        text NOT NULL,                         -- who said so: staff, page, one_click, sms, provider
    wording       text NOT NULL,                         -- the version of the sentence that was agreed to
    at            timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id)
);
CREATE INDEX consents_last ON consents (clinic_id, address_index, purpose, at DESC, id DESC);

-- A doctor's settings, every version kept; the highest one counts.
CREATE TABLE doctor_settings (
    staff_id      uuid NOT NULL,
    clinic_id     uuid NOT NULL,
    version       int  NOT NULL,
    tone          text NOT NULL CHECK (tone IN ('professional', 'warm', 'empathetic', 'concise')),
    reading_level text NOT NULL CHECK (reading_level IN ('elementary', 'middle', 'high', 'college')),
    max_words     int  NOT NULL CHECK (max_words BETWEEN 50 AND 500),
    specialty     text NOT NULL,
    sign_off      text NOT NULL CHECK (char_length(sign_off) BETWEEN 10 AND 200),
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (staff_id, version, clinic_id),
    FOREIGN KEY (staff_id, clinic_id) REFERENCES staff (id, clinic_id)
);

-- The spine: one message per brief, one status, one version.
CREATE TABLE messages (
    id           uuid NOT NULL,
    clinic_id    uuid NOT NULL,
    patient_id   uuid NOT NULL,
    doctor_id    uuid NOT NULL,                          -- whose settings and signature it is for
    author_id    uuid NOT NULL,
    status       text NOT NULL CHECK (status IN ('drafting', 'draft_ready', 'in_review', 'returned', 'approved', 'withdrawn')),
    version      int  NOT NULL DEFAULT 1,                -- +1 with every change; every write names the one it read
    kind         text NOT NULL CHECK (kind IN ('clinical', 'administrative')),
    priority     int  NOT NULL CHECK (priority BETWEEN 0 AND 3),   -- 0 low, 1 normal, 2 high, 3 urgent
    channel      text NOT NULL CHECK (channel IN ('email', 'sms')),
    red_flag     boolean NOT NULL DEFAULT false,
    due_at       timestamptz NOT NULL,
    send_at      timestamptz,                            -- scheduled; null = as soon as it is signed
    open_findings int NOT NULL DEFAULT 0,                -- findings that still want an answer, for the lists
    draft_id     uuid,                                   -- the current draft
    final_sealed bytea,                                  -- the exact signed text
    final_evidence bytea,                                -- what was signed with it: recipient, channel, checks, answers (ids and codes)
    final_mac    bytea,                                  -- over text, evidence, signer and time
    signer_id    uuid,
    signer_name  text,
    signer_role  text,
    signed_at    timestamptz,
    changed_by   uuid,                                   -- who made this version; null for the model
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    CHECK (status <> 'approved' OR (final_sealed IS NOT NULL AND final_evidence IS NOT NULL AND final_mac IS NOT NULL AND
        signer_id IS NOT NULL AND signer_name IS NOT NULL AND signer_role IS NOT NULL AND signed_at IS NOT NULL)),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id),
    FOREIGN KEY (doctor_id, clinic_id) REFERENCES staff (id, clinic_id),
    FOREIGN KEY (author_id, clinic_id) REFERENCES staff (id, clinic_id),
    FOREIGN KEY (signer_id, clinic_id) REFERENCES staff (id, clinic_id),
    FOREIGN KEY (changed_by, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE INDEX messages_waiting ON messages (clinic_id, priority DESC, due_at, id) WHERE status IN ('drafting', 'draft_ready', 'in_review', 'returned');
CREATE INDEX messages_by_patient ON messages (clinic_id, patient_id, created_at DESC, id DESC);

CREATE TABLE briefs (
    message_id      uuid NOT NULL,
    clinic_id       uuid NOT NULL,
    version         int  NOT NULL,
    id              uuid NOT NULL,
    body_sealed     bytea NOT NULL,                      -- inquiry, points, facts
    snapshot_sealed bytea NOT NULL,                      -- the patient's summary as it was
    written_by      uuid NOT NULL,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (message_id, version, clinic_id),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (written_by, clinic_id) REFERENCES staff (id, clinic_id)
);

CREATE TABLE drafts (
    id             uuid NOT NULL,
    clinic_id      uuid NOT NULL,
    message_id     uuid NOT NULL,
    version        int  NOT NULL,
    brief_version  int  NOT NULL,
    source         text NOT NULL CHECK (source IN ('model', 'person')),
    written_by     uuid,                                 -- null for the model
    model          text NOT NULL DEFAULT '',
    prompt_version text NOT NULL DEFAULT '',
    text_sealed    bytea NOT NULL,
    checks_sealed  bytea NOT NULL,                       -- what the checks found
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (message_id, version, clinic_id),
    CHECK ((source = 'person') = (written_by IS NOT NULL)),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (written_by, clinic_id) REFERENCES staff (id, clinic_id)
);
ALTER TABLE messages ADD FOREIGN KEY (draft_id, clinic_id) REFERENCES drafts (id, clinic_id) DEFERRABLE INITIALLY DEFERRED;

-- A wish for a draft, committed with the click; relay and worker carry it.
CREATE TABLE draft_requests (
    id                 uuid NOT NULL,
    clinic_id          uuid NOT NULL,
    message_id         uuid NOT NULL,
    brief_version      int  NOT NULL,
    instruction_sealed bytea NOT NULL,
    requested_by       uuid NOT NULL,
    doctor_id          uuid NOT NULL,
    state              text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'writing', 'checking', 'ready', 'failed')),
    attempt            int  NOT NULL DEFAULT 0 CHECK (attempt <= 3),   -- fencing token: begun at most three times
    lease_until        timestamptz,
    next_attempt_at    timestamptz NOT NULL,
    enqueued_at        timestamptz,
    dispatch           int  NOT NULL DEFAULT 0,
    words              int  NOT NULL DEFAULT 0,          -- so far, for the open page
    error_class        text NOT NULL DEFAULT '',
    model              text NOT NULL DEFAULT '',
    prompt_tokens      bigint NOT NULL DEFAULT 0,        -- over all attempts
    completion_tokens  bigint NOT NULL DEFAULT 0,
    cost_microusd      bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL,
    finished_at        timestamptz,
    PRIMARY KEY (id, clinic_id),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (requested_by, clinic_id) REFERENCES staff (id, clinic_id),
    FOREIGN KEY (doctor_id, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE UNIQUE INDEX draft_requests_one_live ON draft_requests (message_id, clinic_id) WHERE state IN ('requested', 'writing', 'checking');
CREATE INDEX draft_requests_due ON draft_requests (next_attempt_at) WHERE state IN ('requested', 'writing', 'checking');
CREATE INDEX draft_requests_by_message ON draft_requests (clinic_id, message_id, created_at DESC);
CREATE INDEX draft_requests_by_person ON draft_requests (clinic_id, requested_by, created_at);

-- A doctor's or author's answer to one finding.
CREATE TABLE acknowledgements (
    message_id  uuid NOT NULL,
    clinic_id   uuid NOT NULL,
    finding_key text NOT NULL,
    check_code  text NOT NULL,
    staff_id    uuid NOT NULL,
    at          timestamptz NOT NULL,
    PRIMARY KEY (message_id, finding_key, staff_id, clinic_id),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (staff_id, clinic_id) REFERENCES staff (id, clinic_id)
);

CREATE TABLE reviews (
    id           uuid NOT NULL,
    clinic_id    uuid NOT NULL,
    message_id   uuid NOT NULL,
    round        int  NOT NULL,
    state        text NOT NULL CHECK (state IN ('open', 'approved', 'returned', 'recalled')),
    draft_id     uuid NOT NULL,
    submitted_by uuid NOT NULL,
    submitted_at timestamptz NOT NULL,
    decided_by   uuid,
    decided_at   timestamptz,
    note_sealed  bytea NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (message_id, round, clinic_id),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (draft_id, clinic_id) REFERENCES drafts (id, clinic_id),
    FOREIGN KEY (submitted_by, clinic_id) REFERENCES staff (id, clinic_id),
    FOREIGN KEY (decided_by, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE UNIQUE INDEX reviews_one_open ON reviews (message_id, clinic_id) WHERE state = 'open';

-- The page behind the link: one per message, the same in every notice.
CREATE TABLE pages (
    id              uuid NOT NULL,
    clinic_id       uuid NOT NULL,
    message_id      uuid NOT NULL,
    patient_id      uuid NOT NULL,
    token_sealed    bytea NOT NULL,
    token_hash      bytea NOT NULL,
    expires_at      timestamptz NOT NULL,
    revoked_at      timestamptz,
    tries           int NOT NULL DEFAULT 0,              -- wrong proofs since the last right one
    locked_at       timestamptz,
    opened_at       timestamptz,                         -- first proved opening
    acknowledged_at timestamptz,
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (token_hash, clinic_id),
    UNIQUE (message_id, clinic_id),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id)
);

CREATE TABLE page_proofs (
    id         uuid NOT NULL,
    clinic_id  uuid NOT NULL,
    page_id    uuid NOT NULL,
    patient_id uuid NOT NULL,
    ok         boolean NOT NULL,
    at         timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    FOREIGN KEY (page_id, clinic_id) REFERENCES pages (id, clinic_id)
);
CREATE INDEX page_proofs_by_patient ON page_proofs (clinic_id, patient_id, at) WHERE NOT ok;

CREATE TABLE page_sessions (
    id         uuid NOT NULL,
    clinic_id  uuid NOT NULL,
    page_id    uuid NOT NULL,
    token_hash bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at   timestamptz,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (token_hash, clinic_id),
    FOREIGN KEY (page_id, clinic_id) REFERENCES pages (id, clinic_id)
);
