package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"countersign/internal/db"
)

// PlainIDs is what a new connection is taught about ids.
var PlainIDs = plainIDs

// Fold is for the tests that hold the database's drawing against it.
var Fold = fold

// Line is a deed's way to Postgres, for the tests of what it puts off.
type Line struct{ line }

func NewLine(tx pgx.Tx) *Line { return &Line{line{tx: tx}} }

// Step puts off taking a delivery to a state, with its event.
func (l *Line) Step(d *db.Delivery, state string) error {
	rev := d.Rev
	if d.State == "queued" && state == "sending" {
		d.Attempt, d.LeaseUntil = d.Attempt+1, &d.NotAfter
	}
	d.State, d.Rev = state, rev+1
	l.save(d, rev)
	e := WorkerActor("test").event(DeliverySweep, Subject{Kind: "delivery", ID: d.ID}, d.CreatedAt, "done", "")
	e.ClinicID, e.Rev = d.ClinicID, &d.Rev
	return l.append(e)
}

// Note puts off writing a delivery as it is.
func (l *Line) Note(d *db.Delivery) { l.save(d, d.Rev) }

func (l *Line) Flush(ctx context.Context) error { return l.flush(ctx) }

func (l *Line) Ahead(ctx context.Context, ask func(q *db.Queries)) error { return l.ahead(ctx, ask) }

// PutOff is a connection that takes writes for later.
func PutOff() db.DBTX { return &putOff{} }

// ClaimTogether, RecordTogether and ReceiveTogether are what a shared transaction does, with who shares it chosen.
func ClaimTogether(ctx context.Context, c *Clinic, a Actor, ids []uuid.UUID) ([]*Parcel, error) {
	all := make([]*claim, len(ids))
	for i, id := range ids {
		all[i] = &claim{actor: a, id: id}
	}
	_, err := c.claimAll(ctx, all, false)
	parcels := make([]*Parcel, len(ids))
	for i, one := range all {
		parcels[i] = one.parcel
	}
	return parcels, err
}

func RecordTogether(ctx context.Context, c *Clinic, a Actor, parcels []*Parcel, provider string, outs []Outcome) error {
	all := make([]*record, len(parcels))
	for i, p := range parcels {
		a.ClinicID = p.clinicID
		all[i] = &record{a, p, provider, outs[i]}
	}
	_, err := c.recordAll(ctx, all, false)
	return err
}

func ReceiveTogether(ctx context.Context, c *Clinic, a Actor, posts [][]Receipt) error {
	all := make([]*post, len(posts))
	for i, receipts := range posts {
		all[i] = &post{a, receipts}
	}
	_, err := c.receiveAll(ctx, all, false)
	return err
}

// UnknownOf is what a look-up that began long ago still holds in its hands.
func UnknownOf(delivery, clinic uuid.UUID) Unknown {
	return Unknown{DeliveryID: delivery, Attempt: 1, clinicID: clinic}
}

// CodeWords and ConfigurationCodes are for the test that holds the tables against what the rooms can say.
var (
	CodeWords          = codeWords
	ConfigurationCodes = configuration
)

// LedgerVerifyWithin is LedgerVerify where no more leaves or events may wait for their other half; 0: as many as ever.
func LedgerVerifyWithin(ctx context.Context, c *Clinic, check LedgerCheck, waiting int) (LedgerReport, error) {
	if waiting == 0 {
		waiting = mostWaiting
	}
	return c.ledgerVerify(ctx, check, waiting)
}

// Strangers is what an evaluation of the alerts counts of who is not known, by rule.
func Strangers(ctx context.Context, c *Clinic, since time.Time) (map[string]float64, error) {
	rows, err := db.New(c.pool).AlertStrangers(ctx, since)
	of := map[string]float64{}
	for _, r := range rows {
		of[r.Rule] += r.Value
	}
	return of, err
}

// Opening is a transaction that begins with its first statement, on a pool of the test's own.
func Opening(ctx context.Context, pool *pgxpool.Pool, begin string) (pgx.Tx, error) {
	return opening{pool}.BeginTx(ctx, pgx.TxOptions{BeginQuery: begin})
}

// NewFirstLine is a line before its first statement.
func NewFirstLine(tx pgx.Tx) *Line { return &Line{line{tx: tx, first: true}} }
