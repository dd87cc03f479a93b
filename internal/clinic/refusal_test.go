package clinic_test

import (
	"sync"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// What a stranger is refused over and over is an event a minute for each address, deed and reason, and one that says how many more
// there were; what somebody known is refused is an event each.
func TestRefusalsOfStrangersAreCounted(t *testing.T) {
	t.Parallel()
	w, _ := sealed(t)
	other := w.Again(t)
	w.Clock.Add(w.Clock.Now().Truncate(time.Minute).Add(time.Minute).Sub(w.Clock.Now())) // all of it is within one minute
	var all sync.WaitGroup
	for _, c := range []*clinic.Clinic{w.Clinic, other} {
		all.Go(func() {
			for range 25 {
				c.Refused(ctx, clinic.Nobody("198.51.100.1", "a", "b"), clinic.SessionOpen, "assertion")
			}
		})
	}
	all.Wait()
	w.Clinic.Refused(ctx, clinic.Nobody("198.51.100.1", "a", "b"), clinic.SessionOpen, "declined")
	w.Clinic.Refused(ctx, clinic.Nobody("198.51.100.1", "a", "b"), clinic.DeliveryReceive, "assertion")
	w.Clinic.Refused(ctx, clinic.Nobody("198.51.100.2", "a", "b"), clinic.SessionOpen, "assertion")
	for _, ip := range []string{"2001:db8::1", "2001:db8::2:1", "2001:db8:0:1::1"} {
		w.Clinic.Refused(ctx, clinic.Nobody(ip, "a", "b"), clinic.SessionOpen, "assertion")
	}
	for range 3 {
		w.Clinic.Refused(ctx, w.Staff, clinic.StaffAssign, "role")
	}
	const one = "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND ip = '198.51.100.1' AND deed = 'session.open' AND reason = 'assertion'"
	wantCount(t, w, 1, "events of 50", one)
	wantCount(t, w, 6, "events of strangers", "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND actor_kind = 'nobody'")
	wantCount(t, w, 3, "events of staff", "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND deed = 'staff.assign'")
	closes := func(want int) {
		t.Helper()
		if n, err := w.Clinic.RefusalsClose(ctx); err != nil || n != want {
			t.Errorf("closed %d, %v", n, err)
		}
	}
	closes(0)
	w.Clock.Add(90 * time.Second)
	w.Clinic.Refused(ctx, clinic.Nobody("198.51.100.1", "a", "b"), clinic.SessionOpen, "assertion") // of another minute
	wantCount(t, w, 2, "events of 51", one)
	closes(2)
	closes(0)
	wantCount(t, w, 49, "more than the first", `SELECT coalesce(sum((detail->>'more')::int), 0) FROM audit_events WHERE outcome = 'refused' AND actor_kind = 'nobody'
		AND ip = '198.51.100.1' AND deed = 'session.open' AND reason = 'assertion'`)
	wantCount(t, w, 1, "more of one line's addresses", "SELECT (detail->>'more')::int FROM audit_events WHERE ip = '2001:db8::/64' AND outcome = 'refused'")
	wantCount(t, w, 1, "counts of the running minute", "SELECT count(*) FROM audit_refusals")
	sealAll(t, w)
	wantCount(t, w, w.Count(t, "SELECT count(*) FROM audit_events"), "leaves", "SELECT count(*) FROM ledger_leaves")
}

// A minute's count is closed half a minute after it is over, and not sooner: a process whose clock is late still adds to it.
func TestRefusalsOfAMinuteAreClosedLate(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Clock.Add(w.Clock.Now().Truncate(time.Minute).Add(2*time.Minute - time.Second).Sub(w.Clock.Now())) // its last second
	late := w.Again(t, func(c *clinic.Config) { c.Now = func() time.Time { return w.Clock.Now().Add(-29 * time.Second) } })
	refuse := func(c *clinic.Clinic) {
		c.Refused(ctx, clinic.Nobody("198.51.100.1", "a", "b"), clinic.SessionOpen, "assertion")
	}
	refuse(w.Clinic)
	refuse(w.Clinic)
	w.Clock.Add(30*time.Second + 900*time.Millisecond)
	if n, err := w.Clinic.RefusalsClose(ctx); err != nil || n != 0 {
		t.Errorf("29.9 s after the minute %d were closed, %v", n, err)
	}
	w.Clock.Add(-2 * time.Second)
	refuse(late)
	w.Clock.Add(2*time.Second + 100*time.Millisecond)
	if n, err := w.Clinic.RefusalsClose(ctx); err != nil || n != 1 {
		t.Errorf("30 s after it %d were closed, %v", n, err)
	}
	wantCount(t, w, 1, "events of one's own", "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND NOT detail ? 'more'")
	wantCount(t, w, 2, "more", "SELECT (detail->>'more')::int FROM audit_events WHERE detail ? 'more'")
}

// Events that stand for many count as many where somebody is to be told of it.
func TestRefusalsAreAlarmedOfByTheirNumber(t *testing.T) {
	t.Parallel()
	w, _ := sealed(t)
	for range 40 {
		w.Clinic.Refused(ctx, clinic.Nobody("198.51.100.1", "a", "b"), clinic.DeliveryReceive, "signature")
	}
	value := func() float64 {
		t.Helper()
		v, err := clinic.Strangers(ctx, w.Clinic, w.Clock.Now().Add(-10*time.Minute))
		must(t, err)
		return v["webhook_forged"]
	}
	if v := value(); v != 40 {
		t.Errorf("in the running minute: %v", v)
	}
	w.Clock.Add(3 * time.Minute)
	if _, err := w.Clinic.RefusalsClose(ctx); err != nil {
		t.Fatal(err)
	}
	if v := value(); v != 40 {
		t.Errorf("when it is over: %v", v)
	}
}
