package clinic_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// line is a clinic with many due notices by SMS, and what was alarmed.
type line struct {
	*clinictest.World
	ids    []uuid.UUID
	mu     sync.Mutex
	alarms []string
}

func due(t *testing.T, n int) *line {
	t.Helper()
	l := &line{}
	l.World = clinictest.New(t, func(c *clinic.Config) {
		c.Alarm = func(_ context.Context, code string) { l.mu.Lock(); l.alarms = append(l.alarms, code); l.mu.Unlock() }
	})
	for range n {
		l.ids = append(l.ids, deliveryOf(t, l.World, l.Approved(t, l.Patient, "sms")))
	}
	return l
}

// ends claims the i-th notice and records how its attempt ended.
func (l *line) ends(t *testing.T, i int, out clinic.Outcome) {
	t.Helper()
	p, err := l.Clinic.DeliveryClaim(ctx, worker, l.ids[i])
	must(t, err)
	if p == nil {
		t.Fatalf("notice %d cannot be claimed", i)
	}
	must(t, l.Clinic.DeliveryRecord(ctx, worker, p, "twilio", out))
}

func (l *line) waits(t *testing.T, why string) {
	t.Helper()
	rows, err := l.Clinic.RelayDue(ctx, 100)
	must(t, err)
	if len(rows) > 0 {
		t.Fatalf("%s: %d rows are handed to the queue", why, len(rows))
	}
	for _, id := range l.ids {
		if p, err := l.Clinic.DeliveryClaim(ctx, worker, id); p != nil || err != nil {
			t.Fatalf("%s: claimed, %v", why, err)
		}
	}
}

// passes is how many of the notices can be claimed by as many workers at the same moment.
func (l *line) passes(t *testing.T) (parcels []*clinic.Parcel) {
	t.Helper()
	got := make([]*clinic.Parcel, len(l.ids))
	for _, err := range together(len(got), func(i int) (err error) { got[i], err = l.Clinic.DeliveryClaim(ctx, worker, l.ids[i]); return err }) {
		must(t, err)
	}
	return slices.DeleteFunc(got, func(p *clinic.Parcel) bool { return p == nil })
}

func (l *line) wantBreaker(t *testing.T, state string) {
	t.Helper()
	if got := l.Strings(t, "SELECT state FROM breakers WHERE channel = 'sms'")[0]; got != state {
		t.Fatalf("the breaker is %s, want %s", got, state)
	}
}

var (
	badKey = clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "401"}
	noLine = clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "unreachable"}
	noWord = clinic.Outcome{Class: clinic.OutcomeUnknown, Code: "503"}
	taken  = clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "SM1"}
)

// A refused credential opens the channel at once: nothing else is claimed, no attempt is burnt, and one notice tries it
// when the pause is over.
func TestBreakerOpensOnOurOwnFault(t *testing.T) {
	t.Parallel()
	l := due(t, 6)
	other := deliveryOf(t, l.World, l.Approved(t, l.Patient, "email"))
	l.ends(t, 0, badKey)
	l.wantBreaker(t, "open")
	if !slices.Equal(l.alarms, []string{"breaker_open_sms"}) {
		t.Errorf("alarms: %v", l.alarms)
	}
	for _, id := range l.ids[1:] { // those that were in the queue already give up their place in it
		if p, err := l.Clinic.DeliveryClaim(ctx, worker, id); p != nil || err != nil {
			t.Fatalf("claimed while open: %v", err)
		}
	}
	rows, err := l.Clinic.RelayDue(ctx, 100)
	must(t, err)
	if len(rows) != 1 || rows[0].ID != other {
		t.Fatalf("the other channel's notice alone is due, got %v", rows)
	}
	wantCount(t, l.World, 1, "attempts", "SELECT count(*) FROM delivery_attempts")
	wantCount(t, l.World, 0, "those that wait out a dispatch", "SELECT count(*) FROM deliveries WHERE channel = 'sms' AND enqueued_at IS NOT NULL")

	l.Clock.Add(30 * time.Second)
	probe := l.passes(t)
	if len(probe) != 1 {
		t.Fatalf("%d notices try the channel, want one", len(probe))
	}
	l.waits(t, "while one tries")
	must(t, l.Clinic.DeliveryRecord(ctx, worker, probe[0], "twilio", taken))
	l.wantBreaker(t, "closed")
	if n := len(l.passes(t)); n != 5 {
		t.Errorf("%d go out once it is closed, want 5", n)
	}
	if steps := l.Strings(t, "SELECT detail->>'from' || ' ' || (detail->>'to') || ' ' || (detail->>'code') FROM audit_events WHERE subject_kind = 'breaker' ORDER BY at"); !slices.Equal(steps, []string{"closed open 401", "half_open closed 401"}) {
		t.Errorf("on the trail: %q", steps)
	}
}

func TestBreakerOpensOnRepeatedFailures(t *testing.T) {
	t.Parallel()
	l := due(t, 11)
	for i, out := range []clinic.Outcome{noLine, noWord, noLine, noWord, taken, noLine, noWord, noLine, noWord} {
		l.ends(t, i, out)
		l.wantBreaker(t, "closed")
	}
	l.ends(t, 9, noLine)
	l.wantBreaker(t, "open")
	l.waits(t, "after five in a row")
}

// What a message's own recipient is to blame for says that the channel works.
func TestBreakerIgnoresRefusedMessages(t *testing.T) {
	t.Parallel()
	l := due(t, 8)
	for i := range 8 {
		l.ends(t, i, clinic.Outcome{Class: clinic.OutcomeFailed, Code: "21614"})
	}
	l.wantBreaker(t, "closed")
}

// A probe that fails makes the next pause twice as long, up to ten minutes; what the provider asks for counts, too.
func TestBreakerPauses(t *testing.T) {
	t.Parallel()
	l := due(t, 1)
	l.ends(t, 0, badKey)
	for i, pause := range []time.Duration{30, 60, 120, 240, 480, 600, 600} {
		must(t, l.Exec(t, "UPDATE deliveries SET next_attempt_at = created_at")) // its own backoff is another test's
		l.Clock.Add(pause*time.Second - time.Millisecond)
		l.waits(t, "before the pause is over")
		l.Clock.Add(time.Millisecond)
		out := badKey
		if i == 6 {
			out = clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "429", RetryAfter: 20 * time.Minute}
		}
		l.ends(t, 0, out)
		l.wantBreaker(t, "open")
	}
	must(t, l.Exec(t, "UPDATE deliveries SET next_attempt_at = created_at"))
	l.Clock.Add(20*time.Minute - time.Millisecond)
	l.waits(t, "before the provider's own time")
	l.Clock.Add(time.Millisecond)
	l.ends(t, 0, taken)
	l.wantBreaker(t, "closed")
}

// A worker that dies with the probe does not keep the channel shut.
func TestBreakerProbeIsLost(t *testing.T) {
	t.Parallel()
	l := due(t, 3)
	l.ends(t, 0, badKey)
	l.Clock.Add(30 * time.Second)
	if n := len(l.passes(t)); n != 1 {
		t.Fatalf("%d try it", n)
	}
	l.Clock.Add(clinic.DefaultTimes().Lease - time.Millisecond)
	l.waits(t, "while the probe's lease holds")
	l.Clock.Add(time.Millisecond)
	if n := len(l.passes(t)); n != 1 {
		t.Fatalf("%d try it after the lease", n)
	}
}

func TestBreakerOpen(t *testing.T) {
	t.Parallel()
	l := due(t, 2)
	must(t, l.Clinic.BreakerOpen(ctx, l.Admin, "sms", 1))
	l.Clock.Add(24 * time.Hour)
	l.waits(t, "until a person resumes it")
	wantCode(t, l.Clinic.BreakerClose(ctx, l.Admin, "sms", 1), "moved_on", "an old page")
	wantKind(t, l.Clinic.BreakerOpen(ctx, l.Admin, "fax", 1), clinic.NotFound, "no channel")
	s, err := l.Clinic.StatusShow(ctx, l.Ops)
	must(t, err)
	sms := s.Channels[1]
	if sms.Channel != "sms" || sms.State != "open" || sms.By != "Ruth Ebbing" || sms.Why != "An administrator paused it." || sms.Due != 2 || sms.RetryAt != nil || s.CanTurn {
		t.Errorf("the status says %+v", sms)
	}
	must(t, l.Clinic.BreakerClose(ctx, l.Admin, "sms", sms.Rev))
	if n := len(l.passes(t)); n != 2 {
		t.Errorf("%d go out", n)
	}
	wantCount(t, l.World, 2, "acts of the admin on the trail", "SELECT count(*) FROM audit_events WHERE subject_kind = 'breaker' AND actor_id = $1 AND detail->>'channel' = 'sms'", l.Admin.ID)
}
