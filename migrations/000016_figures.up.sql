-- The six figures, as every process measured them. They are of the installation and not of a clinic, and hold numbers only.

-- What one process counted in one minute. buckets: how many fell under each bound of package slo, the last over all of them.
CREATE TABLE figure_minutes (
    minute  timestamptz NOT NULL,
    figure  text NOT NULL,
    process uuid NOT NULL,
    seen    bigint NOT NULL CHECK (seen > 0),
    good    bigint NOT NULL CHECK (good BETWEEN 0 AND seen),
    total   double precision NOT NULL,                     -- seconds, or percent
    buckets bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (minute, figure, process)
);

-- Two counts of the same bounds as one. A version with more bounds adds to the longer of both.
CREATE FUNCTION buckets_sum(a bigint[], b bigint[]) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS
    'SELECT coalesce(array_agg(coalesce(u.a, 0) + coalesce(u.b, 0) ORDER BY u.i), ''{}'') FROM unnest(a, b) WITH ORDINALITY AS u(a, b, i)';

-- The same by quarters of an hour, of all processes together: a day's picture and a month's budget from few rows.
CREATE TABLE figure_quarters (
    quarter timestamptz NOT NULL,
    figure  text NOT NULL,
    seen    bigint NOT NULL,
    good    bigint NOT NULL,
    total   double precision NOT NULL,
    buckets bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (quarter, figure)
);

-- A minute is up when a web process wrote its heartbeat in it and the leader's probe was answered ready.
CREATE TABLE up_minutes (
    minute   timestamptz PRIMARY KEY,
    beat     boolean NOT NULL DEFAULT false,
    ready    boolean NOT NULL DEFAULT false,
    asked_at timestamptz                                   -- by the worker that leads this minute
);

-- One row: since when there is anything to be up, and how many of the minutes that are forgotten were.
CREATE TABLE up_since (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    since   timestamptz NOT NULL,                          -- the minute after the first heartbeat
    until   timestamptz NOT NULL,                          -- minutes before it are counted in up
    up      bigint NOT NULL DEFAULT 0
);

-- Web vitals, by the page's route pattern, of all browsers in an hour.
CREATE TABLE vital_hours (
    hour    timestamptz NOT NULL,
    route   text NOT NULL,
    vital   text NOT NULL CHECK (vital IN ('LCP', 'CLS', 'INP', 'TTFB')),
    seen    bigint NOT NULL,
    buckets bigint[] NOT NULL,
    PRIMARY KEY (hour, route, vital)
);
