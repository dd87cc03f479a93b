-- The figures above the worklist of each role.

-- name: HomeOfWriter :one
-- What waits in the person's care teams, theirs and for a signature.
WITH waits AS (
    SELECT m.status, m.due_at, m.created_at, (m.author_id = @staff_id OR m.doctor_id = @staff_id) AS mine FROM care_team ct
    JOIN messages m ON m.patient_id = ct.patient_id AND m.clinic_id = ct.clinic_id
    WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id AND m.status IN ('drafting', 'draft_ready', 'in_review', 'returned'))
SELECT (count(*) FILTER (WHERE mine AND status IN ('drafting', 'draft_ready')))::int AS unfinished,
       (count(*) FILTER (WHERE mine AND status = 'returned'))::int AS returned,
       (count(*) FILTER (WHERE status = 'in_review'))::int AS in_review,
       (count(*) FILTER (WHERE status = 'in_review' AND due_at < @at))::int AS late,
       coalesce(min(created_at) FILTER (WHERE status = 'in_review'), @at)::timestamptz AS oldest
FROM waits;

-- name: HomeSigned :many
-- The person's own signatures of the last days, with when each was handed in.
SELECT m.signed_at::timestamptz AS signed_at, r.submitted_at FROM messages m
JOIN reviews r ON r.message_id = m.id AND r.clinic_id = m.clinic_id AND r.state = 'approved'
WHERE m.clinic_id = @clinic_id AND m.signer_id = @staff_id AND m.signed_at >= @since::timestamptz ORDER BY m.signed_at DESC LIMIT @row_limit;

-- name: HomeRefused :many
-- What was refused lately, at most so many.
SELECT e.at FROM audit_events e WHERE e.clinic_id = @clinic_id AND e.outcome = 'refused' AND e.at >= @since ORDER BY e.at DESC LIMIT @row_limit;

-- name: HomeOfAuditor :one
-- How much is on the trail since, counted up to a limit; the last verification that ended; and the access reviews that wait.
SELECT (SELECT count(*) FROM (SELECT 1 FROM audit_events e WHERE e.clinic_id = @clinic_id AND e.at >= @since LIMIT @row_limit) q)::int AS events,
       coalesce(v.outcome, '')::text AS outcome, v.finished_at, a.waiting, a.oldest
FROM (SELECT count(*)::int AS waiting, coalesce(min(r.made_at), 'epoch'::timestamptz)::timestamptz AS oldest FROM access_reviews r WHERE r.clinic_id = @clinic_id AND r.signed_at IS NULL) a
LEFT JOIN LATERAL (SELECT c.outcome, c.finished_at FROM ledger_checks c WHERE c.clinic_id = @clinic_id AND c.finished_at IS NOT NULL ORDER BY c.asked_at DESC LIMIT 1) v ON true;

-- name: HomeAlerts :many
-- What fires, of the clinic and of the installation, and how much of it nobody is at.
SELECT rule, count(*)::int AS firing, count(*) FILTER (WHERE acknowledged_at IS NULL AND (silenced_until IS NULL OR silenced_until <= @at::timestamptz))::int AS waiting
FROM alerts WHERE (clinic_id = @clinic_id OR clinic_id = '00000000-0000-0000-0000-000000000000') AND state = 'firing' GROUP BY rule;

-- name: HomeOfAdmin :one
SELECT (SELECT count(*) FROM glass g WHERE g.clinic_id = @clinic_id AND g.reviewed_at IS NULL AND g.staff_id <> @staff_id)::int AS glasses,
       (SELECT count(*) FROM staff s WHERE s.clinic_id = @clinic_id AND s.role IS NULL AND s.disabled_at IS NULL)::int AS strangers;
