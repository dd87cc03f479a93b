-- The audit trail: who, from where, what, when; rec is the canonical bytes that the ledger will hash. No patient text.

CREATE TABLE audit_events (
    id           uuid NOT NULL,
    at           timestamptz NOT NULL,
    clinic_id    uuid NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('person', 'worker', 'provider', 'patient', 'operator', 'nobody')),
    actor_id     uuid,
    role         text NOT NULL,
    session_id   uuid,
    deed         text NOT NULL,
    subject_kind text NOT NULL,
    subject_id   uuid,
    patient_id   uuid,
    outcome      text NOT NULL CHECK (outcome IN ('done', 'refused')),
    reason       text NOT NULL DEFAULT '',               -- a code
    rev          int,                                    -- a delivery's rev after this deed
    detail       jsonb NOT NULL DEFAULT '{}',            -- ids, field names, hashes
    ip           text NOT NULL,
    agent        text NOT NULL,
    request_id   text NOT NULL,
    rec          bytea NOT NULL,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX audit_events_by_subject ON audit_events (clinic_id, subject_id, at DESC);
CREATE INDEX audit_events_by_patient ON audit_events (clinic_id, patient_id, at DESC) WHERE patient_id IS NOT NULL;
CREATE INDEX audit_events_by_actor ON audit_events (clinic_id, actor_id, at DESC);
CREATE INDEX audit_events_by_session ON audit_events (session_id, deed, subject_id, at DESC) WHERE session_id IS NOT NULL;
CREATE INDEX audit_events_by_rev ON audit_events (subject_id, rev) WHERE rev IS NOT NULL;
CREATE TABLE audit_events_default PARTITION OF audit_events DEFAULT;

CREATE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- Written beside each event, emptied by the sealer: the ledger's queue, immune to ids that commit out of order.
CREATE TABLE audit_pending (
    event_id  uuid PRIMARY KEY,
    clinic_id uuid NOT NULL,
    at        timestamptz NOT NULL
);

-- Makes the partitions of the months from `since` on, `months` of them. Safe to call again, as each migrate does; a month
-- whose events are in the default partition already stays there. Row triggers come down from the parent; TRUNCATE's do
-- not, so each partition gets its own.
CREATE FUNCTION audit_partitions(since date, months int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m date := date_trunc('month', since);
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_partitions'));  -- one migrate at a time
    FOR i IN 1..months LOOP
        part := 'audit_events_' || to_char(m, 'YYYY_MM');
        IF to_regclass(part) IS NULL AND NOT EXISTS (SELECT 1 FROM audit_events_default
            WHERE at >= m::timestamp AT TIME ZONE 'UTC' AND at < (m + interval '1 month') AT TIME ZONE 'UTC') THEN
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF audit_events FOR VALUES FROM (%L) TO (%L)',
                part, to_char(m, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(m + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
            EXECUTE format('CREATE OR REPLACE TRIGGER audit_events_kept BEFORE TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION append_only()', part);
        END IF;
        m := m + interval '1 month';
    END LOOP;
END $$;

CREATE FUNCTION audit_events_pend() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_pending (event_id, clinic_id, at) VALUES (NEW.id, NEW.clinic_id, NEW.at);
    RETURN NULL;
END $$;
CREATE TRIGGER audit_events_pend AFTER INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION audit_events_pend();

CREATE TRIGGER audit_events_fixed BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_events_kept BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER audit_events_kept BEFORE TRUNCATE ON audit_events_default FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER consents_fixed BEFORE UPDATE OR DELETE ON consents FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER consents_kept BEFORE TRUNCATE ON consents FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A provider's event is kept as it came. Only its match is written later, once.
CREATE FUNCTION delivery_events_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.clinic_id IS NOT NULL OR (NEW.id, NEW.provider, NEW.event_key, NEW.provider_id, NEW.state, NEW.code, NEW.happened_at, NEW.received_at)
        IS DISTINCT FROM (OLD.id, OLD.provider, OLD.event_key, OLD.provider_id, OLD.state, OLD.code, OLD.happened_at, OLD.received_at) THEN
        RAISE EXCEPTION 'delivery_events is append-only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER delivery_events_fixed BEFORE UPDATE ON delivery_events FOR EACH ROW EXECUTE FUNCTION delivery_events_match();
CREATE TRIGGER delivery_events_whole BEFORE DELETE ON delivery_events FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER delivery_events_kept BEFORE TRUNCATE ON delivery_events FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A delivery that changed its state without an audit event of that rev does not commit.
CREATE FUNCTION deliveries_audited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM audit_events WHERE subject_id = NEW.id AND rev = NEW.rev AND clinic_id = NEW.clinic_id
                   AND outcome = 'done' AND at > NEW.created_at - interval '1 day') THEN  -- a day for clocks that differ: keeps to few partitions
        RAISE EXCEPTION 'delivery %: rev % (%) has no audit event', NEW.id, NEW.rev, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER deliveries_born_audited AFTER INSERT ON deliveries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION deliveries_audited();
CREATE CONSTRAINT TRIGGER deliveries_audited AFTER UPDATE ON deliveries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION deliveries_audited();

SELECT audit_partitions((now() - interval '1 month')::date, 3);
