-- Break-glass, and care teams that an administrator edits.

-- An exact look-up by full name and date of birth: an HMAC, as for MRN and addresses. Null until it was made: the
-- database cannot make it, because it has no key.
ALTER TABLE patients ADD COLUMN person_index bytea;
CREATE INDEX patients_by_person ON patients (clinic_id, person_index);
CREATE INDEX patients_without_person ON patients (clinic_id, id) WHERE person_index IS NULL;
CREATE INDEX patients_newest ON patients (clinic_id, created_at DESC, id DESC);

-- One person may read one patient for a while, for a reason. The row is the entry of the review list.
CREATE TABLE glass (
    id            uuid NOT NULL,
    clinic_id     uuid NOT NULL,
    staff_id      uuid NOT NULL,
    patient_id    uuid NOT NULL,
    found_by      text NOT NULL CHECK (found_by IN ('mrn', 'person')),
    reason_sealed bytea NOT NULL,
    opened_at     timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL,
    ended_at      timestamptz,                           -- earlier, by the person's own word
    reviewed_by   uuid,
    reviewed_at   timestamptz,
    note_sealed   bytea,
    PRIMARY KEY (id, clinic_id),
    CHECK (expires_at > opened_at AND expires_at <= opened_at + interval '60 minutes'),
    CHECK ((reviewed_by IS NULL) = (reviewed_at IS NULL) AND (reviewed_by IS NULL) = (note_sealed IS NULL)),
    CHECK (reviewed_by <> staff_id),                     -- nobody reviews themselves
    FOREIGN KEY (staff_id, clinic_id) REFERENCES staff (id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id),
    FOREIGN KEY (reviewed_by, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE INDEX glass_of_staff ON glass (clinic_id, staff_id, expires_at);
CREATE INDEX glass_newest ON glass (clinic_id, opened_at DESC, id DESC);
CREATE INDEX glass_unreviewed ON glass (clinic_id, opened_at DESC, id DESC) WHERE reviewed_at IS NULL;

-- What was looked for and not found, so that record numbers cannot be guessed.
CREATE TABLE glass_tries (
    id        uuid NOT NULL,
    clinic_id uuid NOT NULL,
    staff_id  uuid NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    FOREIGN KEY (staff_id, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE INDEX glass_tries_of_staff ON glass_tries (clinic_id, staff_id, at);

-- Who, whom, when and for how long are never changed, and neither is an end or a review once it is written.
CREATE FUNCTION glass_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.clinic_id, NEW.staff_id, NEW.patient_id, NEW.found_by, NEW.opened_at, NEW.expires_at)
        IS DISTINCT FROM (OLD.id, OLD.clinic_id, OLD.staff_id, OLD.patient_id, OLD.found_by, OLD.opened_at, OLD.expires_at)
        OR OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at
        OR OLD.reviewed_at IS NOT NULL AND (NEW.reviewed_by, NEW.reviewed_at) IS DISTINCT FROM (OLD.reviewed_by, OLD.reviewed_at) THEN
        RAISE EXCEPTION 'glass is kept as it was' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER glass_kept BEFORE UPDATE ON glass FOR EACH ROW EXECUTE FUNCTION glass_kept();
CREATE TRIGGER glass_whole BEFORE DELETE ON glass FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER glass_truncated BEFORE TRUNCATE ON glass FOR EACH STATEMENT EXECUTE FUNCTION append_only();
