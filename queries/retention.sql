-- What goes at night, by the clinic's setting. Each statement takes what belongs to the messages whose rows are locked.

-- name: RetentionClinics :many
SELECT c.id FROM clinics c WHERE c.retention_years IS NOT NULL ORDER BY c.id;

-- name: ClockAhead :one
-- How many seconds that moment, of the clock of a process, is ahead of the clock here.
SELECT date_part('epoch', (@at)::timestamptz - now())::float8 AS ahead;

-- name: RetentionGet :one
-- The setting as it is, held until the batch is done: who saves another one waits, and the next batch sees it.
SELECT c.retention_years FROM clinics c WHERE c.id = @id FOR SHARE;

-- name: RetentionCount :one
-- Of the oldest, at most so many: those that would go, and those that are as old and stay.
SELECT (count(*) FILTER (WHERE q.over))::int AS gone, (count(*) FILTER (WHERE NOT q.over))::int AS kept FROM (
    SELECT coalesce(e.ended_at < @before, false) AS over FROM message_ends e
    WHERE e.clinic_id = @clinic_id AND e.updated_at < @before ORDER BY e.updated_at, e.id LIMIT @row_limit) q;

-- name: MessagesEnded :many
-- The next of those whose life ended before, locked; what somebody holds at the moment is left for another night.
SELECT e.id, e.patient_id, e.updated_at, e.ended_at::timestamptz AS ended_at FROM message_ends e
WHERE e.clinic_id = @clinic_id AND e.updated_at < @before AND (e.updated_at, e.id) > (@after_at::timestamptz, @after_id::uuid) AND e.ended_at < @before
ORDER BY e.updated_at, e.id LIMIT @row_limit FOR UPDATE OF e SKIP LOCKED;

-- name: DeliveriesOfMessages :many
SELECT d.id, d.message_id::uuid AS message_id, d.channel FROM deliveries d WHERE d.clinic_id = @clinic_id AND d.message_id = ANY(@ids::uuid[]) ORDER BY d.id;

-- name: RetireProofs :exec
DELETE FROM page_proofs t WHERE t.clinic_id = @clinic_id AND t.page_id IN (SELECT p.id FROM pages p WHERE p.message_id = ANY(@ids::uuid[]) AND p.clinic_id = @clinic_id);

-- name: RetirePageSessions :exec
DELETE FROM page_sessions t WHERE t.clinic_id = @clinic_id AND t.page_id IN (SELECT p.id FROM pages p WHERE p.message_id = ANY(@ids::uuid[]) AND p.clinic_id = @clinic_id);

-- name: RetireFollowUps :exec
DELETE FROM follow_ups t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetirePages :exec
DELETE FROM pages t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetireAttempts :exec
DELETE FROM delivery_attempts t WHERE t.clinic_id = @clinic_id AND t.delivery_id = ANY(@ids::uuid[]);

-- name: RetireDeliveries :exec
DELETE FROM deliveries t WHERE t.clinic_id = @clinic_id AND t.id = ANY(@ids::uuid[]);

-- name: RetireReports :exec
-- After their deliveries: the database lets no other one go.
DELETE FROM delivery_events t WHERE t.clinic_id = @clinic_id AND t.delivery_id = ANY(@ids::uuid[]);

-- name: RetireAnswers :exec
DELETE FROM acknowledgements t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetireReviews :exec
DELETE FROM reviews t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetireRequests :exec
DELETE FROM draft_requests t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetireDrafts :exec
DELETE FROM drafts t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetireBriefs :exec
DELETE FROM briefs t WHERE t.clinic_id = @clinic_id AND t.message_id = ANY(@ids::uuid[]);

-- name: RetireMessages :execrows
DELETE FROM messages t WHERE t.clinic_id = @clinic_id AND t.id = ANY(@ids::uuid[]);

-- name: RetiredLately :one
-- How many messages went since the last night's work of the installation was done, from the trail of every clinic.
SELECT count(*) FROM clinics c JOIN audit_events e ON e.clinic_id = c.id AND e.deed = 'message.retire' AND e.outcome = 'done'
    AND e.at > coalesce((SELECT x.at FROM audit_events x WHERE x.clinic_id = @home AND x.deed = 'job.nightly' AND x.outcome = 'done' ORDER BY x.at DESC LIMIT 1), '-infinity'::timestamptz);
