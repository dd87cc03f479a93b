package app

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/golang-migrate/migrate/v4"
	pgxdriver "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	countersign "countersign"
	"countersign/internal/config"
)

// How long Migrate waits for a database that is starting, and for another migration to end.
const (
	databaseWait = 30 * time.Second
	lockWait     = 2 * time.Minute
)

// Migrate brings the schema to this version as the owner (MIGRATE_DATABASE_URL) and gives the app's role
// (DATABASE_URL) what it needs and no more. It may be run again, and by several at once: one migrates, the others wait.
// What it did is said on out. Its errors name no password.
func Migrate(ctx context.Context, cfg *config.Config, out io.Writer) error {
	return migrateFrom(ctx, cfg, countersign.Migrations(), out)
}

func migrateFrom(ctx context.Context, cfg *config.Config, migrations fs.FS, out io.Writer) error {
	owner, err := pgx.ParseConfig(cfg.MigrateDatabaseURL.Reveal())
	if err != nil {
		return errors.New("MIGRATE_DATABASE_URL is not an address that Postgres understands")
	}
	app, err := pgx.ParseConfig(cfg.DatabaseURL.Reveal())
	if err != nil {
		return errors.New("DATABASE_URL is not an address that Postgres understands")
	}
	if err := awaitDatabase(ctx, owner, out); err != nil {
		return err
	}
	database := stdlib.OpenDB(*owner)
	defer database.Close()
	done, err := turn(ctx, database)
	if err != nil {
		return err
	}
	from, to, err := up(ctx, database, migrations)
	if done(); err != nil {
		return err
	}
	if from == to {
		fmt.Fprintf(out, "The schema is at version %d already.\n", to)
	} else {
		fmt.Fprintf(out, "The schema went from version %d to %d.\n", from, to)
	}
	if err := monthsAhead(ctx, owner); err != nil {
		return err
	}
	return grant(ctx, owner, app, out)
}

// monthsAhead makes the audit trail's partitions for this month and the thirteen after it. What a forgotten migrate
// leaves uncovered goes to the default partition: slower to read, never lost.
func monthsAhead(ctx context.Context, owner *pgx.ConnConfig) error {
	conn, err := pgx.ConnectConfig(ctx, owner)
	if err != nil {
		return fmt.Errorf("the database cannot be reached: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = backoff.Retry(ctx, func() (pgconn.CommandTag, error) {
		tag, err := conn.Exec(ctx, "SELECT audit_partitions((now() AT TIME ZONE 'UTC')::date, 14)")
		var pg *pgconn.PgError
		if errors.As(err, &pg) && pg.Code != "40P01" { // a deadlock with the grants of another migrate passes
			return tag, backoff.Permanent(err)
		}
		return tag, err
	}, backoff.WithMaxTries(5))
	if err != nil {
		return fmt.Errorf("the audit trail's months cannot be made: %w", err)
	}
	return nil
}

// awaitDatabase waits while Postgres starts. A wrong password or database is not waited for.
func awaitDatabase(ctx context.Context, at *pgx.ConnConfig, out io.Writer) error {
	said := false
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 2*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		conn, err := pgx.ConnectConfig(ctx, at)
		if err == nil {
			return struct{}{}, conn.Close(ctx)
		}
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code != "57P03" && refused.Code != "53300" {
			return struct{}{}, backoff.Permanent(err)
		}
		if !said {
			said = true
			fmt.Fprintf(out, "Waiting for Postgres at %s:%d …\n", at.Host, at.Port)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(databaseWait))
	if err != nil {
		return fmt.Errorf("the database cannot be reached: %w", err)
	}
	return nil
}

// turn waits until no other migrate is at it, and gives the turn back by done. It asks again and again and does not wait in
// Postgres: a statement that waits there holds a snapshot, and an index that is made CONCURRENTLY waits for every snapshot, so the
// two would wait for each other.
func turn(ctx context.Context, database *sql.DB) (done func(), err error) {
	conn, err := database.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("the database cannot be reached: %w", err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, fmt.Errorf("another migration has held the lock for %s; try again when it has ended", lockWait))
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		var mine bool
		if err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(hashtext('countersign.migrate'))").Scan(&mine); mine {
			return func() {
				_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock(hashtext('countersign.migrate'))")
				conn.Close()
			}, nil
		}
		if err == nil {
			select {
			case <-again.C:
				continue
			case <-ctx.Done():
			}
		}
		conn.Close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
}

// up applies what is missing. ctx ends it between two files.
func up(ctx context.Context, database *sql.DB, migrations fs.FS) (from, to uint, err error) {
	source, err := iofs.New(migrations, ".")
	if err != nil {
		return 0, 0, err
	}
	driver, err := backoff.Retry(ctx, func() (*pgxdriver.Postgres, error) {
		d, err := pgxdriver.WithInstance(database, &pgxdriver.Config{})
		if err != nil {
			return nil, err // two first migrations at once may both try to make the table of versions
		}
		return d.(*pgxdriver.Postgres), nil
	}, backoff.WithMaxTries(5))
	if err != nil {
		return 0, 0, err
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	if err != nil {
		return 0, 0, err
	}
	defer m.Close()
	m.LockTimeout = lockWait
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true })
	defer stop()
	if from, err = version(m); err != nil {
		return 0, 0, err
	}
	if err := m.Up(); err != nil && !errors.Is(err, migrate.ErrNoChange) {
		return from, from, explain(err)
	}
	if ctx.Err() != nil {
		return from, from, ctx.Err()
	}
	to, err = version(m)
	return from, to, err
}

func version(m *migrate.Migrate) (uint, error) {
	v, _, err := m.Version()
	if errors.Is(err, migrate.ErrNilVersion) {
		return 0, nil
	}
	return v, err
}

// explain says what a person can do about a failed migration.
func explain(err error) error {
	var dirty migrate.ErrDirty
	switch {
	case errors.As(err, &dirty):
		return fmt.Errorf("migration %d broke off in the middle some time ago; restore the database, or repair it by hand and set schema_migrations to the last whole version", dirty.Version)
	case errors.Is(err, migrate.ErrLockTimeout):
		return fmt.Errorf("another migration has held the lock for %s; try again when it has ended", lockWait)
	}
	return fmt.Errorf("the migration failed: %w", err)
}
