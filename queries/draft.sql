-- name: DraftAppend :exec
INSERT INTO drafts (id, clinic_id, message_id, version, brief_version, source, written_by, model, prompt_version, text_sealed, checks_sealed, created_at)
VALUES (@id, @clinic_id, @message_id, @version, @brief_version, @source, @written_by, @model, @prompt_version, @text_sealed, @checks_sealed, @created_at);

-- name: DraftGet :one
SELECT d.*, coalesce(s.name, '')::text AS writer_name FROM drafts d LEFT JOIN staff s ON s.id = d.written_by AND s.clinic_id = d.clinic_id
WHERE d.id = @id AND d.clinic_id = @clinic_id;

-- name: DraftByVersion :one
SELECT d.* FROM drafts d WHERE d.message_id = @message_id AND d.clinic_id = @clinic_id AND d.version = @version;

-- name: DraftsOfMessage :many
SELECT d.id, d.version, d.source, d.created_at, d.brief_version, d.written_by, coalesce(s.name, '')::text AS writer_name,
       EXISTS (SELECT 1 FROM reviews r WHERE r.draft_id = d.id AND r.clinic_id = d.clinic_id)::bool AS submitted
FROM drafts d LEFT JOIN staff s ON s.id = d.written_by AND s.clinic_id = d.clinic_id
WHERE d.message_id = @message_id AND d.clinic_id = @clinic_id ORDER BY d.version DESC;

-- name: DraftRevise :exec
UPDATE drafts SET text_sealed = @text_sealed, checks_sealed = @checks_sealed
WHERE id = @id AND clinic_id = @clinic_id AND source = 'person';

-- name: AcknowledgementsOfMessage :many
SELECT a.finding_key, a.check_code, a.at, a.staff_id, s.name, coalesce(s.role, '') AS role FROM acknowledgements a JOIN staff s ON s.id = a.staff_id AND s.clinic_id = a.clinic_id
WHERE a.message_id = @message_id AND a.clinic_id = @clinic_id ORDER BY a.finding_key, a.at;

-- name: Acknowledge :execrows
INSERT INTO acknowledgements (message_id, clinic_id, finding_key, check_code, staff_id, at)
VALUES (@message_id, @clinic_id, @finding_key, @check_code, @staff_id, @at) ON CONFLICT DO NOTHING;

-- name: DraftRequestCreate :exec
INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, next_attempt_at, created_at)
VALUES (@id, @clinic_id, @message_id, @brief_version, @instruction_sealed, @requested_by, @doctor_id, @at, @at);

-- name: DraftRequestLast :one
SELECT * FROM draft_requests WHERE message_id = @message_id AND clinic_id = @clinic_id ORDER BY created_at DESC LIMIT 1;

-- name: DraftRequestsOfMessage :many
SELECT r.id, r.state, r.attempt, r.model, r.error_class, r.created_at, r.finished_at, s.name AS requester_name
FROM draft_requests r JOIN staff s ON s.id = r.requested_by AND s.clinic_id = r.clinic_id
WHERE r.message_id = @message_id AND r.clinic_id = @clinic_id ORDER BY r.created_at;

-- name: DraftUsage :one
SELECT (SELECT count(*) FROM draft_requests r WHERE r.clinic_id = @clinic_id AND r.requested_by = @staff_id AND r.created_at >= @day_start)::int AS today,
       (SELECT coalesce(sum(r.cost_microusd), 0) FROM draft_requests r WHERE r.clinic_id = @clinic_id AND r.requested_by = @staff_id AND r.created_at >= @day_start)::bigint AS cost_today;

-- name: DraftRequestClaim :one
UPDATE draft_requests SET state = 'writing', attempt = attempt + 1, lease_until = @lease_until, words = 0
WHERE id = @id AND clinic_id = @clinic_id AND attempt < 3 AND next_attempt_at <= @at
  AND (state = 'requested' OR (state IN ('writing', 'checking') AND lease_until < @at))
RETURNING *;

-- name: DraftRequestProgress :execrows
UPDATE draft_requests SET state = @state, words = @words, lease_until = @lease_until
WHERE id = @id AND clinic_id = @clinic_id AND attempt = @attempt AND state IN ('writing', 'checking');

-- name: DraftRequestRetry :execrows
UPDATE draft_requests SET state = 'requested', lease_until = NULL, enqueued_at = NULL, next_attempt_at = @next_attempt_at, error_class = @error_class,
    model = @model, prompt_tokens = prompt_tokens + @prompt_tokens, completion_tokens = completion_tokens + @completion_tokens, cost_microusd = cost_microusd + @cost_microusd
WHERE id = @id AND clinic_id = @clinic_id AND attempt = @attempt AND state IN ('writing', 'checking');

-- name: DraftRequestFinish :execrows
UPDATE draft_requests SET state = @state, lease_until = NULL, finished_at = @at, error_class = @error_class,
    model = @model, prompt_tokens = prompt_tokens + @prompt_tokens, completion_tokens = completion_tokens + @completion_tokens, cost_microusd = cost_microusd + @cost_microusd
WHERE id = @id AND clinic_id = @clinic_id AND attempt = @attempt AND state IN ('writing', 'checking');

-- name: DraftRequestCharge :exec
UPDATE draft_requests SET prompt_tokens = prompt_tokens + @prompt_tokens, completion_tokens = completion_tokens + @completion_tokens, cost_microusd = cost_microusd + @cost_microusd
WHERE id = @id AND clinic_id = @clinic_id;

-- name: DraftRequestsSpent :many
UPDATE draft_requests SET state = 'failed', finished_at = @at, lease_until = NULL, error_class = 'gave_up'
WHERE attempt >= 3 AND state IN ('writing', 'checking') AND lease_until < @at
RETURNING id, clinic_id, message_id, attempt, (SELECT m.patient_id FROM messages m WHERE m.id = message_id AND m.clinic_id = draft_requests.clinic_id)::uuid AS patient_id;

-- name: DraftRequestsDue :many
UPDATE draft_requests SET dispatch = dispatch + 1, enqueued_at = @at
WHERE (id, clinic_id) IN (
    SELECT r.id, r.clinic_id FROM draft_requests r
    WHERE r.next_attempt_at <= @at AND r.attempt < 3
      AND ((r.state = 'requested' AND (r.enqueued_at IS NULL OR r.enqueued_at < @enqueued_before))
        OR (r.state IN ('writing', 'checking') AND r.lease_until < @at AND (r.enqueued_at IS NULL OR r.enqueued_at < @enqueued_before)))
    ORDER BY r.next_attempt_at LIMIT @row_limit FOR UPDATE SKIP LOCKED)
RETURNING id, dispatch;

-- name: DraftRechecked :exec
UPDATE drafts SET checks_sealed = @checks_sealed WHERE id = @id AND clinic_id = @clinic_id;

-- name: DraftRequestsCancel :exec
UPDATE draft_requests SET state = 'failed', finished_at = @at, lease_until = NULL, error_class = 'by_hand'
WHERE message_id = @message_id AND clinic_id = @clinic_id AND state IN ('requested', 'writing', 'checking');

-- name: DraftRequestMessage :one
SELECT message_id, clinic_id FROM draft_requests WHERE id = @id;
