package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// appendOnly are the tables that the app's role may read and add to, and never change. Triggers say the same to every
// role; the missing permission does not depend on them.
var appendOnly = []string{"audit_events", "backups", "consents", "ledger_archives", "ledger_checkpoints", "ledger_leaves"}

// deletable are the tables of which the app's role may delete rows: those that a query of ours deletes of. A test holds the two
// together.
var deletable = []string{"acknowledgements", "alerts", "audit_pending", "audit_refusals", "briefs", "care_team", "csp_reports", "deliveries", "delivery_attempts", "delivery_events",
	"draft_requests", "drafts", "figure_minutes", "figure_quarters", "follow_ups", "glass_tries", "messages", "page_proofs", "page_sessions", "pages", "reviews", "sessions",
	"up_minutes", "vital_hours"}

// grant gives the app's role the schema's tables, in one transaction, so that a running app sees no gap.
func grant(ctx context.Context, owner, app *pgx.ConnConfig, out io.Writer) error {
	if owner.User == app.User {
		fmt.Fprintf(out, "One role: %s owns the schema and runs the app. Only triggers keep it from changing the audit trail.\n", owner.User)
		return nil
	}
	conn, err := pgx.ConnectConfig(ctx, owner)
	if err != nil {
		return fmt.Errorf("the database cannot be reached: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error { return grantTo(ctx, tx, app.User) })
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code != "XX000" && pg.Code != "40P01" && pg.Code != "40001" { // XX000: updated by another grant
			return struct{}{}, backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxTries(5), backoff.WithMaxElapsedTime(30*time.Second))
	if err != nil {
		return fmt.Errorf("the app's role %s cannot be given its permissions: %w", app.User, err)
	}
	fmt.Fprintf(out, "Role %s may use the schema; it may not change the audit trail or the consent ledger.\n", app.User)
	return nil
}

func grantTo(ctx context.Context, tx pgx.Tx, name string) error {
	var schema string
	if err := tx.QueryRow(ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return err
	}
	in, role := pgx.Identifier{schema}.Sanitize(), pgx.Identifier{name}.Sanitize()
	if err := run(ctx, tx,
		"GRANT USAGE ON SCHEMA "+in+" TO "+role,
		"REVOKE ALL ON ALL TABLES IN SCHEMA "+in+" FROM "+role,
		"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA "+in+" TO "+role,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA "+in+" TO "+role,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA "+in+" GRANT SELECT, INSERT, UPDATE ON TABLES TO "+role,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA "+in+" REVOKE DELETE ON TABLES FROM "+role, // which versions before gave
		"ALTER DEFAULT PRIVILEGES IN SCHEMA "+in+" GRANT USAGE, SELECT ON SEQUENCES TO "+role,
		"REVOKE UPDATE ON "+in+".audit_pending FROM "+role,
		"REVOKE INSERT ON "+in+".instance FROM "+role,
		"REVOKE INSERT ON "+in+".ledger_archives FROM "+role,
		"REVOKE INSERT, UPDATE ON "+in+".schema_migrations, "+in+".delivery_edges FROM "+role,
	); err != nil {
		return err
	}
	for _, table := range deletable {
		if err := run(ctx, tx, "GRANT DELETE ON "+in+"."+pgx.Identifier{table}.Sanitize()+" TO "+role); err != nil {
			return err
		}
	}
	tables, err := partitionsOf(ctx, tx, schema, appendOnly)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if err := run(ctx, tx, "REVOKE UPDATE ON "+in+"."+pgx.Identifier{table}.Sanitize()+" FROM "+role); err != nil {
			return err
		}
	}
	return nil
}

// partitionsOf are the tables themselves and their partitions.
func partitionsOf(ctx context.Context, tx pgx.Tx, schema string, tables []string) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND (c.relname = ANY($2) OR EXISTS (
			SELECT 1 FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent WHERE i.inhrelid = c.oid AND p.relname = ANY($2)))`, schema, tables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func run(ctx context.Context, tx pgx.Tx, statements ...string) error {
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
