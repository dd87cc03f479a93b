-- The deliveries screen. A list walks one index range for each outcome and priority, urgent first, newest first.

-- name: DeliveryList :many
SELECT x.id, x.patient_id, x.message_id, x.round, x.channel, x.priority, x.state, x.rev, x.attempt, x.resends, x.error_class, x.not_after,
       x.next_attempt_at, x.created_at, x.updated_at, x.message_status, x.red_flag, x.doctor_id,
       p.name_sealed, k.wrapped, s.name AS doctor_name, coalesce(w.name, '')::text AS marked_by,
       (f.ended_at IS NULL AND f.unread_at IS NOT NULL AND f.unread_at <= @at::timestamptz)::bool AS unread
FROM unnest(@outcomes::text[]) o(outcome)
CROSS JOIN generate_series(0, 3) r(priority)
CROSS JOIN LATERAL (
    SELECT d.id, d.clinic_id, d.patient_id, d.message_id, d.round, d.channel, d.priority, d.state, d.rev, d.attempt, d.resends, d.error_class, d.not_after,
           d.next_attempt_at, d.created_at, d.updated_at, d.marked_sent_by, m.status AS message_status, m.red_flag, m.doctor_id
    FROM deliveries d
    JOIN care_team ct ON ct.patient_id = d.patient_id AND ct.clinic_id = d.clinic_id AND ct.staff_id = @staff_id
    JOIN messages m ON m.id = d.message_id AND m.clinic_id = d.clinic_id
    WHERE d.clinic_id = @clinic_id AND d.kind = 'notice' AND NOT d.superseded
      AND delivery_outcome(d.state) = o.outcome AND d.priority = r.priority
      AND (o.outcome <> 'trouble' OR (m.status <> 'withdrawn') = @live::bool)
      AND (@channel::text = '' OR d.channel = @channel::text)
      AND (@code::text = '' OR d.error_class = @code::text)
      AND d.created_at > @since::timestamptz AND d.created_at <= @until::timestamptz
      AND (@after_priority::int < 0 OR d.priority < @after_priority::int
           OR d.priority = @after_priority::int AND (d.created_at, d.id) < (@after_at::timestamptz, @after_id::uuid))
    ORDER BY d.created_at DESC, d.id DESC LIMIT @row_limit::int) x
JOIN patients p ON p.id = x.patient_id AND p.clinic_id = x.clinic_id
JOIN patient_keys k ON k.patient_id = x.patient_id AND k.clinic_id = x.clinic_id
JOIN staff s ON s.id = x.doctor_id AND s.clinic_id = x.clinic_id
LEFT JOIN staff w ON w.id = x.marked_sent_by AND w.clinic_id = x.clinic_id
LEFT JOIN follow_ups f ON f.message_id = x.message_id AND f.clinic_id = x.clinic_id
ORDER BY x.priority DESC, x.created_at DESC, x.id DESC LIMIT @row_limit::int;

-- name: DeliveryCounts :many
SELECT o.outcome::text AS outcome, x.error_class, x.n
FROM unnest(ARRAY['trouble', 'unknown', 'way']) o(outcome)
CROSS JOIN LATERAL (
    SELECT d.error_class, count(*)::int AS n FROM deliveries d
    JOIN care_team ct ON ct.patient_id = d.patient_id AND ct.clinic_id = d.clinic_id AND ct.staff_id = @staff_id
    JOIN messages m ON m.id = d.message_id AND m.clinic_id = d.clinic_id
    WHERE d.clinic_id = @clinic_id AND d.kind = 'notice' AND NOT d.superseded AND delivery_outcome(d.state) = o.outcome
      AND (o.outcome <> 'trouble' OR m.status <> 'withdrawn')
    GROUP BY d.error_class) x
ORDER BY 1, x.n DESC, x.error_class;

-- name: DeliveryPreview :many
SELECT d.id, d.rev, d.message_id, d.patient_id, d.channel, d.priority, d.state, d.error_class, d.round, d.resends, d.superseded, d.created_at,
       m.status AS message_status, m.red_flag, m.doctor_id, (d.message_version IS NOT DISTINCT FROM m.version)::bool AS same_version,
       p.name_sealed, k.wrapped, s.name AS doctor_name, pg.opened_at,
       (c.id IS NULL OR c.retired_at IS NOT NULL OR c.address_index IS DISTINCT FROM d.recipient_index)::bool AS contact_changed,
       coalesce(c.bounce_code, '')::text AS bounce_code,
       coalesce((SELECT x.status FROM consents x WHERE x.clinic_id = d.clinic_id AND x.address_index = d.recipient_index
        AND x.purpose = 'notice' ORDER BY x.at DESC, x.id DESC LIMIT 1), '')::text AS consent
FROM deliveries d
JOIN messages m ON m.id = d.message_id AND m.clinic_id = d.clinic_id
JOIN care_team ct ON ct.patient_id = d.patient_id AND ct.clinic_id = d.clinic_id AND ct.staff_id = @staff_id
JOIN patients p ON p.id = d.patient_id AND p.clinic_id = d.clinic_id
JOIN patient_keys k ON k.patient_id = d.patient_id AND k.clinic_id = d.clinic_id
JOIN staff s ON s.id = m.doctor_id AND s.clinic_id = m.clinic_id
LEFT JOIN pages pg ON pg.message_id = d.message_id AND pg.clinic_id = d.clinic_id
LEFT JOIN contacts c ON c.id = d.contact_id AND c.clinic_id = d.clinic_id
WHERE d.clinic_id = @clinic_id AND d.id = ANY(@ids::uuid[]) AND d.kind = 'notice'
ORDER BY d.priority DESC, d.created_at DESC, d.id DESC;

-- name: DeliveryMayHaveReached :one
-- Whether the patient may hold the link of what was signed as this version: it was handed over in another round, let go
-- again by a person, or opened.
SELECT (EXISTS (SELECT 1 FROM deliveries d WHERE d.message_id = @message_id AND d.clinic_id = @clinic_id AND d.message_version = @message_version
                 AND (d.resends > 0 OR d.provider_id <> '' OR d.marked_sent_by IS NOT NULL OR d.state = 'unknown' OR d.state = 'needs_person'))
    OR EXISTS (SELECT 1 FROM pages p WHERE p.message_id = @message_id AND p.clinic_id = @clinic_id AND p.opened_at IS NOT NULL))::bool;

-- name: DeliverySchedule :execrows
-- When a notice goes that nobody has tried yet. No change of state: its rev stays.
UPDATE deliveries SET next_attempt_at = @next_attempt_at, not_after = @not_after, enqueued_at = NULL, updated_at = @at
WHERE id = @id AND clinic_id = @clinic_id AND rev = @rev AND state = 'queued' AND attempt = 0;
