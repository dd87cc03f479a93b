package clinic

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
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
