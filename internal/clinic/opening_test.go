package clinic_test

import (
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// opened is a pool of one connection, what transactions on it took, and how one is begun.
func opened(t *testing.T) (*clinictest.World, *pgxpool.Pool, *trips, func(begin string) pgx.Tx) {
	t.Helper()
	w := clinictest.New(t)
	config, err := pgxpool.ParseConfig(w.URL)
	must(t, err)
	seen := &trips{}
	config.MaxConns, config.ConnConfig.Tracer = 1, seen
	pool, err := pgxpool.NewWithConfig(ctx, config)
	must(t, err)
	t.Cleanup(pool.Close)
	return w, pool, seen, func(begin string) pgx.Tx {
		tx, err := clinic.Opening(ctx, pool, begin)
		must(t, err)
		t.Cleanup(func() { _ = tx.Rollback(ctx) })
		return tx
	}
}

// A transaction begins with its first statement, whichever it is, and one without any takes no round trip. Its connection
// comes back as it was.
func TestOpening(t *testing.T) {
	t.Parallel()
	w, pool, seen, begin := opened(t)
	for name, c := range map[string]struct {
		trips int
		first func(tx pgx.Tx, l *clinic.Line) error
	}{
		"nothing": {0, func(pgx.Tx, *clinic.Line) error { return nil }},
		"question": {2, func(_ pgx.Tx, l *clinic.Line) error {
			return l.QueryRow(ctx, "SELECT '', $1::int", 1).Scan(new(string), new(int))
		}},
		"rows": {2, func(_ pgx.Tx, l *clinic.Line) error {
			rows, err := l.Query(ctx, "SELECT 1")
			must(t, err)
			got, err := pgx.CollectRows(rows, pgx.RowTo[int])
			if len(got) != 1 {
				t.Errorf("%d rows", len(got))
			}
			return err
		}},
		"write": {3, func(_ pgx.Tx, l *clinic.Line) error {
			_, err := l.Exec(ctx, "UPDATE clinics SET name = name")
			return err
		}},
		"past the line": {3, func(tx pgx.Tx, _ *clinic.Line) error {
			return tx.QueryRow(ctx, "SELECT 1").Scan(new(int))
		}},
	} {
		for _, end := range []func(pgx.Tx) error{func(tx pgx.Tx) error { return tx.Commit(ctx) }, func(tx pgx.Tx) error { return tx.Rollback(ctx) }} {
			seen.all = nil
			tx := begin("")
			must(t, c.first(tx, clinic.NewFirstLine(tx)))
			if status := tx.Conn().PgConn().TxStatus(); (status == 'T') != (c.trips > 0) {
				t.Errorf("%s: the transaction stands at %c", name, status)
			}
			must(t, end(tx))
			if !errors.Is(tx.Rollback(ctx), pgx.ErrTxClosed) || !errors.Is(tx.Commit(ctx), pgx.ErrTxClosed) {
				t.Errorf("%s: it ends twice", name)
			}
			if len(seen.all) != c.trips {
				t.Errorf("%s takes %d round trips, not %d: %q", name, len(seen.all), c.trips, seen.all)
			}
		}
	}
	if pool.Stat().NewConnsCount() != 1 {
		t.Errorf("%d connections were opened", pool.Stat().NewConnsCount())
	}
	wantCount(t, w, 1, "clinics", "SELECT count(*) FROM clinics")
}

// What fails before the transaction has begun does not leave the next statement outside of one, and what fails in it cannot
// be committed.
func TestOpeningThatFails(t *testing.T) {
	t.Parallel()
	w, _, _, begin := opened(t)
	rename := func(l *clinic.Line) error { _, err := l.Exec(ctx, "UPDATE clinics SET name = 'outside'"); return err }

	tx := begin("BROKEN")
	l := clinic.NewFirstLine(tx)
	if err := l.QueryRow(ctx, "SELECT 1").Scan(new(int)); err == nil || rename(l) == nil {
		t.Error("it goes on without having begun")
	}
	must(t, tx.Rollback(ctx))

	tx = begin("")
	l = clinic.NewFirstLine(tx)
	if err := l.QueryRow(ctx, "SELECT 1/$1::int", 0).Scan(new(int)); err == nil {
		t.Error("a division by zero went well")
	}
	if rename(l) == nil {
		t.Error("the transaction goes on after a failure")
	}
	if err := tx.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) {
		t.Errorf("it commits: %v", err)
	}

	tx = begin("BEGIN; SET LOCAL lock_timeout = '250ms'")
	var is string
	must(t, clinic.NewFirstLine(tx).QueryRow(ctx, "SHOW lock_timeout").Scan(&is))
	must(t, tx.Commit(ctx))
	after := begin("")
	var then string
	must(t, clinic.NewFirstLine(after).QueryRow(ctx, "SHOW lock_timeout").Scan(&then))
	must(t, after.Rollback(ctx))
	if is != "250ms" || then != "0" {
		t.Errorf("locks are waited for %s, and afterwards %s", is, then)
	}
	wantCount(t, w, 0, "names written outside", "SELECT count(*) FROM clinics WHERE name = 'outside'")
}
