-- name: JobList :many
SELECT * FROM job_runs ORDER BY job;

-- name: JobRan :exec
-- The newest run stays; that a job is off where one worker lacks a setting does not hide that another runs it.
INSERT INTO job_runs (job, ran_at, took_ms, every_ms, code, good_at, runs) VALUES (@job, @ran_at::timestamptz, @took_ms, @every_ms, @code, CASE WHEN @code = '' THEN @ran_at::timestamptz END, 1)
ON CONFLICT (job) DO UPDATE SET ran_at = excluded.ran_at, took_ms = excluded.took_ms, every_ms = excluded.every_ms, code = excluded.code, good_at = coalesce(excluded.good_at, job_runs.good_at), runs = job_runs.runs + 1
WHERE job_runs.ran_at IS NULL OR job_runs.ran_at <= excluded.ran_at AND (excluded.code <> 'off' OR job_runs.code = 'off' OR job_runs.ran_at < excluded.ran_at - interval '1 minute');

-- name: JobAsk :exec
INSERT INTO job_runs (job, asked_at) VALUES (@job, @at::timestamptz)
ON CONFLICT (job) DO UPDATE SET asked_at = coalesce(job_runs.asked_at, excluded.asked_at);

-- name: JobsTake :many
-- What somebody asked for, of the jobs that the caller has: each goes to one worker.
UPDATE job_runs SET asked_at = NULL WHERE asked_at IS NOT NULL AND job = ANY(@jobs::text[]) RETURNING job;

-- name: NightlyLock :one
-- One worker at a time, and no other waits for it.
SELECT done_day FROM job_runs WHERE job = 'nightly' FOR UPDATE SKIP LOCKED;

-- name: NightlyDoneDay :one
SELECT done_day FROM job_runs WHERE job = 'nightly';

-- name: NightlyBegin :exec
INSERT INTO job_runs (job) VALUES ('nightly') ON CONFLICT DO NOTHING;

-- name: NightlyDone :exec
UPDATE job_runs SET done_day = @day, found = @found WHERE job = 'nightly';

-- name: NightlySessions :execrows
-- Sign-ins of which nothing is asked any more: they ended or ran out long before the token that opened them could be shown again.
DELETE FROM sessions WHERE id IN (SELECT s.id FROM sessions s WHERE s.created_at < @before ORDER BY s.created_at LIMIT @row_limit);

-- name: NightlyPageSessions :execrows
DELETE FROM page_sessions WHERE id IN (SELECT s.id FROM page_sessions s WHERE s.expires_at < @before LIMIT @row_limit);

-- name: NightlyProofs :execrows
DELETE FROM page_proofs WHERE id IN (SELECT p.id FROM page_proofs p WHERE p.at < @before LIMIT @row_limit);

-- name: NightlyTries :execrows
DELETE FROM glass_tries WHERE id IN (SELECT g.id FROM glass_tries g WHERE g.at < @before LIMIT @row_limit);

-- name: NightlyOrphans :one
-- What no deed leaves behind: each of these has to be 0.
SELECT (SELECT count(*) FROM patients p WHERE NOT EXISTS (SELECT 1 FROM patient_keys k WHERE k.patient_id = p.id AND k.clinic_id = p.clinic_id))::int AS without_key,
       (SELECT count(*) FROM messages m WHERE m.status = 'in_review' AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.message_id = m.id AND r.clinic_id = m.clinic_id AND r.state = 'open'))::int AS without_review,
       (SELECT count(*) FROM messages m WHERE m.signed_at >= @since AND m.status = 'approved' AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = m.id AND d.clinic_id = m.clinic_id))::int AS without_delivery,
       (SELECT count(*) FROM messages m WHERE m.signed_at >= @since AND m.status = 'approved' AND NOT EXISTS (SELECT 1 FROM pages g WHERE g.message_id = m.id AND g.clinic_id = m.clinic_id))::int AS without_page;
