package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
)

// AuditFormats are the shapes that an export may have: a table, a line of JSON for each event, and a report to print.
var AuditFormats = []string{"csv", "json", "report"}

// AuditExported says what an export is of. Until is when it was asked for: nothing later is in it.
type AuditExported struct {
	ID     uuid.UUID
	Filter AuditFilter
	Until  time.Time
	Person string // whom it is of, by name, if it is of one
}

// AuditSink takes an export as it is read, batch by batch. What it does not take ends the export.
type AuditSink interface {
	Begin(AuditExported) error
	Rows([]AuditRow) error
	End(events int) (hash string, err error) // of all that was written
}

// AuditExport reads every event that the filter means into the sink, the newest first, a batch at a time: however many there
// are, only a batch is in memory. That it began is on the trail before the sink hears of it; how it ended, with how many events
// and the hash of what was written, is a second event, and says "broken" of an export that did not reach its end.
func (c *Clinic) AuditExport(ctx context.Context, a Actor, f AuditFilter, format string, to AuditSink) error {
	x := AuditExported{ID: newID(), Filter: f}
	subject := Subject{Kind: "export", ID: x.ID}
	var p db.AuditFindParams
	err := c.do(ctx, a, AuditExport, subject, func(t *tx) (err error) {
		var v form
		v.oneOf("format", "a format", format, AuditFormats...)
		if err := v.err(); err != nil {
			return err
		}
		if p, err = t.auditAsked(ctx, &x.Filter); err != nil {
			return err
		}
		if x.Until = t.at; p.Until.After(t.at) {
			p.Until = t.at
		}
		t.detail["format"], t.detail["state"] = format, "begun"
		people, err := t.auditPeople(ctx)
		for _, one := range people {
			if one.ID == f.Person {
				x.Person = one.Name
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	n, hash, broke := c.exportTo(ctx, x, p, to)
	subject.Patient = x.Filter.Patient
	if err := c.exported(ctx, a, subject, format, n, hash, broke != nil); err != nil && broke == nil {
		return err
	}
	return broke
}

// exportTo feeds the sink and counts.
func (c *Clinic) exportTo(ctx context.Context, x AuditExported, p db.AuditFindParams, to AuditSink) (n int, hash string, err error) {
	if err := to.Begin(x); err != nil {
		return 0, "", err
	}
	p.Before, p.BeforeID, p.RowLimit = p.Until, uuid.Nil, exportBatch
	known := c.mark(ctx)
	for {
		rows, err := c.exportBatch(ctx, known, p)
		if err != nil {
			return n, "", err
		}
		batch := make([]AuditRow, len(rows))
		for i, r := range rows {
			batch[i] = auditRow(r)
		}
		if err := to.Rows(batch); err != nil {
			return n, "", err
		}
		if n += len(rows); len(rows) < exportBatch {
			hash, err = to.End(n)
			return n, hash, err
		}
		p.Before, p.BeforeID = rows[len(rows)-1].At, rows[len(rows)-1].ID
	}
}

// exportBatch reads one batch in a transaction of its own: an export may last for minutes, and keeps nobody from anything. known
// is what there was when the export began, for the replica; nil: there is none.
func (c *Clinic) exportBatch(ctx context.Context, known *seen, p db.AuditFindParams) (rows []db.AuditFindRow, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	look := func(tx pgx.Tx) (err error) {
		q := db.New(tx)
		if err = q.AuditPlanEach(ctx); err == nil {
			rows, err = q.AuditFind(ctx, p)
		}
		return err
	}
	if known != nil {
		if done, err := c.replica.read(ctx, known.mark, replicaExport, look); done {
			return rows, err
		}
	}
	err = pgx.BeginTxFunc(ctx, c.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, look)
	return rows, err
}

// exported puts on the trail how an export ended, also when whoever asked for it has gone.
func (c *Clinic) exported(ctx context.Context, a Actor, s Subject, format string, n int, hash string, broke bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return c.do(ctx, a, AuditExport, s, func(t *tx) error {
		t.detail["format"], t.detail["state"], t.detail["events"] = format, "complete", n
		if broke {
			t.detail["state"] = "broken"
		} else {
			t.detail["sha256"] = hash
		}
		return nil
	})
}
