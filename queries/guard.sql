-- name: GuardsSee :one
-- What the database shows of how it is guarded. No patient is looked at.
SELECT (has_table_privilege('audit_events', 'UPDATE') OR has_table_privilege('audit_events', 'DELETE') OR has_table_privilege('audit_events', 'TRUNCATE'))::bool AS may_rewrite,
    (SELECT count(*) FROM staff p WHERE p.clinic_id = @clinic_id AND p.role IS NOT NULL AND p.disabled_at IS NULL AND p.created_at < @since
        AND NOT EXISTS (SELECT 1 FROM sessions e WHERE e.clinic_id = p.clinic_id AND e.staff_id = p.id AND e.created_at > @since))::int AS unseen;
