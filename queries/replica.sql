-- Where two servers of one database stand. A place in the log counts only beside the database and the timeline that it is of:
-- after a fail-over the same number may be another past.

-- name: MarkGet :one
-- On the primary: what was committed before this question is in the log up to here. With synchronous_commit a commit is seen
-- once it is flushed; without it, sooner.
SELECT CASE WHEN pg_is_in_recovery() THEN '' ELSE (pg_control_system()).system_identifier || ' ' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8) END::text AS origin,
       CASE WHEN pg_is_in_recovery() THEN 0 WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn() - '0/0'
            ELSE pg_current_wal_flush_lsn() - '0/0' END::bigint AS at;

-- name: ReplicaState :one
-- On a replica: what is in the log up to here, the statements after this one see. Of its timelines it says the one of its last
-- restart point, which is never ahead of what it replays.
SELECT pg_is_in_recovery() AS standby,
       ((pg_control_system()).system_identifier || ' ' || lpad(upper(to_hex((pg_control_checkpoint()).timeline_id)), 8, '0'))::text AS origin,
       coalesce(pg_last_wal_replay_lsn() - '0/0', 0)::bigint AS at;
