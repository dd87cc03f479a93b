-- name: AlertRound :execrows
-- Of any number of workers one evaluates, once each every. A clock that was ahead does not stop the others for long.
UPDATE alert_round SET at = @now::timestamptz WHERE at <= @before::timestamptz OR at > @after::timestamptz;

-- name: AlertRoundAt :one
SELECT at FROM alert_round;

-- name: AlertSigns :many
-- What the rows say, each part from its own small index. What is well is not in it.
WITH t AS (SELECT @at::timestamptz AS now)
SELECT 'queue_age'::text AS rule, '00000000-0000-0000-0000-000000000000'::uuid AS clinic_id, d.channel::text AS subject,
       extract(epoch FROM max(t.now) - min(d.next_attempt_at))::float8 AS value
FROM t CROSS JOIN deliveries d JOIN breakers b ON b.channel = d.channel AND b.state = 'closed' WHERE d.state = 'queued' AND d.next_attempt_at <= t.now GROUP BY d.channel
UNION ALL
SELECT 'queue_age', '00000000-0000-0000-0000-000000000000', 'draft', extract(epoch FROM max(t.now) - min(r.next_attempt_at))::float8
FROM t CROSS JOIN draft_requests r WHERE r.state = 'requested' AND r.next_attempt_at <= t.now HAVING count(*) > 0
UNION ALL
SELECT 'unknown', d.clinic_id, d.channel, count(*)::float8 FROM deliveries d WHERE d.state = 'unknown' GROUP BY d.clinic_id, d.channel
UNION ALL
SELECT 'needs_person', d.clinic_id, d.channel, count(*)::float8 FROM deliveries d WHERE d.state = 'needs_person' GROUP BY d.clinic_id, d.channel
UNION ALL
SELECT 'sealing_lag', '00000000-0000-0000-0000-000000000000', '', extract(epoch FROM t.now - o.at)::float8
FROM t CROSS JOIN (SELECT p.at FROM audit_pending p ORDER BY p.at LIMIT 1) o WHERE EXISTS (SELECT 1 FROM ledger_checkpoints)
UNION ALL
SELECT 'breaker_open', '00000000-0000-0000-0000-000000000000', b.channel, 1 FROM breakers b WHERE b.state <> 'closed'
UNION ALL
SELECT 'sending_stopped', '00000000-0000-0000-0000-000000000000', '', 1 FROM instance i WHERE i.held_at IS NOT NULL
UNION ALL
SELECT 'glass_used', g.clinic_id, '', count(*)::float8 FROM glass g WHERE g.reviewed_at IS NULL GROUP BY g.clinic_id
UNION ALL
SELECT 'budget', s.clinic_id, s.id::text, (sum(r.cost_microusd) / coalesce(d.stop_day, l.stop))::float8
FROM t CROSS JOIN clinics c JOIN staff s ON s.clinic_id = c.id
JOIN (SELECT unnest(@roles::text[]) AS role, unnest(@stops::bigint[]) AS stop) l ON l.role = s.role
LEFT JOIN draft_limits d ON d.clinic_id = s.clinic_id AND d.role = s.role
JOIN draft_requests r ON r.clinic_id = s.clinic_id AND r.requested_by = s.id
    AND r.created_at >= date_trunc('day', t.now AT TIME ZONE c.time_zone) AT TIME ZONE c.time_zone
GROUP BY s.clinic_id, s.id, coalesce(d.stop_day, l.stop)
UNION ALL
SELECT 'backup_age', '00000000-0000-0000-0000-000000000000', '', (extract(epoch FROM t.now - k.at) / 3600)::float8
FROM t CROSS JOIN (SELECT coalesce((SELECT b.taken_at FROM backups b ORDER BY b.taken_at DESC LIMIT 1),
                      (SELECT min(c.created_at) FROM clinics c)) AS at) k WHERE k.at IS NOT NULL;

-- name: AlertStrangers :many
-- Refusals of who is not known. Those of an address that makes many are a few events a minute, which say how many they stand for, and
-- a count of the minute that is not over.
SELECT x.rule::text AS rule, x.clinic_id::uuid AS clinic_id, sum(x.n)::float8 AS value FROM (
    SELECT e.clinic_id, e.n, CASE WHEN e.reason = 'signature' THEN 'webhook_forged' WHEN e.deed = 'session.open' THEN 'sign_in_refused' WHEN e.deed = 'page.prove' THEN 'page_guessing' END AS rule
    FROM (SELECT a.clinic_id, a.deed, a.reason, coalesce((a.detail->>'more')::bigint, 1) AS n FROM audit_events a
          WHERE a.outcome = 'refused' AND a.actor_id IS NULL AND a.at > @since
          UNION ALL
          SELECT '00000000-0000-0000-0000-000000000000', r.deed, r.reason, r.more FROM audit_refusals r WHERE r.more > 0 AND r.minute > @since) e) x
WHERE x.rule IS NOT NULL GROUP BY x.rule, x.clinic_id;

-- name: AlertPeople :many
-- What people did in the last while, by the index of their own events.
SELECT s.clinic_id, s.id,
       (count(*) FILTER (WHERE e.outcome = 'refused' AND e.at > @recent::timestamptz))::float8 AS refused,
       (count(DISTINCT e.subject_id) FILTER (WHERE e.outcome = 'refused' AND e.reason = 'not_found' AND e.at > @recent::timestamptz))::float8 AS ids,
       (count(DISTINCT e.patient_id) FILTER (WHERE e.outcome = 'done' AND e.deed = ANY(@looks::text[])))::float8 AS patients,
       (count(DISTINCT e.subject_id) FILTER (WHERE e.outcome = 'done' AND e.deed LIKE '%.export'))::float8 AS exports
FROM staff s JOIN audit_events e ON e.clinic_id = s.clinic_id AND e.actor_id = s.id AND e.at > @since::timestamptz
GROUP BY s.clinic_id, s.id;

-- name: AlertsLock :many
-- What is not well, locked, and until when the last one of its kind was silenced.
SELECT * FROM alerts WHERE state <> 'cleared' ORDER BY clinic_id, rule, subject FOR UPDATE;

-- name: AlertSilences :many
-- A silence outlives its alert: one that comes again meanwhile is silent too.
SELECT DISTINCT ON (clinic_id, rule, subject) clinic_id, rule, subject, silenced_by, silenced_until FROM alerts
WHERE state = 'cleared' AND silenced_until > @at::timestamptz ORDER BY clinic_id, rule, subject, silenced_until DESC;

-- name: AlertsSave :exec
-- All changes of one evaluation. A time of zero is none.
INSERT INTO alerts (id, clinic_id, rule, subject, state, run, value, worst, since, fired_at, notified_at, cleared_at, silenced_by, silenced_until)
SELECT unnest(@ids::uuid[]), unnest(@clinic_ids::uuid[]), unnest(@rules::text[]), unnest(@subjects::text[]), unnest(@states::text[]), unnest(@runs::int[]),
       unnest(@vals::float8[]), unnest(@worsts::float8[]), unnest(@sinces::timestamptz[]),
       nullif(unnest(@fireds::timestamptz[]), '0001-01-01 00:00:00+00'), nullif(unnest(@notifieds::timestamptz[]), '0001-01-01 00:00:00+00'),
       nullif(unnest(@cleareds::timestamptz[]), '0001-01-01 00:00:00+00'),
       nullif(unnest(@silencers::uuid[]), '00000000-0000-0000-0000-000000000000'), nullif(unnest(@silences::timestamptz[]), '0001-01-01 00:00:00+00')
ON CONFLICT (id, clinic_id) DO UPDATE SET state = excluded.state, run = excluded.run, value = excluded.value, worst = excluded.worst, fired_at = excluded.fired_at,
    notified_at = excluded.notified_at, cleared_at = excluded.cleared_at, rev = alerts.rev + (alerts.state <> excluded.state)::int;

-- name: AlertsForget :exec
-- Those that were pending and came to nothing.
DELETE FROM alerts WHERE id = ANY(@ids::uuid[]) AND state = 'pending';

-- name: AlertNoticesAdd :exec
INSERT INTO alert_notices (id, clinic_id, alert_id, kind, way, value, made_at, next_attempt_at)
SELECT unnest(@ids::uuid[]), unnest(@clinic_ids::uuid[]), unnest(@alert_ids::uuid[]), unnest(@kinds::text[]), unnest(@ways::text[]), unnest(@vals::float8[]),
       @at::timestamptz, @at::timestamptz;

-- name: AlertNoticesTake :many
-- Lends what is due to one sender: if it dies, another sends it when the lease is over.
UPDATE alert_notices n SET attempts = n.attempts + 1, next_attempt_at = @lease_until::timestamptz
FROM alerts a
WHERE a.id = n.alert_id AND a.clinic_id = n.clinic_id AND n.id IN (
    SELECT d.id FROM alert_notices d WHERE d.next_attempt_at <= @at::timestamptz ORDER BY d.next_attempt_at LIMIT @most FOR UPDATE SKIP LOCKED)
RETURNING n.id, n.alert_id, n.kind, n.way, n.value, n.made_at, n.attempts, a.rule, a.subject, a.fired_at;

-- name: AlertNoticeSent :exec
UPDATE alert_notices SET sent_at = @sent_at, next_attempt_at = @next_at, code = @code WHERE id = @id AND attempts = @attempts AND sent_at IS NULL;

-- name: AlertsFiring :many
SELECT a.*, coalesce(p.name, '')::text AS person, coalesce(k.name, '')::text AS acknowledger, coalesce(q.name, '')::text AS silencer
FROM alerts a LEFT JOIN staff p ON p.clinic_id = a.clinic_id AND p.id::text = a.subject
LEFT JOIN staff k ON k.id = a.acknowledged_by AND k.clinic_id = @clinic_id LEFT JOIN staff q ON q.id = a.silenced_by AND q.clinic_id = @clinic_id
WHERE (a.clinic_id = @clinic_id OR a.clinic_id = '00000000-0000-0000-0000-000000000000') AND a.state = 'firing' ORDER BY a.fired_at DESC, a.id;

-- name: AlertsPast :many
SELECT a.*, coalesce(p.name, '')::text AS person, coalesce(k.name, '')::text AS acknowledger, coalesce(q.name, '')::text AS silencer
FROM alerts a LEFT JOIN staff p ON p.clinic_id = a.clinic_id AND p.id::text = a.subject
LEFT JOIN staff k ON k.id = a.acknowledged_by AND k.clinic_id = @clinic_id LEFT JOIN staff q ON q.id = a.silenced_by AND q.clinic_id = @clinic_id
WHERE (a.clinic_id = @clinic_id OR a.clinic_id = '00000000-0000-0000-0000-000000000000') AND a.state = 'cleared'
  AND (a.cleared_at, a.id) < (@before::timestamptz, @before_id::uuid) ORDER BY a.cleared_at DESC, a.id DESC LIMIT @most;

-- name: AlertsTold :many
-- How far what is to be told of these alerts has come, by way.
SELECT n.alert_id, n.way, count(*) FILTER (WHERE n.sent_at IS NOT NULL)::int AS sent, count(*) FILTER (WHERE n.sent_at IS NULL)::int AS unsent,
       coalesce(max(n.code) FILTER (WHERE n.sent_at IS NULL), '')::text AS code
FROM alert_notices n WHERE (n.clinic_id = @clinic_id OR n.clinic_id = '00000000-0000-0000-0000-000000000000') AND n.alert_id = ANY(@ids::uuid[]) GROUP BY n.alert_id, n.way ORDER BY n.way;

-- name: AlertsCount :one
-- How many fire and wait for somebody: not acknowledged and not silenced.
SELECT count(*) FILTER (WHERE acknowledged_at IS NULL AND (silenced_until IS NULL OR silenced_until <= @at::timestamptz))::int AS waiting
FROM alerts WHERE (clinic_id = @clinic_id OR clinic_id = '00000000-0000-0000-0000-000000000000') AND state = 'firing';

-- name: AlertsByRule :many
SELECT rule, count(*)::int AS firing FROM alerts WHERE state = 'firing' GROUP BY rule;

-- name: AlertLock :one
SELECT * FROM alerts WHERE id = @id AND (clinic_id = @clinic_id OR clinic_id = '00000000-0000-0000-0000-000000000000') AND state <> 'pending' FOR UPDATE;

-- name: AlertAcknowledge :exec
UPDATE alerts SET acknowledged_by = @by::uuid, acknowledged_at = @at::timestamptz, note = @note, rev = rev + 1 WHERE id = @id AND clinic_id = @clinic_id;

-- name: AlertSilence :exec
UPDATE alerts SET silenced_by = @by::uuid, silenced_until = @until, rev = rev + 1 WHERE id = @id AND clinic_id = @clinic_id;
