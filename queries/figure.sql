-- name: FiguresKeep :exec
-- One statement for all figures of one minute; a second one in the same minute is added.
WITH given AS (
    SELECT g.figure, g.seen, g.good, g.total, g.buckets::bigint[] AS buckets
    FROM (SELECT unnest(@figures::text[]) AS figure, unnest(@seens::bigint[]) AS seen, unnest(@goods::bigint[]) AS good,
                 unnest(@totals::float8[]) AS total, unnest(@buckets::text[]) AS buckets) g
), minutes AS (
    INSERT INTO figure_minutes AS m (minute, figure, process, seen, good, total, buckets)
    SELECT @minute::timestamptz, figure, @process::uuid, seen, good, total, buckets FROM given
    ON CONFLICT (minute, figure, process) DO UPDATE SET seen = m.seen + excluded.seen, good = m.good + excluded.good, total = m.total + excluded.total,
        buckets = buckets_sum(m.buckets, excluded.buckets)
)
INSERT INTO figure_quarters AS q (quarter, figure, seen, good, total, buckets)
SELECT @quarter::timestamptz, figure, seen, good, total, buckets FROM given ORDER BY figure
ON CONFLICT (quarter, figure) DO UPDATE SET seen = q.seen + excluded.seen, good = q.good + excluded.good, total = q.total + excluded.total,
    buckets = buckets_sum(q.buckets, excluded.buckets);

-- name: FigureMinutes :many
SELECT minute, figure, seen, good, total, buckets FROM figure_minutes WHERE minute >= @since AND minute < @until;

-- name: FigureQuarters :many
SELECT quarter, figure, seen, good, total, buckets FROM figure_quarters WHERE quarter >= @since ORDER BY quarter;

-- name: FigureSums :many
SELECT figure, sum(seen)::bigint AS seen, sum(good)::bigint AS good FROM figure_quarters WHERE quarter >= @since GROUP BY figure;

-- name: FigureLast :one
SELECT minute, seen, total FROM figure_minutes WHERE figure = @figure AND minute >= @since ORDER BY minute DESC LIMIT 1;

-- name: FigureMinutesForget :exec
DELETE FROM figure_minutes WHERE minute < @before;

-- name: FigureQuartersForget :exec
DELETE FROM figure_quarters WHERE quarter < @before;

-- name: VitalsForget :exec
DELETE FROM vital_hours WHERE hour < @before;

-- name: UpFirst :exec
INSERT INTO up_since (since, until) VALUES (@since, @until) ON CONFLICT DO NOTHING;

-- name: UpBeat :exec
INSERT INTO up_minutes AS u (minute, beat) VALUES (@minute, true) ON CONFLICT (minute) DO UPDATE SET beat = true WHERE NOT u.beat;

-- name: UpAsk :execrows
-- Of any number of workers one asks, and another a while later if there was no ready answer.
INSERT INTO up_minutes AS u (minute, asked_at) VALUES (@minute, @at::timestamptz)
ON CONFLICT (minute) DO UPDATE SET asked_at = excluded.asked_at WHERE NOT u.ready AND (u.asked_at IS NULL OR u.asked_at <= @again_before::timestamptz);

-- name: UpReady :exec
UPDATE up_minutes SET ready = true WHERE minute = @minute;

-- name: UpShow :many
SELECT minute, beat, ready FROM up_minutes WHERE minute >= @since ORDER BY minute;

-- name: UpCount :one
SELECT count(*)::bigint AS up FROM up_minutes WHERE minute >= @since AND minute < @before AND beat AND ready;

-- name: UpSince :one
SELECT s.since, s.until, s.up, (SELECT count(*) FROM up_minutes u WHERE u.minute >= s.until AND u.minute < @before::timestamptz AND u.beat AND u.ready)::bigint AS kept
FROM up_since s;

-- name: UpForget :exec
WITH gone AS (DELETE FROM up_minutes WHERE minute < @before::timestamptz RETURNING minute, beat AND ready AS up)
UPDATE up_since s SET until = greatest(s.until, @before::timestamptz), up = s.up + (SELECT count(*) FROM gone WHERE gone.up AND gone.minute >= s.until);

-- name: QueueOldest :one
-- Since when the longest-waiting row of the queue has been due; each part is read from its own small index.
SELECT coalesce(least((SELECT min(d.next_attempt_at) FROM deliveries d WHERE d.state = 'queued' AND d.next_attempt_at <= @at::timestamptz),
                      (SELECT min(r.next_attempt_at) FROM draft_requests r WHERE r.state = 'requested' AND r.next_attempt_at <= @at::timestamptz)), @at::timestamptz)::timestamptz AS due;

-- name: VitalsKeep :exec
INSERT INTO vital_hours AS v (hour, route, vital, seen, buckets)
SELECT @hour::timestamptz, g.route, g.vital, g.seen, g.buckets::bigint[]
FROM (SELECT unnest(@routes::text[]) AS route, unnest(@vitals::text[]) AS vital, unnest(@seens::bigint[]) AS seen, unnest(@buckets::text[]) AS buckets) g
ORDER BY g.route, g.vital
ON CONFLICT (hour, route, vital) DO UPDATE SET seen = v.seen + excluded.seen,
    buckets = buckets_sum(v.buckets, excluded.buckets);

-- name: VitalHours :many
SELECT route, vital, seen, buckets FROM vital_hours WHERE hour >= @since ORDER BY route, vital;
