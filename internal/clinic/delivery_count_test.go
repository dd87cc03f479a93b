package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func counts(t testing.TB, w *clinictest.World) map[string]clinic.DeliveryCount {
	t.Helper()
	list, err := w.Clinic.DeliveryCount(ctx)
	must(t, err)
	out := map[string]clinic.DeliveryCount{}
	for _, one := range list {
		out[one.State] = one
	}
	return out
}

// The alarm's figures are those of the rows: what waits however old it is, and what failed within a day.
func TestDeliveryCount(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for state, n := range counts(t, w) {
		if n.Rows != 0 || n.Oldest != 0 {
			t.Errorf("an empty clinic has %+v %s", n, state)
		}
	}
	_, _, _ = undecided(t, w)
	failed := claimed(t, w, w.Approved(t, w.Patient, "sms"))
	must(t, w.Clinic.DeliveryRecord(ctx, worker, failed, "twilio", clinic.Outcome{Class: clinic.OutcomeFailed, Code: "21614"}))
	claimed(t, w, w.Approved(t, w.Patient, "email"))
	w.Approved(t, w.Patient, "email")
	w.Clock.Add(time.Hour)
	got := counts(t, w)
	for state, rows := range map[string]int{"queued": 1, "sending": 1, "unknown": 0, "needs_person": 1, "failed": 1, "refused": 0, "undelivered": 0, "expired": 0} {
		if n, told := got[state]; !told || n.Rows != rows {
			t.Errorf("%d %s are counted (told at all: %v), there are %d", n.Rows, state, told, rows)
		}
	}
	if len(got) != 8 || got["queued"].Oldest < time.Hour || got["needs_person"].Oldest < time.Hour || got["failed"].Oldest != 0 {
		t.Errorf("%+v", got)
	}
	w.Clock.Add(24 * time.Hour)
	if got = counts(t, w); got["failed"].Rows != 0 || got["needs_person"].Rows != 1 || got["queued"].Rows != 1 {
		t.Errorf("after a day: %+v", got)
	}
}
