package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinictest"
)

// Who called before the job asked for it, and reached nobody, is reminded of that in time: a look of the job takes no call back
// that somebody has put off.
func TestACallThatWasPutOffComesBack(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, _ := sent(t, w, "email", "x1")
	for _, wait := range []time.Duration{24 * time.Hour, 48 * time.Hour} {
		passes(t, w, wait)
		remindersGo(t, w, message, "r"+wait.String())
	}
	wantCount(t, w, 0, "calls that the job has asked for", callsOpen)
	must(t, w.Clinic.CallRecord(ctx, w.Staff, message, 0, "no_answer"))
	for range 4 {
		if done := passes(t, w, time.Hour); done.Looked == 0 {
			t.Fatal("the job has not looked")
		}
	}
	page := callsOf(t, w, w.Staff2, false)
	if len(page.Rows) != 1 || !page.Rows[0].Due || page.Rows[0].Outcome != "no_answer" {
		t.Errorf("four hours later there is to call: %+v", page.Rows)
	}
	must(t, w.Clinic.CallRecord(ctx, w.Staff2, message, 1, "no_answer"))
	passes(t, w, 18*time.Hour)
	must(t, w.Clinic.CallRecord(ctx, w.Staff, message, 2, "no_answer"))
	if done := passes(t, w, 2*time.Hour); done.Calls != 1 {
		t.Fatalf("a day after the last reminder: %+v", done)
	}
	if page := callsOf(t, w, w.Staff2, false); len(page.Rows) != 0 {
		t.Errorf("two hours after a call, the job's own wish has it made again: %+v", page.Rows)
	}
	passes(t, w, 2*time.Hour)
	if page := callsOf(t, w, w.Staff2, false); len(page.Rows) != 1 || page.Rows[0].Why != "Reminded, and still not read." {
		t.Errorf("four hours after it: %+v", page.Rows)
	}
}
