-- Which networks and countries are kept out, and what browsers report about our pages.

-- An entry is in force until it is taken off or its time is over. Its past stays: who, when, why.
CREATE TABLE networks (
    id         uuid NOT NULL,
    clinic_id  uuid NOT NULL REFERENCES clinics,
    kind       text NOT NULL CHECK (kind IN ('block', 'country', 'allow')),   -- allow: let in whatever the others say
    network    cidr,
    country    text CHECK (country ~ '^[A-Z][A-Z0-9]$'),
    reason     text NOT NULL,
    expires_at timestamptz,
    added_by   uuid NOT NULL,
    added_at   timestamptz NOT NULL,
    removed_by uuid,
    removed_at timestamptz,
    PRIMARY KEY (id, clinic_id),
    CHECK ((kind = 'country') = (country IS NOT NULL) AND (kind = 'country') = (network IS NULL)),
    FOREIGN KEY (added_by, clinic_id) REFERENCES staff (id, clinic_id)
);
CREATE UNIQUE INDEX networks_once ON networks (clinic_id, kind, coalesce(host(network) || '/' || masklen(network), country)) WHERE removed_at IS NULL;
CREATE INDEX networks_live ON networks (clinic_id, id DESC) WHERE removed_at IS NULL;

-- Browsers' reports, counted by kind and day: no address, no path, no sample. Anybody may post one, so the rows are bounded.
CREATE TABLE csp_reports (
    clinic_id uuid NOT NULL REFERENCES clinics,
    day       date NOT NULL,
    directive text NOT NULL,
    route     text NOT NULL,                              -- the pattern, such as /m/:token
    blocked   text NOT NULL,                              -- what kind of thing was kept out, never which
    times     bigint NOT NULL DEFAULT 1 CHECK (times > 0),
    first_at  timestamptz NOT NULL,
    last_at   timestamptz NOT NULL,
    PRIMARY KEY (clinic_id, day, directive, route, blocked)
);
CREATE INDEX csp_reports_latest ON csp_reports (clinic_id, last_at DESC);
