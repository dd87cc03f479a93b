-- name: DeliveriesUndecided :many
WITH asked AS (
    UPDATE deliveries SET lease_until = @again
    WHERE (id, clinic_id) IN (
        SELECT d.id, d.clinic_id FROM deliveries d
        WHERE d.state = 'needs_person' AND d.updated_at > @since
          AND (d.lease_until <= @at OR d.lease_until IS NULL AND d.updated_at <= @first)
        ORDER BY d.lease_until NULLS FIRST, d.updated_at LIMIT @row_limit FOR UPDATE SKIP LOCKED)
    RETURNING id, clinic_id, patient_id, channel, attempt, asked_since, recipient_sealed, body_sealed)
SELECT a.*, k.wrapped, f.started_at, t.finished_at FROM asked a
JOIN patient_keys k ON k.patient_id = a.patient_id AND k.clinic_id = a.clinic_id
LEFT JOIN delivery_attempts t ON t.delivery_id = a.id AND t.clinic_id = a.clinic_id AND t.attempt = a.attempt
LEFT JOIN delivery_attempts f ON f.delivery_id = a.id AND f.clinic_id = a.clinic_id AND f.attempt = 1;

-- name: DeliveriesEvidence :many
SELECT delivery_id::uuid AS delivery_id, provider, provider_id, state, code FROM delivery_events
WHERE delivery_id = ANY((SELECT @ids::uuid[])::uuid[]) AND clinic_id IS NOT NULL ORDER BY happened_at;
