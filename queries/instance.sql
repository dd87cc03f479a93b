-- name: InstanceGet :one
SELECT * FROM instance;

-- name: InstanceLock :one
SELECT * FROM instance FOR UPDATE;

-- name: InstanceBeat :one
UPDATE instance SET generation = generation + 1, beat = @beat, beat_at = now(), anchored = anchored OR @anchored
WHERE held_at IS NULL AND lineage = @lineage AND generation = @generation AND (beat_at IS NULL OR beat_at <= now() - make_interval(secs => @every_seconds::float8))
RETURNING *;

-- name: InstanceHold :execrows
UPDATE instance SET held_at = greatest(@at::timestamptz, now(), beat_at + interval '1 microsecond'), held_reason = @reason, held_since = beat_at, witnessed = greatest(generation, @witnessed)
WHERE held_at IS NULL AND lineage = @lineage;

-- name: InstanceWitness :exec
UPDATE instance SET witnessed = @witnessed WHERE held_at IS NOT NULL AND witnessed < @witnessed;

-- name: InstanceRenew :one
UPDATE instance SET lineage = @lineage, generation = greatest(generation, witnessed) + 1, beat = @beat, beat_at = now(),
    anchored = anchored OR @anchored
WHERE held_at IS NOT NULL RETURNING *;

-- name: InstanceRelease :exec
UPDATE instance SET held_at = NULL, held_reason = '', held_since = NULL, witnessed = 0;

-- name: DeliveriesSuspect :many
SELECT d.id, d.clinic_id, d.channel, EXISTS (SELECT 1 FROM delivery_events e WHERE e.delivery_id = d.id)::bool AS reported
FROM deliveries d, instance i
WHERE i.held_at > @since AND d.state = 'queued' AND d.next_attempt_at <= @at AND (d.updated_at < i.held_at OR d.provider_id <> '')
ORDER BY d.id, d.clinic_id LIMIT @row_limit FOR UPDATE OF d;

-- name: DeliveriesSuspectCount :many
SELECT d.channel, count(*) FILTER (WHERE i.held_at > @since AND d.next_attempt_at <= @at AND (d.updated_at < i.held_at OR d.provider_id <> ''))::int AS suspect,
       count(*)::int AS queued
FROM deliveries d, instance i WHERE d.state = 'queued' GROUP BY d.channel ORDER BY d.channel;

-- name: DeliverySuspect :one
SELECT EXISTS (SELECT 1 FROM deliveries d, instance i WHERE d.id = @id AND d.clinic_id = @clinic_id AND d.state = 'queued'
    AND d.next_attempt_at <= @at AND i.held_at IS NOT NULL AND (d.updated_at < i.held_at OR d.provider_id <> ''));

-- name: DeliveryAskSince :exec
UPDATE deliveries SET asked_since = least(asked_since, @since::timestamptz) WHERE id = @id AND clinic_id = @clinic_id;

-- name: DeliveriesUnknownAskSince :many
UPDATE deliveries SET asked_since = least(asked_since, @since::timestamptz), lease_until = NULL
WHERE state = 'unknown' AND (asked_since IS NULL OR asked_since > @since) RETURNING channel;

-- name: EventsOfDelivery :many
SELECT * FROM delivery_events WHERE delivery_id = @delivery_id ORDER BY happened_at;

-- name: EventsOfNobody :many
SELECT provider, provider_id, count(*)::int AS reports, max(happened_at)::timestamptz AS last_at FROM delivery_events
WHERE clinic_id IS NULL AND happened_at >= @since GROUP BY provider, provider_id ORDER BY last_at DESC, provider_id LIMIT @row_limit;

-- name: DeliveriesSettling :many
SELECT d.channel, d.state, count(*)::int AS deliveries FROM deliveries d, instance i
WHERE d.asked_since IS NOT NULL AND (d.state = 'unknown' OR d.updated_at >= i.held_at) GROUP BY d.channel, d.state ORDER BY d.channel, d.state;
