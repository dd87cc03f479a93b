-- How long a clinic keeps messages that are over; null: for ever. What went stands on the trail, message by message, and the
-- database lets nothing go that is not on it.

ALTER TABLE clinics ADD COLUMN retention_years int;
ALTER TABLE clinics ADD CONSTRAINT clinics_retention CHECK (retention_years BETWEEN 1 AND 100) NOT VALID;

-- A message's life, and when it ended: null while anything of it is under way or waits for somebody. Signed, its notice has to
-- be out, and not in trouble; withdrawn, nothing has to be. What ends last of message, notices and page is the end.
CREATE VIEW message_ends AS
SELECT m.id, m.clinic_id, m.patient_id, m.updated_at,
       CASE WHEN EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND d.clinic_id = m.clinic_id AND d.state IN ('queued', 'sending', 'unknown', 'needs_person'))
              OR m.status = 'approved' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND d.clinic_id = m.clinic_id AND d.kind = 'notice' AND NOT d.superseded
                    AND d.state IN ('accepted', 'in_transit', 'sent', 'delivered', 'opened', 'acknowledged'))
              OR EXISTS (SELECT 1 FROM reviews r WHERE r.message_id = m.id AND r.clinic_id = m.clinic_id AND r.state = 'open')
              OR EXISTS (SELECT 1 FROM follow_ups f WHERE f.message_id = m.id AND f.clinic_id = m.clinic_id AND f.call_at IS NOT NULL)
              OR EXISTS (SELECT 1 FROM draft_requests q WHERE q.message_id = m.id AND q.clinic_id = m.clinic_id AND q.state IN ('requested', 'writing', 'checking'))
            THEN NULL
            ELSE greatest(m.updated_at,
                (SELECT max(d.updated_at) FROM deliveries d WHERE d.message_id = m.id AND d.clinic_id = m.clinic_id),
                (SELECT greatest(p.expires_at, p.opened_at, p.acknowledged_at) FROM pages p WHERE p.message_id = m.id AND p.clinic_id = m.clinic_id))
       END::timestamptz AS ended_at
FROM messages m WHERE m.status IN ('approved', 'withdrawn');

-- A message goes with its event on the trail, or not at all.
CREATE FUNCTION messages_retired() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_events WHERE clinic_id = OLD.clinic_id AND subject_id = OLD.id AND deed = 'message.retire' AND outcome = 'done') THEN
        RAISE EXCEPTION 'message %: is not deleted without an audit event', OLD.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER messages_retired AFTER DELETE ON messages DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION messages_retired();

-- What is under way, or not known, is never deleted.
CREATE FUNCTION deliveries_under_way() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'delivery %: is not deleted while it is %', OLD.id, OLD.state USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER deliveries_under_way BEFORE DELETE ON deliveries FOR EACH ROW
    WHEN (OLD.state IN ('queued', 'sending', 'unknown', 'needs_person')) EXECUTE FUNCTION deliveries_under_way();

-- A provider's report goes after the delivery that it was about, and no other one goes at all.
CREATE FUNCTION delivery_events_last() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.clinic_id IS NULL OR EXISTS (SELECT 1 FROM deliveries WHERE id = OLD.delivery_id AND clinic_id = OLD.clinic_id) THEN
        RAISE EXCEPTION 'delivery_events is append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;
CREATE OR REPLACE TRIGGER delivery_events_whole BEFORE DELETE ON delivery_events FOR EACH ROW EXECUTE FUNCTION delivery_events_last();
