package crash

import (
	"testing"

	"countersign/internal/clinic"
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

// A worker that dies while it puts the counts of what strangers were refused on the trail neither loses nor doubles one.
func TestRefusalCountsOutliveAWorker(t *testing.T) {
	h := open(t)
	for range 5 {
		h.Clinic.Refused(t.Context(), clinic.Nobody("198.51.100.1", "", ""), clinic.SessionOpen, "assertion")
	}
	must(t, h.Exec(t, "UPDATE audit_refusals SET minute = minute - interval '2 minutes'"))
	refused := func(counted, more int) {
		t.Helper()
		if n := one[int](h, "SELECT coalesce(sum(more), 0) FROM audit_refusals"); n != counted {
			t.Errorf("%d are counted, want %d", n, counted)
		}
		if n := one[int](h, "SELECT coalesce(sum((detail->>'more')::int), 0) FROM audit_events WHERE ip = '198.51.100.1'"); n != more {
			t.Errorf("%d more are on the trail, want %d", n, more)
		}
	}
	refused(4, 0)
	h.start("worker", "kill=refusals/taken").dies()
	refused(4, 0)
	h.start("worker", "")
	h.start("worker", "")
	await(t, "the counts to be events", func() bool { return one[int](h, "SELECT count(*) FROM audit_refusals") == 0 })
	refused(0, 4)
}
