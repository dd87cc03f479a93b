-- name: UsageByDay :many
-- Each day on the clinic's clock on which something was asked of the model.
SELECT to_char(r.created_at AT TIME ZONE @zone::text, 'YYYY-MM-DD')::text AS day, count(*)::int AS drafts, sum(r.cost_microusd)::bigint AS cost
FROM draft_requests r WHERE r.clinic_id = @clinic_id AND r.created_at >= @since AND r.created_at < @until
GROUP BY 1 ORDER BY 1;

-- name: UsageByPerson :many
-- Everybody who may ask, and whoever did.
SELECT s.id, s.name, coalesce(s.role, '')::text AS role, (s.disabled_at IS NOT NULL)::bool AS disabled,
       coalesce(u.today, 0)::int AS today, coalesce(u.cost_today, 0)::bigint AS cost_today, coalesce(u.drafts, 0)::int AS drafts, coalesce(u.cost, 0)::bigint AS cost
FROM staff s LEFT JOIN (
    SELECT r.requested_by, count(*) FILTER (WHERE r.created_at >= @day_start)::int AS today, sum(r.cost_microusd) FILTER (WHERE r.created_at >= @day_start)::bigint AS cost_today,
           count(*)::int AS drafts, sum(r.cost_microusd)::bigint AS cost
    FROM draft_requests r WHERE r.clinic_id = @clinic_id AND r.created_at >= @since AND r.created_at < @until GROUP BY r.requested_by) u ON u.requested_by = s.id
WHERE s.clinic_id = @clinic_id AND (u.requested_by IS NOT NULL OR s.role IN ('staff', 'reviewer', 'doctor') AND s.disabled_at IS NULL)
ORDER BY 8 DESC, s.name, s.id LIMIT @row_limit;

-- name: UsageByModel :many
SELECT r.model, count(*)::int AS drafts, count(*) FILTER (WHERE r.state = 'failed')::int AS failed, sum(r.prompt_tokens)::bigint AS prompt_tokens,
       sum(r.completion_tokens)::bigint AS completion_tokens, sum(r.cost_microusd)::bigint AS cost
FROM draft_requests r WHERE r.clinic_id = @clinic_id AND r.created_at >= @since AND r.created_at < @until
GROUP BY r.model ORDER BY 6 DESC, r.model;

-- name: PromptsUsed :many
-- What became of the messages whose last draft by the model was written under each version of the prompt.
WITH written AS (
    SELECT DISTINCT ON (d.message_id) d.message_id, d.clinic_id, d.id, d.prompt_version, d.created_at FROM drafts d
    WHERE d.clinic_id = @clinic_id AND d.source = 'model' AND d.created_at >= @since ORDER BY d.message_id, d.version DESC),
judged AS (
    SELECT w.prompt_version, w.created_at,
        EXISTS (SELECT 1 FROM reviews r WHERE r.message_id = w.message_id AND r.clinic_id = w.clinic_id AND r.state = 'approved' AND r.submitted_at >= w.created_at) AS signed,
        EXISTS (SELECT 1 FROM reviews r WHERE r.message_id = w.message_id AND r.clinic_id = w.clinic_id AND r.state = 'approved' AND r.draft_id = w.id) AS untouched,
        EXISTS (SELECT 1 FROM reviews r WHERE r.message_id = w.message_id AND r.clinic_id = w.clinic_id AND r.state = 'returned' AND r.submitted_at >= w.created_at) AS returned,
        (SELECT coalesce(sum(q.cost_microusd), 0) FROM draft_requests q WHERE q.message_id = w.message_id AND q.clinic_id = w.clinic_id) AS cost
    FROM written w)
SELECT j.prompt_version, count(*)::int AS messages, count(*) FILTER (WHERE j.signed)::int AS signed, count(*) FILTER (WHERE j.untouched)::int AS untouched,
       count(*) FILTER (WHERE j.returned)::int AS returned, avg(j.cost)::bigint AS cost, min(j.created_at)::timestamptz AS first_at, max(j.created_at)::timestamptz AS last_at
FROM judged j GROUP BY j.prompt_version ORDER BY 8 DESC;
