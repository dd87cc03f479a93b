package clinic_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/db"
)

// lined is a transaction with n queued deliveries that are locked in it.
func lined(t *testing.T, n int) (*clinictest.World, pgx.Tx, *clinic.Line, []*db.Delivery) {
	t.Helper()
	w := clinictest.New(t)
	for range n {
		w.Approved(t, w.Patient, "email")
	}
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	tx, err := conn.Begin(ctx)
	must(t, err)
	l := clinic.NewLine(tx)
	var all []*db.Delivery
	for _, id := range w.Strings(t, "SELECT id::text FROM deliveries ORDER BY id") {
		d, err := db.New(l).DeliveryLock(ctx, uuid.MustParse(id))
		must(t, err)
		all = append(all, &d)
	}
	return w, tx, l, all
}

// What is put off is in the database before the next statement that is not. Many rows go at once, and a row that takes
// two steps takes them one by one: the database sees each edge, each rev and each event.
func TestLine(t *testing.T) {
	t.Parallel()
	w, tx, l, all := lined(t, 3)
	for _, d := range all {
		must(t, l.Step(d, "sending"))
	}
	must(t, l.Step(all[0], "unknown"))
	all[1].ProviderID = "learnt"
	l.Note(all[1])
	must(t, l.Step(all[1], "accepted"))
	var states []string
	must(t, l.QueryRow(ctx, "SELECT array_agg(state || rev || provider_id ORDER BY id) FROM deliveries").Scan(&states))
	if want := []string{"unknown3", "accepted3learnt", "sending2"}; !slices.Equal(states, want) {
		t.Errorf("the rows are %v, not %v", states, want)
	}
	must(t, l.Flush(ctx))
	must(t, tx.Commit(ctx))
	wantCount(t, w, 5, "events", "SELECT count(*) FROM audit_events WHERE deed = 'delivery.sweep'")
}

// A row that is not where it was read is the deed's failure, also among others that are, and it fails the deed once. A
// question cannot be put off.
func TestLineMoved(t *testing.T) {
	t.Parallel()
	_, _, l, all := lined(t, 2)
	must(t, l.Step(all[0], "sending"))
	all[1].Rev = 7
	l.Note(all[1])
	if err := l.QueryRow(ctx, "SELECT 1").Scan(new(int)); clinic.Code(err) != "moved" {
		t.Errorf("a row that moved on is no failure: %v", err)
	}
	must(t, l.Flush(ctx))
	must(t, l.Step(all[0], "queued"))
	all[0].Rev--
	must(t, l.Step(all[0], "delivered"))
	wantCode(t, l.Flush(ctx), "moved", "a second step from where the first began")
	if _, err := db.New(clinic.PutOff()).DeliveryLock(ctx, all[0].ID); err == nil {
		t.Error("a question was put off")
	}
}
