package clinic

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"countersign/internal/db"
)

// answered is a question with its answer, to be read as pgx's own are.
type answered struct {
	question
	fields []pgconn.FieldDescription
	rows   [][][]byte
	types  *pgtype.Map
}

// reader reads an answer from its first row on.
func (a *answered) reader() *retold { return &retold{answered: a, at: -1} }

// retold is one reading of an answer.
type retold struct {
	*answered
	at  int
	err error
}

var _ pgx.Rows = (*retold)(nil)

func (r *retold) Next() bool {
	r.at++
	return r.err == nil && r.at < len(r.answered.rows)
}

func (r *retold) Scan(dest ...any) error {
	if r.err == nil {
		r.err = pgx.ScanRow(r.types, r.fields, r.RawValues(), dest...)
	}
	return r.err
}

func (r *retold) Values() ([]any, error) { return nil, errAsked } // nothing of ours reads a row without saying into what

func (r *retold) RawValues() [][]byte                          { return r.answered.rows[r.at] }
func (r *retold) Close()                                       { r.at = len(r.answered.rows) }
func (r *retold) Err() error                                   { return r.err }
func (r *retold) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (r *retold) FieldDescriptions() []pgconn.FieldDescription { return r.fields }
func (r *retold) Conn() *pgx.Conn                              { return nil }
func (r *retold) TypeMap() *pgtype.Map                         { return r.types }

// first reads an answer's only row, as QueryRow does.
type first struct{ *retold }

func (f first) Scan(dest ...any) error {
	if !f.Next() {
		return pgx.ErrNoRows
	}
	return f.retold.Scan(dest...)
}

// recalled answers the questions that were asked together, and no other.
type recalled []answered

var _ db.DBTX = recalled(nil)

func (r recalled) Exec(context.Context, string, ...any) (pgconn.CommandTag, error) {
	panic("clinic: only a question can be asked ahead")
}

func (r recalled) Query(_ context.Context, sql string, args ...any) (pgx.Rows, error) {
	if a := r.find(sql, args); a != nil {
		return a, nil
	}
	return nil, errAsked
}

func (r recalled) QueryRow(_ context.Context, sql string, args ...any) pgx.Row {
	if a := r.find(sql, args); a != nil {
		return first{a}
	}
	return failedRow{errAsked}
}

func (r recalled) find(sql string, args []any) *retold {
	for i := range r {
		if r[i].is(sql, args) {
			return r[i].reader()
		}
	}
	return nil
}
