package clinic

import (
	"context"
	"errors"
	"reflect"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"countersign/internal/db"
)

// ahead asks in one round trip what a deed is going to ask: ask is given queries that only take note. Who then asks one of
// these questions, with the same arguments, has the answer at once. It is as true as if it had been asked first: the answers are
// forgotten at any other statement, and as soon as a write is put off.
func (l *line) ahead(ctx context.Context, ask func(q *db.Queries)) error {
	if err := l.flush(ctx); err != nil {
		return err
	}
	var asked asking
	ask(db.New(&asked))
	l.first = false
	known, err := asked.send(ctx, l.tx)
	l.known = known
	return err
}

// errAsked is what a question that is only noted is answered.
var errAsked = errors.New("clinic: the question is only noted")

// asking takes note of questions.
type asking []question

type question struct {
	sql  string
	args []any
}

// is tells whether this is the same question: one statement, with arguments that are worth the same.
func (q *question) is(sql string, args []any) bool {
	return q.sql == sql && reflect.DeepEqual(q.args, args)
}

var _ db.DBTX = (*asking)(nil)

func (a *asking) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	panic("clinic: only a question can be asked ahead")
}

func (a *asking) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	a.note(sql, args)
	return nil, errAsked
}

func (a *asking) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	a.note(sql, args)
	return failedRow{errAsked}
}

func (a *asking) note(sql string, args []any) {
	if !slices.ContainsFunc(*a, func(q question) bool { return q.is(sql, args) }) {
		*a = append(*a, question{sql, args})
	}
}

// trip is a transaction, or a connection: what goes by it together is one round trip.
type trip interface {
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	Conn() *pgx.Conn
}

// send asks all of them together.
func (a asking) send(ctx context.Context, by trip) (known recalled, err error) {
	var batch pgx.Batch
	for _, q := range a {
		batch.Queue(q.sql, q.args...)
	}
	results := by.SendBatch(ctx, &batch)
	for _, q := range a {
		one := answered{question: q, types: by.Conn().TypeMap()}
		if err = one.take(results.Query()); err != nil {
			break
		}
		known = append(known, one)
	}
	if closed := results.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return known, nil
}

// take keeps what came back.
func (a *answered) take(rows pgx.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	a.fields = slices.Clone(rows.FieldDescriptions())
	for rows.Next() {
		a.rows = append(a.rows, copied(rows.RawValues()))
	}
	return rows.Err()
}

// copied is a row in memory of its own: pgx reads the next one into what it gave.
func copied(row [][]byte) [][]byte {
	size := 0
	for _, value := range row {
		size += len(value)
	}
	all, out := make([]byte, 0, size), make([][]byte, len(row))
	for i, value := range row {
		if value != nil {
			all = append(all, value...)
			out[i] = all[len(all)-len(value) : len(all) : len(all)]
		}
	}
	return out
}
