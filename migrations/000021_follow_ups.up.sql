-- Who has not read their message: reminders to the patient, and then a call task for staff. One row for each page; what ends a
-- page ends it, whoever does that, so it goes with the page by the database itself.

CREATE TABLE follow_ups (
    message_id    uuid NOT NULL,
    clinic_id     uuid NOT NULL,
    patient_id    uuid NOT NULL,
    priority      int  NOT NULL,
    due_at        timestamptz,                            -- when the job looks next; null: never again
    handed_at     timestamptz,                            -- when a provider took the notice, as far as the job has seen
    unread_at     timestamptz,                            -- from when on it counts as unread
    reminders     int  NOT NULL DEFAULT 0,                -- that were made for this signature
    reminded_at   timestamptz,                            -- when the last of them was
    call_at       timestamptz,                            -- since when, or from when on, somebody is to call; null: nobody is
    call_reason   text NOT NULL DEFAULT '',               -- a code
    calls         int  NOT NULL DEFAULT 0,
    called_at     timestamptz,                            -- the last call
    called_by     uuid,
    call_outcome  text NOT NULL DEFAULT '' CHECK (call_outcome IN ('', 'reached', 'no_answer', 'wrong_number')),
    ended_at      timestamptz,
    ended_reason  text NOT NULL DEFAULT '' CHECK (ended_reason IN ('', 'opened', 'stopped', 'reached')),
    PRIMARY KEY (message_id, clinic_id),
    CHECK ((ended_at IS NULL) = (ended_reason = '')),
    CHECK (ended_at IS NULL OR due_at IS NULL AND call_at IS NULL),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id),
    FOREIGN KEY (called_by, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE INDEX follow_ups_due ON follow_ups (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX follow_ups_unread ON follow_ups (clinic_id, (-priority), unread_at, message_id) WHERE ended_at IS NULL AND unread_at IS NOT NULL;
CREATE INDEX follow_ups_calls ON follow_ups (clinic_id, (-priority), call_at, message_id) WHERE call_at IS NOT NULL;

-- A page that is made, or lasts anew because its message is signed again or goes another time, is followed from the start. One
-- that was opened, or says that there is nothing to read, is not followed any more. Messages of before this table are not
-- followed: nobody is reminded of them all at once.
CREATE FUNCTION pages_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.opened_at IS NOT NULL OR NEW.revoked_at IS NOT NULL THEN
        UPDATE follow_ups SET ended_at = coalesce(NEW.opened_at, NEW.revoked_at), ended_reason = CASE WHEN NEW.opened_at IS NULL THEN 'stopped' ELSE 'opened' END,
               due_at = NULL, call_at = NULL
         WHERE message_id = NEW.message_id AND clinic_id = NEW.clinic_id AND ended_at IS NULL;
    ELSE
        INSERT INTO follow_ups (message_id, clinic_id, patient_id, priority, due_at)
        SELECT m.id, m.clinic_id, m.patient_id, m.priority, 'epoch' FROM messages m WHERE m.id = NEW.message_id AND m.clinic_id = NEW.clinic_id
        ON CONFLICT (message_id, clinic_id) DO UPDATE SET priority = excluded.priority, due_at = excluded.due_at, handed_at = NULL, unread_at = NULL,
            reminders = 0, reminded_at = NULL, call_at = NULL, call_reason = '', calls = 0, called_at = NULL, called_by = NULL, call_outcome = '',
            ended_at = NULL, ended_reason = '';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER pages_follow_made AFTER INSERT ON pages FOR EACH ROW EXECUTE FUNCTION pages_follow();
CREATE TRIGGER pages_follow_changed AFTER UPDATE ON pages FOR EACH ROW
    WHEN (OLD.opened_at IS NULL AND NEW.opened_at IS NOT NULL OR OLD.revoked_at IS DISTINCT FROM NEW.revoked_at OR OLD.expires_at <> NEW.expires_at)
    EXECUTE FUNCTION pages_follow();
