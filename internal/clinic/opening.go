package clinic

import (
	"cmp"
	"context"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// opening lets transactions begin with their first statement, in one round trip with it. One that comes to none has not begun.
type opening struct{ pool *pgxpool.Pool }

// BeginTx takes a connection. What begins the transaction is BeginQuery, statement by statement, or a plain begin.
func (o opening) BeginTx(ctx context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	conn, err := o.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return &openingTx{conn: conn, first: strings.Split(cmp.Or(options.BeginQuery, "begin"), "; ")}, nil
}

// openingTx is such a transaction. What goes as a batch takes the beginning along; anything else comes after it.
type openingTx struct {
	pgx.Tx // nil: what stands below is all that a deed does with it
	conn   *pgxpool.Conn
	first  []string // what has to go before the first statement; none once it has
	ended  bool
}

func (t *openingTx) Conn() *pgx.Conn { return t.conn.Conn() }

func (t *openingTx) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if len(t.first) == 0 {
		return t.conn.SendBatch(ctx, b)
	}
	var all pgx.Batch
	for _, sql := range t.first {
		all.Queue(sql)
	}
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	results := t.conn.SendBatch(ctx, &all)
	for len(t.first) > 0 {
		if _, err := results.Exec(); err != nil {
			return results // which tells it to who asks next
		}
		t.first = t.first[1:]
	}
	return results
}

func (t *openingTx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	if err := t.begin(ctx); err != nil {
		return pgconn.CommandTag{}, err
	}
	return t.conn.Exec(ctx, sql, args...)
}

func (t *openingTx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.conn.Query(ctx, sql, args...)
}

func (t *openingTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.begin(ctx); err != nil {
		return failedRow{err}
	}
	return t.conn.QueryRow(ctx, sql, args...)
}

// begin begins by itself, if that has not been done.
func (t *openingTx) begin(ctx context.Context) error { return t.SendBatch(ctx, &pgx.Batch{}).Close() }

func (t *openingTx) Commit(ctx context.Context) error {
	tag, err := t.end(ctx, "commit")
	if err == nil && tag.String() == "ROLLBACK" {
		return pgx.ErrTxCommitRollback
	}
	return err
}

func (t *openingTx) Rollback(ctx context.Context) error {
	_, err := t.end(ctx, "rollback")
	return err
}

// end gives the connection back. One that did not end its transaction is closed by the pool.
func (t *openingTx) end(ctx context.Context, sql string) (tag pgconn.CommandTag, err error) {
	if t.ended {
		return tag, pgx.ErrTxClosed
	}
	t.ended = true
	defer t.conn.Release()
	if len(t.first) == 0 {
		tag, err = t.conn.Exec(ctx, sql)
	}
	return tag, err
}
