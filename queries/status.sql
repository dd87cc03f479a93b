-- name: DraftState :one
SELECT (count(*) FILTER (WHERE r.state = 'requested'))::int AS waiting, (count(*) FILTER (WHERE r.state <> 'requested'))::int AS writing,
       coalesce(min(r.next_attempt_at) FILTER (WHERE r.state = 'requested' AND r.next_attempt_at <= @at::timestamptz), @at::timestamptz)::timestamptz AS oldest
FROM draft_requests r WHERE r.clinic_id = @clinic_id AND r.state IN ('requested', 'writing', 'checking');

-- name: EventsHeard :many
-- The ids are in the order in which reports came, so this is a look at the end of one index.
SELECT e.provider, count(*)::int AS reports, max(e.received_at)::timestamptz AS last_at
FROM (SELECT x.provider, x.received_at FROM delivery_events x WHERE x.id >= @since ORDER BY x.id DESC LIMIT @row_limit) e
GROUP BY e.provider ORDER BY e.provider;
