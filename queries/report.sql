-- name: ReportAgain :execrows
UPDATE csp_reports SET times = times + 1, last_at = @at::timestamptz
WHERE clinic_id = @clinic_id AND day = (@day::text)::date AND directive = @directive AND route = @route AND blocked = @blocked;

-- name: ReportKeep :exec
INSERT INTO csp_reports (clinic_id, day, directive, route, blocked, first_at, last_at)
SELECT @clinic_id::uuid, (@day::text)::date, @directive::text, @route::text, @blocked::text, @at::timestamptz, @at::timestamptz
WHERE (SELECT count(*) FROM csp_reports c WHERE c.clinic_id = @clinic_id AND c.day = (@day::text)::date) < @most_a_day::int
ON CONFLICT (clinic_id, day, directive, route, blocked) DO UPDATE SET times = csp_reports.times + 1, last_at = excluded.last_at;

-- name: ReportsForget :exec
DELETE FROM csp_reports WHERE clinic_id = @clinic_id AND last_at < @before;

-- name: ReportList :many
SELECT directive, route, blocked, sum(times)::bigint AS times, min(first_at)::timestamptz AS first_at, max(last_at)::timestamptz AS last_at
FROM csp_reports WHERE clinic_id = @clinic_id GROUP BY directive, route, blocked ORDER BY max(last_at) DESC LIMIT @row_limit;
