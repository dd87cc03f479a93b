package clinic_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/slo"
)

// took are so many values of a time, as a process counts them.
func took(f slo.Figure, n int, seconds float64) clinic.Counted {
	c := clinic.Counted{Figure: f}
	for range n {
		c.Seen.Histogram.Observe(slo.Bounds, seconds)
	}
	c.Seen.Count, c.Seen.Good = int64(n), c.Seen.Histogram.Under(slo.Bounds, slo.Of(f).Limit)
	return c
}

func measures(t *testing.T, w *clinictest.World) map[slo.Figure]slo.Measure {
	t.Helper()
	all, err := w.Clinic.FiguresShow(t.Context())
	must(t, err)
	if len(all) != len(slo.Promises) {
		t.Fatalf("%d figures", len(all))
	}
	out := map[slo.Figure]slo.Measure{}
	for i, m := range all {
		if m.Figure != slo.Promises[i].Figure {
			t.Errorf("%s comes at place %d", m.Figure, i)
		}
		out[m.Figure] = m
	}
	return out
}

// What several processes counted in a minute is one figure; what an old process counted is still in the day's.
func TestFiguresKeepOfAllProcesses(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	one, two := uuid.New(), uuid.New()
	keep := func(process uuid.UUID, all ...clinic.Counted) {
		must(t, w.Clinic.FiguresKeep(t.Context(), process, w.Clock.Now(), all))
	}
	if m := measures(t, w)[slo.FirstResponse]; m.Verdict != slo.Quiet || m.Budget.Left != 1 || m.Trend != nil {
		t.Errorf("of nothing: %+v", m)
	}
	keep(one, took(slo.FirstResponse, 90, .004), clinic.Counted{Figure: slo.ErrorRate, Seen: slo.Seen{Count: 90, Good: 90}})
	keep(one, took(slo.FirstResponse, 5, .004)) // the same minute again is added
	keep(two, took(slo.FirstResponse, 4, .2), clinic.Counted{Figure: slo.ErrorRate, Seen: slo.Seen{Count: 10, Good: 10}}, clinic.Counted{Figure: slo.DatabaseQuery})
	got := measures(t, w)
	m := got[slo.FirstResponse]
	if m.Now.Count != 99 || m.Now.Good != 95 || m.Day.Count != 99 || m.Now.P50() > .004 || m.Now.P99() < .15 || m.Verdict != slo.Good || len(m.Trend) != 1 {
		t.Errorf("%+v", m)
	}
	if want := 1 - 4/(.05*99); m.Budget.Bad != 4 || m.Budget.Left < want-1e-9 || m.Budget.Left > want+1e-9 {
		t.Errorf("the budget is %+v, want %v left", m.Budget, want)
	}
	if e := got[slo.ErrorRate]; e.Now.Count != 100 || e.Now.Value != 0 || e.Verdict != slo.Good || got[slo.DatabaseQuery].Verdict != slo.Quiet {
		t.Errorf("%+v", e)
	}
	keep(two, took(slo.FirstResponse, 4, .2), clinic.Counted{Figure: slo.ErrorRate, Seen: slo.Seen{Count: 100, Good: 99}})
	if got = measures(t, w); got[slo.FirstResponse].Verdict != slo.Bad || got[slo.ErrorRate].Verdict != slo.Bad || got[slo.ErrorRate].Now.Value != .005 {
		t.Errorf("%+v", got)
	}
	w.Clock.Add(20 * time.Minute)
	if m = measures(t, w)[slo.FirstResponse]; m.Verdict != slo.Quiet || m.Day.Count != 103 {
		t.Errorf("20 minutes later: %+v", m)
	}
	keep(one, took(slo.FirstResponse, 1, 400)) // over the last bound
	if m = measures(t, w)[slo.FirstResponse]; m.Day.Count != 104 || len(m.Trend) != 2 || m.Now.P95() != 300 {
		t.Errorf("%+v", m)
	}
	over, err := w.Clinic.FiguresOver(t.Context(), time.Hour)
	if err != nil || over[slo.FirstResponse].Count != 104 || over[slo.ErrorRate].Value != .005 {
		t.Errorf("%v %+v", err, over)
	}
}

// A minute is up with a heartbeat and a ready answer, and only then; one that nobody wrote of was down.
func TestUpMinutes(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	ready := true
	minute := func(beat, probe bool) {
		w.Clock.Add(time.Minute)
		if beat {
			must(t, w.Clinic.UpBeat(t.Context()))
		}
		if probe {
			_, err := w.Clinic.UpAsk(t.Context(), func(context.Context) bool { return ready })
			must(t, err)
		}
	}
	uptime := func() slo.Measure { return measures(t, w)[slo.Uptime] }
	if m := uptime(); m.Verdict != slo.Quiet {
		t.Errorf("before the first start: %+v", m)
	}
	minute(true, true) // the minute of the first heartbeat does not count
	for range 10 {
		minute(true, true)
	}
	w.Clock.Add(time.Minute) // so that the last one is over
	if m := uptime(); m.Now.Count != 10 || m.Now.Value != 1 || m.Verdict != slo.Good || m.Budget.Left != 1 || len(m.Trend) == 0 || m.Trend[0].Value != 1 {
		t.Errorf("%+v", m)
	}
	minute(false, true)
	minute(true, false)
	ready = false
	minute(true, true)
	w.Clock.Add(time.Minute) // and one without any row is being
	w.Clock.Add(time.Minute)
	m := uptime()
	if m.Now.Count != 15 || m.Now.Good != 10 || m.Verdict != slo.Bad || m.Budget.Left >= 0 || m.Trend[len(m.Trend)-1].Value > .9 {
		t.Errorf("%+v", m)
	}
	w.Clock.Add(32 * 24 * time.Hour)
	before := uptime().Now
	must(t, w.Clinic.FiguresForget(t.Context()))
	if n := w.Count(t, "SELECT count(*) FROM up_minutes"); n != 0 || uptime().Now.Good != before.Good || before.Good != 10 || uptime().Now.Count != before.Count {
		t.Errorf("forgetting changed the share: %d rows, %+v, was %+v", n, uptime().Now, before)
	}
}

// Minutes go after two days, quarters of an hour and vitals after 400, minutes of being up after 31; what is younger stays, and the
// share of minutes up is the same after each.
func TestFiguresForget(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	rows := func() string {
		return w.Strings(t, `SELECT concat_ws(' ', (SELECT count(*) FROM figure_minutes), (SELECT count(*) FROM figure_quarters), (SELECT count(*) FROM vital_hours), (SELECT count(*) FROM up_minutes))`)[0]
	}
	one := slo.Histogram{}
	one.Observe(slo.VitalBounds, .3)
	count := func() {
		must(t, w.Clinic.FiguresKeep(t.Context(), uuid.New(), w.Clock.Now(), []clinic.Counted{took(slo.FirstResponse, 1, .01)}))
		must(t, w.Clinic.VitalsKeep(t.Context(), w.Clock.Now(), map[clinic.VitalKey]slo.Histogram{{Route: "/patients", Vital: "LCP"}: one}))
		must(t, w.Clinic.UpBeat(t.Context()))
		_, err := w.Clinic.UpAsk(t.Context(), func(context.Context) bool { return true })
		must(t, err)
	}
	w.Clock.Add(w.Clock.Now().Truncate(time.Hour).Add(time.Hour).Sub(w.Clock.Now()))
	begin := w.Clock.Now()
	count() // the first minute of all, of which uptime is no share
	for range 4 {
		w.Clock.Add(time.Minute)
		count()
	}
	for _, step := range []struct {
		age  time.Duration
		want string
	}{
		{48*time.Hour - time.Minute, "5 1 1 5"}, {48*time.Hour + 150*time.Second, "2 1 1 5"}, {49 * time.Hour, "0 1 1 5"}, {31*24*time.Hour + 150*time.Second, "0 1 1 3"},
		{32 * 24 * time.Hour, "0 1 1 0"}, {400 * 24 * time.Hour, "0 1 1 0"}, {400*24*time.Hour + time.Minute, "0 0 0 0"},
	} {
		w.Clock.Add(begin.Add(step.age).Sub(w.Clock.Now()))
		must(t, w.Clinic.FiguresForget(t.Context()))
		if got := rows(); got != step.want {
			t.Errorf("after %s there are %s, want %s", step.age, got, step.want)
		}
		if good := measures(t, w)[slo.Uptime].Now.Good; good != 4 {
			t.Errorf("after %s %d minutes were up", step.age, good)
		}
	}
}

// Of many workers one asks at a time; another asks when there was no ready answer.
func TestUpAskHasOneLeader(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Clock.Add(time.Minute - w.Clock.Now().Sub(w.Clock.Now().Truncate(time.Minute))) // all of it is in one minute
	asked := 0
	ask := func(answer bool) bool {
		led, err := w.Clinic.UpAsk(t.Context(), func(context.Context) bool { asked++; return answer })
		must(t, err)
		return led
	}
	if !ask(false) || ask(true) {
		t.Error("two led at once, or none")
	}
	w.Clock.Add(11 * time.Second)
	if !ask(true) {
		t.Error("nobody asked again")
	}
	w.Clock.Add(time.Second)
	if ask(true) || asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// What is due and waits makes the queue's figure bad, whoever is not there to count it.
func TestFiguresSeeAStalledQueue(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Approved(t, w.Patient, "email")
	if m := measures(t, w)[slo.QueueProcessing]; m.Verdict != slo.Quiet {
		t.Errorf("just due: %+v", m)
	}
	w.Clock.Add(6 * time.Second)
	if m := measures(t, w)[slo.QueueProcessing]; m.Verdict != slo.Bad || m.Waiting < 6*time.Second {
		t.Errorf("6 s later: %+v", m)
	}
}

// Vitals are told by page, at the 75th of a hundred visits.
func TestVitalsKeep(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	seen := map[clinic.VitalKey]slo.Histogram{}
	for i := range 100 {
		h := seen[clinic.VitalKey{Route: "/patients/:id", Vital: "LCP"}]
		h.Observe(slo.VitalBounds, .3+float64(i)*.05)
		seen[clinic.VitalKey{Route: "/patients/:id", Vital: "LCP"}] = h
	}
	must(t, w.Clinic.VitalsKeep(t.Context(), w.Clock.Now(), seen))
	must(t, w.Clinic.VitalsKeep(t.Context(), w.Clock.Now(), seen))
	all, err := w.Clinic.VitalsShow(t.Context())
	if err != nil || len(all) != 1 || all[0].Visits != 200 || all[0].Rating(all[0].P75) != "needs improvement" || all[0].P75 < 3.5 {
		t.Errorf("%v %+v", err, all)
	}
	w.Clock.Add(8 * 24 * time.Hour)
	if all, err = w.Clinic.VitalsShow(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("a week later: %v %+v", err, all)
	}
}

// The status has what waits for the model, and what the providers reported in the last hour.
func TestStatusShowDraftsAndReports(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	s, err := w.Clinic.StatusShow(t.Context(), w.Ops)
	if err != nil || s.Drafts.Waiting+s.Drafts.Writing != 0 || len(s.Webhooks) != 2 || s.Webhooks[0].Reports+s.Webhooks[1].Reports != 0 {
		t.Fatalf("%v %+v", err, s)
	}
	id, err := w.Clinic.BriefCreate(t.Context(), w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	must(t, w.Clinic.DraftRequest(t.Context(), w.Staff, id, ""))
	must(t, w.Exec(t, `INSERT INTO delivery_events (id, provider, event_key, state, happened_at, received_at) VALUES ($1, 'twilio', 'k', 'delivered', now(), now())`, uuid.Must(uuid.NewV7())))
	w.Clock.Add(10 * time.Second)
	s, err = w.Clinic.StatusShow(t.Context(), w.Ops)
	if err != nil || s.Drafts.Waiting != 1 || w.Clock.Now().Sub(s.Drafts.OldestDue) < 9*time.Second || s.Webhooks[0].Reports != 0 || s.Webhooks[1].Reports != 1 || s.Webhooks[1].LastAt.IsZero() {
		t.Errorf("%v %+v", err, s)
	}
	w.Clock.Add(2 * time.Hour)
	if s, err = w.Clinic.StatusShow(t.Context(), w.Ops); err != nil || s.Webhooks[1].Reports != 0 {
		t.Errorf("two hours later: %v %+v", err, s.Webhooks)
	}
}
