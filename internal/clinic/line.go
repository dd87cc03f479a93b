package clinic

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"countersign/internal/db"
)

// line is a deed's way to Postgres inside its transaction. Writes that nobody waits for are put off, gathered by kind, and
// go in one round trip with one statement for each kind, however many rows it has: before the next statement that is not
// put off, and at the latest before the commit. So what a deed asks it asks after what it wrote. Among the writes that go
// together the order of kinds is the one in flush; two writes of one row keep theirs.
type line struct {
	tx pgx.Tx
	writes
	known recalled // what was asked ahead, until anything else is
	first bool     // nothing was sent yet: the first question is asked as a batch, which takes the transaction's beginning along
}

// errMoved is a write that found its row elsewhere than the deed had read it.
var errMoved = refuse(Conflict, "moved", "This has just moved on.")

// flush sends what was put off. The first failure is the deed's.
func (l *line) flush(ctx context.Context) error {
	if !l.any {
		return nil
	}
	l.known = nil
	off := &putOff{}
	err := l.writes.queue(ctx, off)
	l.writes = writes{}
	if err != nil {
		return err
	}
	l.first = false
	results := l.tx.SendBatch(ctx, &off.batch)
	var failed error
	for i := 0; i < len(off.rows) && failed == nil; i++ {
		var tag pgconn.CommandTag
		if tag, failed = results.Exec(); failed == nil && off.rows[i] >= 0 && tag.RowsAffected() != int64(off.rows[i]) {
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
	l.known = nil
	return l.tx.Exec(ctx, sql, args...)
}

func (l *line) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if a := l.knows(sql, args); a != nil {
		return a, nil
	}
	if err := l.flush(ctx); err != nil {
		return nil, err
	}
	if l.first {
		return l.open(ctx, sql, args)
	}
	return l.tx.Query(ctx, sql, args...)
}

func (l *line) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if a := l.knows(sql, args); a != nil {
		return first{a}
	}
	if err := l.flush(ctx); err != nil {
		return failedRow{err}
	}
	if l.first {
		a, err := l.open(ctx, sql, args)
		if err != nil {
			return failedRow{err}
		}
		return first{a}
	}
	return l.tx.QueryRow(ctx, sql, args...)
}

// open asks the first question.
func (l *line) open(ctx context.Context, sql string, args []any) (*retold, error) {
	l.first = false
	known, err := asking{{sql, args}}.send(ctx, l.tx)
	if err != nil {
		return nil, err
	}
	return known[0].reader(), nil
}

// knows is the answer to a question that was asked ahead, nil for every other one. After a write or another question there is
// none: what was true before may be no more.
func (l *line) knows(sql string, args []any) *retold {
	if !l.any {
		if a := l.known.find(sql, args); a != nil {
			return a
		}
	}
	l.known = nil
	return nil
}

// putOff takes statements for one round trip, and how many rows each has to change: anyRows where that is no matter.
type putOff struct {
	batch pgx.Batch
	rows  []int
	next  int
}

const anyRows = -1

var _ db.DBTX = (*putOff)(nil)

func (w *putOff) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	w.batch.Queue(sql, args...)
	w.rows = append(w.rows, w.next)
	return pgconn.CommandTag{}, nil
}

// errReads is a query that somebody tried to put off: its answer would come too late.
var errReads = errors.New("clinic: only a write without an answer can be put off")

func (w *putOff) Query(context.Context, string, ...any) (pgx.Rows, error) { return nil, errReads }

func (w *putOff) QueryRow(context.Context, string, ...any) pgx.Row { return failedRow{errReads} }

type failedRow struct{ err error }

func (r failedRow) Scan(...any) error { return r.err }
