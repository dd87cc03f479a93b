-- Everything that leaves the house is a row here, and the row is the outbox. The database itself refuses an illegal
-- edge and a change of state that leaves no audit event.

CREATE TABLE deliveries (
    id               uuid NOT NULL,                      -- UUIDv7, opaque: the only thing a provider learns
    clinic_id        uuid NOT NULL,
    patient_id       uuid NOT NULL,
    message_id       uuid,
    message_version  int,
    kind             text NOT NULL CHECK (kind IN ('notice', 'reminder', 'code', 'contact_check', 'consent_answer', 'alert')),
    round            int  NOT NULL DEFAULT 1 CHECK (round >= 1),
    channel          text NOT NULL CHECK (channel IN ('email', 'sms')),
    contact_id       uuid,
    priority         int  NOT NULL CHECK (priority BETWEEN 0 AND 3),
    recipient_sealed bytea NOT NULL,
    recipient_index  bytea NOT NULL,
    body_sealed      bytea NOT NULL,                     -- the exact notice
    mac              bytea NOT NULL,                     -- over kind, channel, recipient and body
    state            text NOT NULL DEFAULT 'queued' CHECK (state IN
        ('queued', 'sending', 'unknown', 'needs_person', 'accepted', 'in_transit', 'sent', 'delivered', 'opened',
         'acknowledged', 'undelivered', 'failed', 'refused', 'cancelled', 'expired')),
    attempt          int  NOT NULL DEFAULT 0,            -- fencing token, +1 per claim
    rev              int  NOT NULL DEFAULT 1,            -- +1 per change of state; an audit event names each
    lease_until      timestamptz,
    next_attempt_at  timestamptz NOT NULL,
    not_after        timestamptz NOT NULL,
    enqueued_at      timestamptz,
    dispatch         int  NOT NULL DEFAULT 0,            -- +1 per enqueue
    provider         text NOT NULL DEFAULT '',
    provider_id      text NOT NULL DEFAULT '',
    error_class      text NOT NULL DEFAULT '',           -- a code, never text about a patient; never erased by later good news
    marked_sent_by   uuid,                               -- a person's word, counted apart
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    PRIMARY KEY (id, clinic_id),
    UNIQUE (message_id, kind, round, clinic_id),
    CHECK (state <> 'sending' OR lease_until IS NOT NULL),
    FOREIGN KEY (message_id, clinic_id) REFERENCES messages (id, clinic_id),
    FOREIGN KEY (patient_id, clinic_id) REFERENCES patients (id, clinic_id),
    FOREIGN KEY (contact_id, clinic_id) REFERENCES contacts (id, clinic_id)
);
CREATE INDEX deliveries_due ON deliveries (priority DESC, next_attempt_at) WHERE state = 'queued';
CREATE INDEX deliveries_leased ON deliveries (lease_until) WHERE state = 'sending';
CREATE INDEX deliveries_by_message ON deliveries (clinic_id, message_id, created_at);
CREATE INDEX deliveries_by_state ON deliveries (clinic_id, state, updated_at DESC, id DESC);
CREATE INDEX deliveries_troubled ON deliveries (clinic_id, updated_at DESC)
    WHERE kind = 'notice' AND state IN ('unknown', 'needs_person', 'failed', 'refused', 'undelivered', 'expired');
CREATE INDEX deliveries_by_provider_id ON deliveries (provider, provider_id) WHERE provider_id <> '';

-- A row per claim, written before the call.
CREATE TABLE delivery_attempts (
    delivery_id uuid NOT NULL,
    clinic_id   uuid NOT NULL,
    attempt     int  NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    outcome     text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'accepted', 'not_sent', 'failed', 'unknown', 'abandoned')),
    error_class text NOT NULL DEFAULT '',
    PRIMARY KEY (delivery_id, attempt, clinic_id),
    FOREIGN KEY (delivery_id, clinic_id) REFERENCES deliveries (id, clinic_id)
);

-- Every provider event once, append-only. One that matches nothing yet has no delivery and no clinic, and is matched later.
CREATE TABLE delivery_events (
    id           uuid PRIMARY KEY,
    clinic_id    uuid,
    delivery_id  uuid,
    provider     text NOT NULL,
    event_key    text NOT NULL,
    provider_id  text NOT NULL DEFAULT '',
    state        text NOT NULL,                          -- our word for it
    code         text NOT NULL DEFAULT '',
    happened_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    UNIQUE (provider, event_key)                         -- the provider's key: the one key that no clinic owns
);
CREATE INDEX delivery_events_by_delivery ON delivery_events (delivery_id, happened_at);
CREATE INDEX delivery_events_unmatched ON delivery_events (provider, provider_id) WHERE clinic_id IS NULL;

CREATE TABLE delivery_edges (
    from_state text NOT NULL,
    to_state   text NOT NULL,
    PRIMARY KEY (from_state, to_state)
);
INSERT INTO delivery_edges (from_state, to_state) VALUES
    ('queued', 'sending'), ('queued', 'cancelled'), ('queued', 'expired'), ('queued', 'refused'),
    ('sending', 'queued'), ('sending', 'failed'), ('sending', 'unknown'),
    ('unknown', 'queued'), ('unknown', 'needs_person'), ('unknown', 'failed'),
    ('needs_person', 'queued'), ('needs_person', 'failed');
-- Evidence moves these to its rank in one step: what happened is true whoever reports it.
INSERT INTO delivery_edges (from_state, to_state)
SELECT f, t FROM unnest(ARRAY['sending', 'unknown', 'needs_person', 'failed']) f,
                 unnest(ARRAY['accepted', 'in_transit', 'sent', 'delivered', 'opened', 'acknowledged', 'undelivered']) t;
INSERT INTO delivery_edges (from_state, to_state)
SELECT f.s, t.s FROM unnest(ARRAY['accepted', 'in_transit', 'sent', 'delivered', 'opened', 'acknowledged']) WITH ORDINALITY f(s, r),
                     unnest(ARRAY['accepted', 'in_transit', 'sent', 'delivered', 'opened', 'acknowledged']) WITH ORDINALITY t(s, r)
WHERE f.r < t.r;
INSERT INTO delivery_edges (from_state, to_state) VALUES
    ('accepted', 'undelivered'), ('in_transit', 'undelivered'), ('sent', 'undelivered'), ('delivered', 'undelivered'),
    ('undelivered', 'opened'), ('undelivered', 'acknowledged');

CREATE FUNCTION deliveries_edge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.attempt <> OLD.attempt + (OLD.state = 'queued' AND NEW.state = 'sending')::int THEN
        RAISE EXCEPTION 'delivery %: the attempt counts claims and nothing else', OLD.id;
    END IF;
    IF NEW.state = OLD.state THEN
        IF NEW.rev <> OLD.rev THEN RAISE EXCEPTION 'delivery %: rev moved without a change of state', OLD.id; END IF;
        RETURN NEW;
    END IF;
    IF NEW.rev <> OLD.rev + 1 THEN RAISE EXCEPTION 'delivery %: a change of state takes rev % to %', OLD.id, OLD.rev, OLD.rev + 1; END IF;
    IF NOT EXISTS (SELECT 1 FROM delivery_edges WHERE from_state = OLD.state AND to_state = NEW.state) THEN
        RAISE EXCEPTION 'delivery %: % -> % is not an edge', OLD.id, OLD.state, NEW.state USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deliveries_edge BEFORE UPDATE ON deliveries FOR EACH ROW EXECUTE FUNCTION deliveries_edge();

CREATE FUNCTION deliveries_born() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'queued' OR NEW.rev <> 1 OR NEW.attempt <> 0 THEN
        RAISE EXCEPTION 'delivery %: begins queued, at rev 1, never tried', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deliveries_born BEFORE INSERT ON deliveries FOR EACH ROW EXECUTE FUNCTION deliveries_born();
