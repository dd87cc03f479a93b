package crash

import (
	"testing"

	"countersign/internal/clinictest"
)

// A worker that dies anywhere while it seals leaves all of a sealing or none of it, and the next one goes on: every event is
// a leaf, once, under the last checkpoint.
func TestSealerDies(t *testing.T) {
	h := open(t)
	key, _, _ := clinictest.LedgerKey(t)
	bucket := "file://" + t.TempDir()
	settings := []string{"LEDGER_KEY=" + key, "BLOB_URL=" + bucket, "TIME_SEAL_EVERY=100ms", "TIME_ANCHOR_EVERY=1s"}
	counts := func() (leaves, signed int) {
		return one[int](h, "SELECT count(*) FROM ledger_leaves"), int(one[int64](h, "SELECT coalesce(max(size), 0) FROM ledger_checkpoints"))
	}
	for _, moment := range []string{"taken", "leaves", "before-commit", "committed", "anchored"} {
		if _, err := h.Clinic.PatientShow(t.Context(), h.Staff, h.Patient); err != nil {
			t.Fatal(err)
		}
		before, _ := counts()
		h.start("worker", "kill=ledger/"+moment, settings...).dies()
		leaves, signed := counts()
		if leaves != signed {
			t.Errorf("%s: %d leaves, and the last checkpoint is over %d", moment, leaves, signed)
		}
		if done := moment == "committed" || moment == "anchored"; (leaves > before) != done {
			t.Errorf("%s: %d leaves before, %d after", moment, before, leaves)
		}
	}
	h.start("worker", "", settings...)
	await(t, "everything to be sealed", func() bool { return one[int](h, "SELECT count(*) FROM audit_pending") == 0 })
	leaves, signed := counts()
	if events := one[int](h, "SELECT count(*) FROM audit_events"); leaves != events || signed != events || one[int](h, "SELECT count(DISTINCT event_id) FROM ledger_leaves") != events {
		t.Errorf("%d events, %d leaves, signed up to %d", events, leaves, signed)
	}
}
