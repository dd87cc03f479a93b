package clinic_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/db"
)

// trips notes each round trip to Postgres: the query's name, or how many statements went together.
type trips struct{ all []string }

func (n *trips) TraceQueryStart(c context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	name, _, _ := strings.Cut(strings.TrimPrefix(d.SQL, "-- name: "), " ")
	n.all = append(n.all, name)
	return c
}

func (n *trips) TraceBatchStart(c context.Context, _ *pgx.Conn, d pgx.TraceBatchStartData) context.Context {
	n.all = append(n.all, fmt.Sprintf("%d together", d.Batch.Len()))
	return c
}

func (n *trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData)     {}
func (n *trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (n *trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}

// What was asked ahead is answered from what came back, row by row, also when there is none. After a write, a write that is put
// off, or any other statement it is asked anew: nobody is told what was true before.
func TestAhead(t *testing.T) {
	t.Parallel()
	_, tx, l, all := lined(t, 2)
	q := db.New(l)
	d := all[0]
	rounds := db.DeliveryRoundsParams{MessageID: d.MessageID, ClinicID: d.ClinicID, Kind: "notice"}
	none := db.DeliveryRoundsParams{MessageID: d.MessageID, ClinicID: d.ClinicID, Kind: "code"}
	list := db.DeliveriesOfMessageParams{MessageID: d.MessageID, ClinicID: d.ClinicID}
	page := db.PageOfMessageParams{MessageID: *d.MessageID, ClinicID: d.ID} // no such clinic
	ask := func(q *db.Queries) {
		_, _ = q.DeliveryRounds(ctx, rounds)
		_, _ = q.DeliveriesOfMessage(ctx, list)
		_, _ = q.PageOfMessage(ctx, page)
		_, _ = q.DeliveryRounds(ctx, rounds)
	}
	state := func() string {
		t.Helper()
		rows, err := q.DeliveriesOfMessage(ctx, list)
		must(t, err)
		if len(rows) != 1 || rows[0].ID != d.ID || len(rows[0].Mac) == 0 {
			t.Errorf("the answer is %+v", rows)
		}
		return rows[0].State
	}
	for name, other := range map[string]func(){
		"put off":       func() { l.Note(all[1]) },
		"written":       func() { must(t, q.ContactBounce(ctx, db.ContactBounceParams{})) },
		"asked a lock":  func() { _, err := q.DeliveryLock(ctx, all[1].ID); must(t, err) },
		"another value": func() { _, err := q.DeliveryRounds(ctx, none); must(t, err) },
	} {
		behind(t, tx, d.ID, "queued")
		must(t, l.Ahead(ctx, ask))
		behind(t, tx, d.ID, "expired")
		if got := state(); got != "queued" {
			t.Errorf("%s: it was asked again, or not for the same: %s", name, got)
		}
		if n, err := q.DeliveryRounds(ctx, rounds); err != nil || n != 1 {
			t.Errorf("%s: %d rounds, %v", name, n, err)
		}
		if _, err := q.PageOfMessage(ctx, page); !errors.Is(err, pgx.ErrNoRows) {
			t.Errorf("%s: no row is %v", name, err)
		}
		if other(); state() != "expired" {
			t.Errorf("%s: it tells what was true before", name)
		}
	}
	must(t, l.Flush(ctx))
	_, err := tx.Exec(ctx, "ALTER TABLE pages RENAME TO pages_away")
	must(t, err)
	if err := l.Ahead(ctx, ask); err == nil {
		t.Error("a question that fails is the deed's failure")
	}
}

// behind changes a delivery in the same transaction, unseen by the line.
func behind(t *testing.T, tx pgx.Tx, id uuid.UUID, state string) {
	t.Helper()
	for _, sql := range []string{"SET LOCAL session_replication_role = replica", "UPDATE deliveries SET state = '" + state + "' WHERE id = '" + id.String() + "'",
		"SET LOCAL session_replication_role = DEFAULT"} {
		_, err := tx.Exec(ctx, sql)
		must(t, err)
	}
}

// What people wait for most takes few round trips to Postgres, begin and commit among them, however much it looks at: far
// from its database, a page is as slow as it asks often.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	seen := &trips{}
	w := clinictest.New(t, func(c *clinic.Config) { c.Tracer = seen })
	m := w.Submitted(t, w.Patient, "email")
	w.Answer(t, w.Doctor, m)
	version := func() int { return w.Show(t, w.Doctor, m).Message.Version }
	for _, deed := range []struct {
		name string
		most int
		do   func(version int) error
	}{
		{"worklist", 4, func(int) error { _, err := w.Clinic.WorklistShow(ctx, w.Doctor, ""); return err }},
		{"patients", 4, func(int) error { _, err := w.Clinic.PatientList(ctx, w.Doctor, ""); return err }},
		{"patient", 4, func(int) error { _, err := w.Clinic.PatientShow(ctx, w.Doctor, w.Patient); return err }},
		{"brief", 4, func(int) error { _, err := w.Clinic.BriefShow(ctx, w.Staff, m); return err }},
		{"review", 4, func(int) error { _, err := w.Clinic.ReviewShow(ctx, w.Doctor, m); return err }},
		{"edit", 8, func(v int) error {
			text := w.Show(t, w.Doctor, m).Text.Reveal()
			seen.all = nil
			_, err := w.Clinic.DraftEdit(ctx, w.Doctor, m, v, text+" Drink enough.")
			return err
		}},
		{"check", 6, func(int) error { _, err := w.Clinic.DraftCheck(ctx, w.Doctor, m, "Hello."); return err }},
		{"approve", 4, func(v int) error {
			w.Answer(t, w.Doctor, m)
			seen.all = nil
			return w.Clinic.ReviewApprove(ctx, w.Doctor, m, v, nil)
		}},
		{"message", 5, func(int) error { _, err := w.Clinic.MessageShow(ctx, w.Doctor, m); return err }},
	} {
		v := version()
		seen.all = nil
		if err := deed.do(v); err != nil {
			t.Errorf("%s: %v", deed.name, err)
		}
		if len(seen.all) > deed.most {
			t.Errorf("%s takes %d round trips, not %d: %q", deed.name, len(seen.all), deed.most, seen.all)
		}
	}
}
