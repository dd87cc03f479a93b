-- name: ReviewOpen :exec
INSERT INTO reviews (id, clinic_id, message_id, round, state, draft_id, submitted_by, submitted_at, note_sealed, cause)
VALUES (@id, @clinic_id, @message_id,
        (SELECT coalesce(max(r.round), 0) + 1 FROM reviews r WHERE r.message_id = @message_id AND r.clinic_id = @clinic_id),
        'open', @draft_id, @submitted_by, @at, @note_sealed, @cause);

-- name: ReviewCurrent :one
SELECT r.*, s.name AS submitter_name, coalesce(d.name, '')::text AS decider_name
FROM reviews r JOIN staff s ON s.id = r.submitted_by AND s.clinic_id = r.clinic_id
LEFT JOIN staff d ON d.id = r.decided_by AND d.clinic_id = r.clinic_id
WHERE r.message_id = @message_id AND r.clinic_id = @clinic_id ORDER BY r.round DESC LIMIT 1;

-- name: ReviewClose :execrows
UPDATE reviews SET state = @state, decided_by = @staff_id, decided_at = @at, note_sealed = @note_sealed, draft_id = @draft_id
WHERE id = @id AND clinic_id = @clinic_id AND state = 'open';

-- name: ReviewReopen :execrows
UPDATE reviews SET state = 'open', decided_by = NULL, decided_at = NULL
WHERE id = @id AND clinic_id = @clinic_id AND state = 'approved';

-- name: ReviewsOfMessage :many
SELECT r.*, s.name AS submitter_name, coalesce(d.name, '')::text AS decider_name
FROM reviews r JOIN staff s ON s.id = r.submitted_by AND s.clinic_id = r.clinic_id
LEFT JOIN staff d ON d.id = r.decided_by AND d.clinic_id = r.clinic_id
WHERE r.message_id = @message_id AND r.clinic_id = @clinic_id ORDER BY r.round;

-- name: ReviewQueue :many
SELECT m.id FROM care_team ct
JOIN messages m ON m.patient_id = ct.patient_id AND m.clinic_id = ct.clinic_id
WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id AND m.status = 'in_review'
ORDER BY -message_rank(m.priority, m.unsent_code), m.due_at, m.id LIMIT 500;
