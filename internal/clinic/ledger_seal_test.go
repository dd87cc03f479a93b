package clinic_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/ledger"
)

// sealed is a World with a ledger of its own.
func sealed(t *testing.T, options ...clinictest.Option) (*clinictest.World, ledger.Verifiers) {
	t.Helper()
	_, key, known := clinictest.LedgerKey(t)
	return clinictest.New(t, append(options, clinictest.Sealing(key, known))...), known
}

func sealAll(t *testing.T, w *clinictest.World) (n int) {
	t.Helper()
	for more := true; more; {
		done, err := w.Clinic.LedgerSeal(ctx)
		must(t, err)
		n, more = n+done.Leaves, done.More
	}
	return n
}

// What is on the trail becomes leaves, once, in the order of its time, whichever way it came in.
func TestLedgerSeals(t *testing.T) {
	t.Parallel()
	w, known := sealed(t)
	first := sealAll(t, w)
	if n := w.Count(t, "SELECT count(*) FROM audit_events"); n == 0 || first != n {
		t.Fatalf("%d events, %d leaves", n, first)
	}
	if again := sealAll(t, w); again != 0 {
		t.Errorf("with nothing new %d were sealed", again)
	}
	w.Clock.Add(time.Second)
	sent(t, w, "email", "x1")
	second := sealAll(t, w)
	wantCount(t, w, first+second, "leaves", "SELECT count(*) FROM ledger_leaves l JOIN audit_events e ON e.id = l.event_id AND e.at = l.at")
	wantCount(t, w, 0, "waiting", "SELECT count(*) FROM audit_pending")
	wantCount(t, w, 0, "leaves before an earlier one of the same sealing", `SELECT count(*) FROM ledger_leaves a JOIN ledger_leaves b ON b.leaf = a.leaf + 1
		WHERE (b.at, b.event_id) < (a.at, a.event_id)`)
	wantCount(t, w, 2, "checkpoints", "SELECT count(*) FROM ledger_checkpoints")
	head, err := w.Clinic.LedgerSeal(ctx)
	must(t, err)
	if c, err := known.Read(head.Head.Note); err != nil || c.Size != int64(first+second) {
		t.Errorf("the head is %+v, %v", c, err)
	}
	for _, event := range w.Strings(t, "SELECT event_id::text FROM ledger_leaves") {
		p, err := w.Clinic.LedgerProve(ctx, uuid.MustParse(event), known)
		must(t, err)
		if _, err := p.Check(known); err != nil {
			t.Errorf("event %s: %v", event, err)
		}
	}
}

// Of many that seal at once, beside people who go on working, one does, and every event is sealed once.
func TestLedgerHasOneSealer(t *testing.T) {
	t.Parallel()
	w, _ := sealed(t)
	working, stop := context.WithTimeout(ctx, 3*time.Second)
	defer stop()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := 0; working.Err() == nil && n < 40; n++ {
				a := w.Staff
				a.RequestID = fmt.Sprint(i, n)
				_, err := w.Clinic.PatientShow(ctx, a, w.Patient)
				if err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for working.Err() == nil {
				if _, err := w.Clinic.LedgerSeal(ctx); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	sealAll(t, w)
	wantCount(t, w, w.Count(t, "SELECT count(*) FROM audit_events"), "leaves", "SELECT count(DISTINCT event_id) FROM ledger_leaves")
	wantCount(t, w, w.Count(t, "SELECT count(*) FROM audit_events"), "up to", "SELECT max(leaf) + 1 FROM ledger_leaves")
}

// A sealer goes on with nothing that was not signed, and raises one alarm.
func TestLedgerBelievesWhatWasSigned(t *testing.T) {
	t.Parallel()
	for code, attack := range map[string]string{
		"ledger_broken": "UPDATE ledger_leaves SET hashes = sha256('x') || substr(hashes, 33) WHERE leaf = (SELECT max(leaf) FROM ledger_leaves)",
		"ledger_key":    "UPDATE ledger_checkpoints SET note = replace(note, 'v1', 'v2')",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			var alarms []string
			w, _ := sealed(t, func(c *clinic.Config) {
				c.Alarm = func(_ context.Context, code string) { alarms = append(alarms, code) }
			})
			sealAll(t, w)
			if w.Count(t, "SELECT max(leaf) FROM ledger_leaves")%2 == 1 { // the edge is to be the last leaf's own hash
				_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
				must(t, err)
				sealAll(t, w)
			}
			owner(t, w, attack)
			_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
			must(t, err)
			before := w.Count(t, "SELECT count(*) FROM ledger_leaves")
			for range 3 {
				if _, err := w.Clinic.LedgerSeal(ctx); clinic.Code(err) != code {
					t.Errorf("sealed on what was not signed: %v", err)
				}
			}
			wantCount(t, w, before, "leaves", "SELECT count(*) FROM ledger_leaves")
			if len(alarms) != 1 || alarms[0] != code {
				t.Errorf("alarms %q", alarms)
			}
		})
	}
}

// Another key goes on with the ledger where it is told of the one before.
func TestLedgerKeyChanges(t *testing.T) {
	t.Parallel()
	w, _ := sealed(t)
	sealAll(t, w)
	old := w.Strings(t, "SELECT note FROM ledger_checkpoints")[0]
	_, next, alone := clinictest.LedgerKey(t)
	if _, err := alone.Read(old); err == nil {
		t.Fatal("two keys are one")
	}
	c := w.Again(t, clinictest.Sealing(next, alone))
	if _, err := c.LedgerSeal(ctx); clinic.Code(err) != "ledger_key" {
		t.Errorf("an unknown key's ledger was gone on with: %v", err)
	}
}

// owner does what the app's role may not, with the triggers off.
func owner(t *testing.T, w *clinictest.World, statements ...string) {
	t.Helper()
	for _, table := range []string{"audit_events", "ledger_leaves", "ledger_checkpoints"} {
		must(t, w.Exec(t, "ALTER TABLE "+table+" DISABLE TRIGGER ALL"))
	}
	for _, sql := range statements {
		must(t, w.Exec(t, sql))
	}
	for _, table := range []string{"audit_events", "ledger_leaves", "ledger_checkpoints"} {
		must(t, w.Exec(t, "ALTER TABLE "+table+" ENABLE TRIGGER ALL"))
	}
}
