-- name: DeliveryCreate :exec
INSERT INTO deliveries (id, clinic_id, patient_id, message_id, message_version, kind, round, channel, contact_id, priority, recipient_sealed,
                        recipient_index, body_sealed, mac, next_attempt_at, not_after, created_at, updated_at)
VALUES (@id, @clinic_id, @patient_id, @message_id, @message_version, @kind, @round, @channel, @contact_id, @priority, @recipient_sealed,
        @recipient_index, @body_sealed, @mac, @next_attempt_at, @not_after, @created_at, @created_at);

-- name: DeliveryRounds :one
SELECT coalesce(max(round), 0)::int FROM deliveries WHERE message_id = @message_id AND clinic_id = @clinic_id AND kind = @kind;

-- name: DeliveriesDue :many
UPDATE deliveries SET dispatch = dispatch + 1, enqueued_at = @at
WHERE (id, clinic_id) IN (
    SELECT d.id, d.clinic_id FROM deliveries d
    JOIN breakers b ON b.channel = d.channel AND (b.state = 'closed' OR b.retry_at <= @at)
    WHERE d.state = 'queued' AND d.next_attempt_at <= @at AND (d.enqueued_at IS NULL OR d.enqueued_at < @enqueued_before)
      AND EXISTS (SELECT 1 FROM instance i WHERE i.held_at IS NULL AND i.generation >= @generation)
    ORDER BY d.priority DESC, d.next_attempt_at LIMIT @row_limit FOR UPDATE OF d SKIP LOCKED)
RETURNING id, dispatch, priority;

-- name: DeliveriesSave :exec
-- Each row as its deed left it, if it still is at the rev at which it was read. A zero time or id is none. The array of ids is
-- hidden from the planner, which else plans anew for each number of rows.
UPDATE deliveries d SET state = v.state, attempt = v.attempt, rev = v.rev, lease_until = nullif(v.lease_until, '0001-01-01 00:00:00+00'::timestamptz),
    next_attempt_at = v.next_attempt_at, enqueued_at = nullif(v.enqueued_at, '0001-01-01 00:00:00+00'::timestamptz), provider = v.provider,
    provider_id = v.provider_id, error_class = v.error_class, resends = v.resends,
    marked_sent_by = nullif(v.marked_sent_by, '00000000-0000-0000-0000-000000000000'::uuid), updated_at = v.updated_at
FROM (SELECT unnest((SELECT @ids::uuid[])) AS id, unnest(@clinic_ids::uuid[]) AS clinic_id, unnest(@read_revs::int[]) AS read_rev,
             unnest(@states::text[]) AS state, unnest(@attempts::int[]) AS attempt, unnest(@revs::int[]) AS rev,
             unnest(@leases::timestamptz[]) AS lease_until, unnest(@next_attempts::timestamptz[]) AS next_attempt_at,
             unnest(@enqueued::timestamptz[]) AS enqueued_at, unnest(@providers::text[]) AS provider, unnest(@provider_ids::text[]) AS provider_id,
             unnest(@error_classes::text[]) AS error_class, unnest(@resends::int[]) AS resends, unnest(@marked_by::uuid[]) AS marked_sent_by,
             unnest(@updated::timestamptz[]) AS updated_at) v
WHERE d.id = v.id AND d.clinic_id = v.clinic_id AND d.rev = v.read_rev;

-- name: DeliveryLock :one
SELECT * FROM deliveries WHERE id = @id FOR UPDATE;

-- name: DeliveriesTake :many
-- All that claims look at, in one look. Whoever holds a row at the moment is ahead of us: there is nothing to take.
-- By the id alone: with the state in it the planner, who knows of no queued row at rest, reads the index of those instead.
-- It cannot see how many ids there are either, or it would plan anew for each number.
SELECT sqlc.embed(d), cl.notice_name, k.wrapped, coalesce(m.status, '')::text AS message_status, coalesce(m.version, 0)::int AS message_version,
       m.final_sealed, m.final_evidence, m.final_mac, m.signer_id, m.signer_name, m.signer_role, m.signed_at,
       coalesce(c.address_index, ''::bytea)::bytea AS contact_index, (c.id IS NULL OR c.retired_at IS NOT NULL)::bool AS contact_gone,
       coalesce((SELECT s.status FROM consents s WHERE s.clinic_id = d.clinic_id AND s.address_index = d.recipient_index
        AND s.purpose = 'notice' ORDER BY s.at DESC, s.id DESC LIMIT 1), '')::text AS consent,
       p.id AS page_id, p.token_sealed, br.state AS breaker, br.failures,
       EXISTS (SELECT 1 FROM instance i WHERE i.held_at IS NULL AND i.generation >= @generation)::bool AS may_send
FROM deliveries d
JOIN breakers br ON br.channel = d.channel
JOIN clinics cl ON cl.id = d.clinic_id
JOIN patient_keys k ON k.patient_id = d.patient_id AND k.clinic_id = d.clinic_id
LEFT JOIN messages m ON m.id = d.message_id AND m.clinic_id = d.clinic_id
LEFT JOIN contacts c ON c.id = d.contact_id AND c.clinic_id = d.clinic_id
LEFT JOIN pages p ON p.message_id = d.message_id AND p.clinic_id = d.clinic_id
WHERE d.id = ANY((SELECT @ids::uuid[])::uuid[]) FOR UPDATE OF d SKIP LOCKED;

-- name: DeliveriesLockFor :many
-- In one order, as all that lock several. early: reports under the provider's id are there already.
SELECT sqlc.embed(d), v.provider_id, EXISTS (SELECT 1 FROM delivery_events e WHERE e.clinic_id IS NULL AND e.provider = v.provider
    AND e.provider_id = v.provider_id AND e.provider_id <> '') AS early
FROM (SELECT unnest((SELECT @ids::uuid[])) AS id, unnest(@providers::text[]) AS provider, unnest(@provider_ids::text[])::text AS provider_id) v
JOIN deliveries d ON d.id = v.id ORDER BY d.id FOR UPDATE OF d;

-- name: DeliveriesLock :many
-- In one order, so that posts about the same deliveries never wait for each other in a ring. How many there are is hidden
-- from the planner, as in DeliveriesTake.
SELECT * FROM deliveries WHERE (id, clinic_id) IN (
    SELECT a.id, a.clinic_id FROM deliveries a WHERE a.id = ANY((SELECT @ids::uuid[])::uuid[])
    UNION
    SELECT b.id, b.clinic_id FROM deliveries b WHERE b.provider = @provider AND b.provider_id = ANY((SELECT @provider_ids::text[])::text[]) AND b.provider_id <> '')
ORDER BY id FOR UPDATE;

-- name: AttemptsBegin :exec
INSERT INTO delivery_attempts (delivery_id, clinic_id, attempt, started_at)
SELECT unnest(@delivery_ids::uuid[]), unnest(@clinic_ids::uuid[]), unnest(@attempts::int[]), unnest(@ats::timestamptz[]);

-- name: AttemptsEnd :exec
UPDATE delivery_attempts t SET finished_at = v.at, outcome = v.outcome, error_class = v.error_class
FROM (SELECT unnest((SELECT @delivery_ids::uuid[])) AS delivery_id, unnest(@clinic_ids::uuid[]) AS clinic_id, unnest(@attempts::int[]) AS attempt,
             unnest(@ats::timestamptz[]) AS at, unnest(@outcomes::text[]) AS outcome, unnest(@error_classes::text[]) AS error_class) v
WHERE t.delivery_id = v.delivery_id AND t.clinic_id = v.clinic_id AND t.attempt = v.attempt
  AND (t.finished_at IS NULL OR (v.outcome = 'accepted' AND t.outcome IN ('abandoned', 'unknown')));

-- name: DeliveriesExpiredLease :many
SELECT * FROM deliveries WHERE state = 'sending' AND lease_until < @at ORDER BY lease_until LIMIT @row_limit FOR UPDATE SKIP LOCKED;

-- name: DeliveriesUnknown :many
WITH asked AS (
    UPDATE deliveries SET lease_until = @again
    WHERE (id, clinic_id) IN (
        SELECT d.id, d.clinic_id FROM deliveries d
        WHERE d.state = 'unknown' AND (d.lease_until IS NULL OR d.lease_until <= @at)
        ORDER BY d.lease_until NULLS FIRST, d.updated_at LIMIT @row_limit FOR UPDATE SKIP LOCKED)
    RETURNING id, clinic_id, patient_id, channel, attempt, asked_since, recipient_sealed, body_sealed)
SELECT a.*, k.wrapped, f.started_at, t.finished_at FROM asked a
JOIN patient_keys k ON k.patient_id = a.patient_id AND k.clinic_id = a.clinic_id
LEFT JOIN delivery_attempts t ON t.delivery_id = a.id AND t.clinic_id = a.clinic_id AND t.attempt = a.attempt
LEFT JOIN delivery_attempts f ON f.delivery_id = a.id AND f.clinic_id = a.clinic_id AND f.attempt = 1;

-- name: DeliveriesLate :many
SELECT d.* FROM deliveries d WHERE d.state = 'queued' AND d.next_attempt_at <= @at AND d.not_after <= @at
  AND EXISTS (SELECT 1 FROM instance i WHERE i.held_at IS NULL AND i.generation >= @generation)
ORDER BY d.priority DESC, d.next_attempt_at LIMIT @row_limit;

-- name: DeliveryLockIn :one
SELECT * FROM deliveries WHERE id = @id AND clinic_id = @clinic_id FOR UPDATE;

-- name: DeliveryMessage :one
SELECT d.message_id FROM deliveries d
JOIN care_team ct ON ct.patient_id = d.patient_id AND ct.clinic_id = d.clinic_id AND ct.staff_id = @staff_id
WHERE d.id = @id AND d.clinic_id = @clinic_id AND d.message_id IS NOT NULL;

-- name: EventsAppend :many
-- The ids of those that are new.
INSERT INTO delivery_events (id, clinic_id, delivery_id, provider, event_key, provider_id, state, code, happened_at, received_at)
SELECT unnest(@ids::uuid[]), nullif(unnest(@clinic_ids::uuid[]), '00000000-0000-0000-0000-000000000000'::uuid),
       nullif(unnest(@delivery_ids::uuid[]), '00000000-0000-0000-0000-000000000000'::uuid), @provider, unnest(@event_keys::text[]),
       unnest(@provider_ids::text[]), unnest(@states::text[]), unnest(@codes::text[]), unnest(@happened_ats::timestamptz[]), @received_at
ON CONFLICT (provider, event_key) DO NOTHING RETURNING id;

-- name: EventsUnmatched :many
SELECT * FROM delivery_events WHERE clinic_id IS NULL AND provider = @provider AND provider_id = ANY(@provider_ids::text[]) AND provider_id <> '' ORDER BY happened_at;

-- name: EventsMatchable :many
SELECT e.provider, e.provider_id, d.id AS delivery_id, d.clinic_id FROM delivery_events e
JOIN deliveries d ON d.provider = e.provider AND d.provider_id = e.provider_id
WHERE e.clinic_id IS NULL AND e.provider_id <> ''
GROUP BY e.provider, e.provider_id, d.id, d.clinic_id LIMIT @row_limit;

-- name: EventsMatch :exec
UPDATE delivery_events e SET clinic_id = v.clinic_id, delivery_id = v.delivery_id
FROM (SELECT unnest((SELECT @ids::uuid[])) AS id, unnest(@clinic_ids::uuid[]) AS clinic_id, unnest(@delivery_ids::uuid[]) AS delivery_id) v
WHERE e.id = v.id AND e.clinic_id IS NULL;

-- name: DeliveriesOfMessage :many
SELECT * FROM deliveries WHERE message_id = @message_id AND clinic_id = @clinic_id ORDER BY created_at, round;

-- name: DeliveryOfMessage :one
SELECT * FROM deliveries WHERE message_id = @message_id AND clinic_id = @clinic_id AND kind = 'notice' ORDER BY round DESC LIMIT 1 FOR UPDATE;

-- name: DeliveryToStop :one
-- The one that a link to stop names, or the last notice where it names none.
SELECT channel, recipient_index FROM deliveries WHERE message_id = @message_id AND clinic_id = @clinic_id
    AND CASE WHEN @id::uuid = '00000000-0000-0000-0000-000000000000' THEN kind = 'notice' ELSE id = @id END ORDER BY round DESC LIMIT 1;

-- name: DeliverySteps :many
SELECT e.at, e.subject_id, e.rev, e.detail, e.deed, coalesce(s.name, '')::text AS person FROM audit_events e
LEFT JOIN staff s ON s.id = e.actor_id AND s.clinic_id = e.clinic_id AND e.actor_kind = 'person'
WHERE e.clinic_id = @clinic_id AND e.subject_id = ANY(@ids::uuid[]) AND e.rev IS NOT NULL AND e.outcome = 'done' AND e.at > @since
ORDER BY e.at, e.rev;
