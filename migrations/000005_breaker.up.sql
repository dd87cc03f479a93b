-- One breaker per channel. A provider's account belongs to the installation and not to a clinic, so this is the one table
-- beside the edges that has no clinic_id. Every worker and the admin see the same row.

CREATE TABLE breakers (
    channel    text PRIMARY KEY CHECK (channel IN ('email', 'sms')),
    state      text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half_open')),
    failures   int  NOT NULL DEFAULT 0 CHECK (failures >= 0),   -- in a row, while closed
    openings   int  NOT NULL DEFAULT 0 CHECK (openings >= 0),   -- in a row, without a success between; the pause doubles with it
    code       text NOT NULL DEFAULT '',                        -- why it opened last
    retry_at   timestamptz,                                     -- when one delivery may try the channel; null while open: when a person says so
    probe      uuid,                                            -- the delivery that tries it
    changed_by uuid,                                            -- the person who last paused or resumed it; null for a machine
    changed_at timestamptz NOT NULL,                            -- since when it is in this state
    rev        int  NOT NULL DEFAULT 1,
    CHECK ((state = 'half_open') = (probe IS NOT NULL)),
    CHECK (state <> 'closed' OR retry_at IS NULL)
);
INSERT INTO breakers (channel, changed_at) VALUES ('email', now()), ('sms', now());

-- Each event costs an entry in every index of the trail. The look for a delivery's rev is served by the one on subjects, a
-- delivery having a few events; and no event of a machine is ever looked for by its person.
DROP INDEX audit_events_by_rev;
DROP INDEX audit_events_by_actor;
CREATE INDEX audit_events_by_actor ON audit_events (clinic_id, actor_id, at DESC) WHERE actor_id IS NOT NULL;
