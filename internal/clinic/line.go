package clinic

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// line is a deed's way to Postgres inside its transaction. Writes that nobody waits for are put off and go in one round
// trip: before the next statement that is not put off, and at the latest before the commit. So the order of the code is
// the order in the database, and a deed that ends by three writes costs one trip for them.
type line struct {
	tx    pgx.Tx
	batch *pgx.Batch
	exact []bool // of each write put off: it must change exactly one row
}

// errMoved is a write that found its row elsewhere than the deed had read it.
var errMoved = refuse(Conflict, "moved", "This has just moved on.")

// flush sends what was put off. The first failure is the deed's.
func (l *line) flush(ctx context.Context) error {
	if len(l.exact) == 0 {
		return nil
	}
	batch, exact := l.batch, l.exact
	l.batch, l.exact = &pgx.Batch{}, nil
	results := l.tx.SendBatch(ctx, batch)
	var failed error
	for i := 0; i < len(exact) && failed == nil; i++ {
		var tag pgconn.CommandTag
		if tag, failed = results.Exec(); failed == nil && exact[i] && tag.RowsAffected() != 1 {
			failed = errMoved
		}
	}
	if err := results.Close(); failed == nil {
		failed = err
	}
	return failed
}

func (l *line) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := l.flush(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return l.tx.Exec(ctx, sql, args...)
}

func (l *line) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := l.flush(ctx); err != nil {
		return nil, err
	}
	return l.tx.Query(ctx, sql, args...)
}

func (l *line) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := l.flush(ctx); err != nil {
		return failedRow{err}
	}
	return l.tx.QueryRow(ctx, sql, args...)
}

// putOff is the same line for writes that are put off.
type putOff struct {
	*line
	exact bool
}

func (w putOff) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	w.batch.Queue(sql, args...)
	w.line.exact = append(w.line.exact, w.exact)
	return pgconn.CommandTag{}, nil
}

// errReads is a query that somebody tried to put off: its answer would come too late.
var errReads = errors.New("clinic: only a write without an answer can be put off")

func (w putOff) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errReads }

func (w putOff) QueryRow(context.Context, string, ...any) pgx.Row { return failedRow{errReads} }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
