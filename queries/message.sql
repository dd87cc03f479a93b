-- name: MessageCreate :exec
INSERT INTO messages (id, clinic_id, patient_id, doctor_id, author_id, status, kind, priority, channel, red_flag, due_at, send_at, changed_by, created_at, updated_at)
VALUES (@id, @clinic_id, @patient_id, @doctor_id, @author_id, 'drafting', @kind, @priority, @channel, @red_flag, @due_at, @send_at, @author_id, @created_at, @created_at);

-- name: MessageGet :one
SELECT m.*, k.wrapped, d.name AS doctor_name, a.name AS author_name,
       cl.name AS clinic_name, cl.phone AS clinic_phone, cl.emergency_line, cl.undo_seconds, cl.time_zone AS clinic_zone,
       cl.drafting_on, cl.later_on, (ct.staff_id IS NULL)::bool AS by_glass
FROM messages m
JOIN patient_keys k ON k.patient_id = m.patient_id AND k.clinic_id = m.clinic_id
JOIN staff d ON d.id = m.doctor_id AND d.clinic_id = m.clinic_id
JOIN staff a ON a.id = m.author_id AND a.clinic_id = m.clinic_id
JOIN clinics cl ON cl.id = m.clinic_id
LEFT JOIN care_team ct ON ct.patient_id = m.patient_id AND ct.clinic_id = m.clinic_id AND ct.staff_id = @staff_id
WHERE m.id = @id AND m.clinic_id = @clinic_id
  AND (ct.staff_id IS NOT NULL OR @reading::bool AND EXISTS (SELECT 1 FROM glass g WHERE g.clinic_id = m.clinic_id AND g.staff_id = @staff_id
        AND g.patient_id = m.patient_id AND g.expires_at > @at AND g.ended_at IS NULL));

-- name: MessageLock :one
SELECT m.*, k.wrapped FROM messages m
JOIN patient_keys k ON k.patient_id = m.patient_id AND k.clinic_id = m.clinic_id
JOIN care_team ct ON ct.patient_id = m.patient_id AND ct.clinic_id = m.clinic_id AND ct.staff_id = @staff_id
WHERE m.id = @id AND m.clinic_id = @clinic_id
FOR UPDATE OF m;

-- name: MessageRead :one
SELECT m.*, k.wrapped FROM messages m
JOIN patient_keys k ON k.patient_id = m.patient_id AND k.clinic_id = m.clinic_id
JOIN care_team ct ON ct.patient_id = m.patient_id AND ct.clinic_id = m.clinic_id AND ct.staff_id = @staff_id
WHERE m.id = @id AND m.clinic_id = @clinic_id;

-- name: MessageLockByWorker :one
SELECT m.*, k.wrapped FROM messages m
JOIN patient_keys k ON k.patient_id = m.patient_id AND k.clinic_id = m.clinic_id
WHERE m.id = @id AND m.clinic_id = @clinic_id
FOR UPDATE OF m;

-- name: MessageBriefed :execrows
UPDATE messages SET doctor_id = @doctor_id, kind = @kind, priority = @priority, channel = @channel, red_flag = @red_flag, due_at = @due_at, send_at = @send_at,
    version = version + 1, updated_at = @at, changed_by = @changed_by
WHERE id = @id AND clinic_id = @clinic_id AND version = @version AND status IN ('drafting', 'draft_ready', 'returned');

-- name: MessageDrafted :execrows
UPDATE messages SET draft_id = @draft_id, open_findings = @open_findings, status = @status, version = version + 1, updated_at = @at, changed_by = @changed_by
WHERE id = @id AND clinic_id = @clinic_id AND version = @version;

-- name: MessageFindings :exec
UPDATE messages SET open_findings = @open_findings WHERE id = @id AND clinic_id = @clinic_id;

-- name: MessageMove :execrows
UPDATE messages SET status = @status, version = version + 1, updated_at = @at, changed_by = @changed_by
WHERE id = @id AND clinic_id = @clinic_id AND version = @version AND status = @from_status;

-- name: MessageSign :execrows
UPDATE messages SET status = 'approved', final_sealed = @final_sealed, final_evidence = @final_evidence, final_mac = @final_mac, signer_id = @signer_id, signer_name = @signer_name,
    signer_role = @signer_role, signed_at = @at, unsent_code = '', updated_at = @at, changed_by = @signer_id, version = version + 1
WHERE id = @id AND clinic_id = @clinic_id AND version = @version AND status = 'in_review';

-- name: MessageUnsign :execrows
UPDATE messages SET status = 'in_review', final_sealed = NULL, final_evidence = NULL, final_mac = NULL, signer_id = NULL, signer_name = NULL, signer_role = NULL,
    signed_at = NULL, unsent_code = @unsent_code, updated_at = @at, changed_by = @changed_by, version = version + 1
WHERE id = @id AND clinic_id = @clinic_id AND version = @version AND status = 'approved';

-- name: MessageSchedule :execrows
UPDATE messages SET send_at = @send_at, version = version + @bump::int, updated_at = @at, changed_by = @changed_by
WHERE id = @id AND clinic_id = @clinic_id AND version = @version AND status <> 'withdrawn';

-- name: MessageWithdraw :execrows
UPDATE messages SET status = 'withdrawn', updated_at = @at, changed_by = @changed_by, version = version + 1
WHERE id = @id AND clinic_id = @clinic_id AND version = @version AND status <> 'withdrawn';

-- name: Worklist :many
SELECT m.id, m.patient_id, m.status, m.priority, m.red_flag, m.kind, m.channel, m.open_findings, m.due_at, m.updated_at, m.created_at, m.doctor_id, m.author_id,
       m.unsent_code, message_rank(m.priority, m.unsent_code)::int AS rank,
       p.name_sealed, k.wrapped, d.name AS doctor_name, a.name AS author_name, b.id AS brief_id, b.body_sealed,
       coalesce(r.state, '')::text AS request_state
FROM care_team ct
JOIN messages m ON m.patient_id = ct.patient_id AND m.clinic_id = ct.clinic_id
JOIN patients p ON p.id = m.patient_id AND p.clinic_id = m.clinic_id
JOIN patient_keys k ON k.patient_id = m.patient_id AND k.clinic_id = m.clinic_id
JOIN staff d ON d.id = m.doctor_id AND d.clinic_id = m.clinic_id
JOIN staff a ON a.id = m.author_id AND a.clinic_id = m.clinic_id
JOIN LATERAL (SELECT br.id, br.body_sealed FROM briefs br WHERE br.message_id = m.id AND br.clinic_id = m.clinic_id ORDER BY br.version DESC LIMIT 1) b ON true
LEFT JOIN LATERAL (SELECT dr.state FROM draft_requests dr WHERE dr.message_id = m.id AND dr.clinic_id = m.clinic_id ORDER BY dr.created_at DESC LIMIT 1) r ON true
WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id
  AND m.status = ANY(@statuses::text[])
  AND (NOT @mine::bool OR m.author_id = @staff_id OR m.doctor_id = @staff_id)
  AND (@after_rank::int < 0 OR (-message_rank(m.priority, m.unsent_code), m.due_at, m.id) > (0 - @after_rank::int, @after_due::timestamptz, @after_id::uuid))
ORDER BY -message_rank(m.priority, m.unsent_code), m.due_at, m.id
LIMIT @row_limit;

-- name: WorklistCount :one
SELECT count(*)::int AS waiting, coalesce(min(q.since), now())::timestamptz AS oldest FROM (
    SELECT m.created_at AS since FROM care_team ct
    JOIN messages m ON m.patient_id = ct.patient_id AND m.clinic_id = ct.clinic_id
    WHERE ct.clinic_id = @clinic_id AND ct.staff_id = @staff_id
      AND (m.status = 'in_review' AND @reviews::bool
        OR m.status IN ('drafting', 'draft_ready', 'returned') AND @own::bool AND (m.author_id = @staff_id OR m.doctor_id = @staff_id))
    UNION ALL
    SELECT x.updated_at FROM deliveries x
    JOIN messages m ON m.id = x.message_id AND m.clinic_id = x.clinic_id AND m.status = 'approved'
    JOIN care_team ct ON ct.patient_id = m.patient_id AND ct.clinic_id = m.clinic_id AND ct.staff_id = @staff_id
    WHERE @own::bool AND x.clinic_id = @clinic_id AND x.kind = 'notice'
      AND x.state IN ('unknown', 'needs_person', 'failed', 'refused', 'undelivered', 'expired')
      AND NOT EXISTS (SELECT 1 FROM deliveries y WHERE y.message_id = x.message_id AND y.clinic_id = x.clinic_id AND y.kind = x.kind AND y.round > x.round)
    UNION ALL
    SELECT f.call_at FROM follow_ups f
    JOIN messages m ON m.id = f.message_id AND m.clinic_id = f.clinic_id AND m.status = 'approved'
    JOIN care_team ct ON ct.patient_id = f.patient_id AND ct.clinic_id = f.clinic_id AND ct.staff_id = @staff_id
    WHERE @calls::bool AND f.clinic_id = @clinic_id AND f.call_at <= @at::timestamptz
) q;

-- name: WorklistTroubled :many
SELECT m.id, m.patient_id, m.status, m.priority, m.red_flag, m.kind, m.channel, m.open_findings, m.due_at, m.updated_at, m.created_at, m.doctor_id, m.author_id,
       p.name_sealed, k.wrapped, d.name AS doctor_name, a.name AS author_name, b.id AS brief_id, b.body_sealed,
       dl.state AS delivery_state, dl.error_class
FROM deliveries dl
JOIN messages m ON m.id = dl.message_id AND m.clinic_id = dl.clinic_id AND m.status = 'approved'
JOIN care_team ct ON ct.patient_id = m.patient_id AND ct.clinic_id = m.clinic_id AND ct.staff_id = @staff_id
JOIN patients p ON p.id = m.patient_id AND p.clinic_id = m.clinic_id
JOIN patient_keys k ON k.patient_id = m.patient_id AND k.clinic_id = m.clinic_id
JOIN staff d ON d.id = m.doctor_id AND d.clinic_id = m.clinic_id
JOIN staff a ON a.id = m.author_id AND a.clinic_id = m.clinic_id
JOIN LATERAL (SELECT br.id, br.body_sealed FROM briefs br WHERE br.message_id = m.id AND br.clinic_id = m.clinic_id ORDER BY br.version DESC LIMIT 1) b ON true
WHERE dl.clinic_id = @clinic_id AND dl.kind = 'notice' AND dl.state IN ('unknown', 'needs_person', 'failed', 'refused', 'undelivered', 'expired')
  AND NOT EXISTS (SELECT 1 FROM deliveries y WHERE y.message_id = dl.message_id AND y.clinic_id = dl.clinic_id AND y.kind = dl.kind AND y.round > dl.round)
ORDER BY -m.priority, m.updated_at DESC, m.id LIMIT 50;

-- name: MessagesOfPatient :many
SELECT m.id, m.patient_id, m.status, m.priority, m.red_flag, m.kind, m.channel, m.open_findings, m.due_at, m.updated_at, m.created_at, m.doctor_id, m.author_id,
       d.name AS doctor_name, a.name AS author_name, b.id AS brief_id, b.body_sealed,
       coalesce(dl.state, '')::text AS delivery_state, coalesce(dl.error_class, '')::text AS error_class,
       (f.ended_at IS NULL AND f.unread_at IS NOT NULL AND f.unread_at <= @at::timestamptz)::bool AS unread
FROM messages m
LEFT JOIN follow_ups f ON f.message_id = m.id AND f.clinic_id = m.clinic_id
JOIN staff d ON d.id = m.doctor_id AND d.clinic_id = m.clinic_id
JOIN staff a ON a.id = m.author_id AND a.clinic_id = m.clinic_id
JOIN LATERAL (SELECT br.id, br.body_sealed FROM briefs br WHERE br.message_id = m.id AND br.clinic_id = m.clinic_id ORDER BY br.version DESC LIMIT 1) b ON true
LEFT JOIN LATERAL (SELECT x.state, x.error_class FROM deliveries x WHERE x.message_id = m.id AND x.clinic_id = m.clinic_id AND x.kind = 'notice' ORDER BY x.round DESC LIMIT 1) dl ON true
WHERE m.clinic_id = @clinic_id AND m.patient_id = @patient_id
ORDER BY m.created_at DESC, m.id DESC LIMIT 50;

-- name: BriefAppend :exec
INSERT INTO briefs (message_id, clinic_id, version, id, body_sealed, snapshot_sealed, written_by, created_at)
VALUES (@message_id, @clinic_id, @version, @id, @body_sealed, @snapshot_sealed, @written_by, @created_at);

-- name: BriefLast :one
SELECT b.*, s.name AS writer_name, coalesce(s.role, '') AS writer_role FROM briefs b JOIN staff s ON s.id = b.written_by AND s.clinic_id = b.clinic_id
WHERE b.message_id = @message_id AND b.clinic_id = @clinic_id ORDER BY b.version DESC LIMIT 1;

-- name: BriefsOfMessage :many
SELECT b.version, b.created_at, s.name AS writer_name FROM briefs b JOIN staff s ON s.id = b.written_by AND s.clinic_id = b.clinic_id
WHERE b.message_id = @message_id AND b.clinic_id = @clinic_id ORDER BY b.version;
