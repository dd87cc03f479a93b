package clinic_test

import (
	"slices"
	"testing"
	"time"
)

// What has piled up is sealed in batches that grow while they are full, and no further than a transaction may hold; when all is
// sealed, the next batch is a small one again. What is lost stays where it is, and is passed by.
func TestLedgerBatchesGrow(t *testing.T) {
	t.Parallel()
	w, known := sealed(t)
	sealAll(t, w)
	w.Trail(t, 97_505, time.Hour)
	batches := func(waiting int, want ...int) {
		t.Helper()
		must(t, w.Exec(t, `INSERT INTO audit_pending (event_id, clinic_id, at) SELECT id, clinic_id, at FROM audit_events e WHERE e.agent = 'a test'
			AND NOT EXISTS (SELECT 1 FROM ledger_leaves l WHERE l.event_id = e.id AND l.at = e.at) ORDER BY at, id LIMIT $1`, waiting))
		var got []int
		for more := true; more; {
			done, err := w.Clinic.LedgerSeal(ctx)
			must(t, err)
			if c, err := known.Read(done.Head.Note); err != nil || done.Leaves > 0 && done.More && c.At.After(w.Clock.Now().Add(-time.Second)) {
				t.Errorf("a checkpoint while more waits: %+v, %v", c, err)
			}
			got, more = append(got, done.Leaves), done.More
		}
		if !slices.Equal(got, want) {
			t.Errorf("of %d that waited, sealed %d", waiting, got)
		}
	}
	must(t, w.Exec(t, `INSERT INTO audit_pending (event_id, clinic_id, at) SELECT gen_random_uuid(), (SELECT id FROM clinics), '2020-01-01' FROM generate_series(1, 5000)`))
	batches(5, 0, 5) // events that are gone, more than a batch of them, keep nobody waiting
	must(t, w.Exec(t, "DELETE FROM audit_pending"))
	batches(0, 0)
	batches(92_500, 4000, 8000, 16_000, 32_000, 32_000, 500)
	batches(5000, 4000, 1000)
	wantCount(t, w, 0, "waiting", "SELECT count(*) FROM audit_pending")
	wantCount(t, w, w.Count(t, "SELECT count(*) FROM audit_events"), "leaves", "SELECT count(DISTINCT event_id) FROM ledger_leaves")
}
