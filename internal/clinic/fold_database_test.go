package clinic_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// starts are where a notice may stand when reports begin to come in, each reached by deeds.
var starts = []string{"never claimed", "sending", "accepted", "unknown", "needs_person", "failed", "queued after not sent", "queued after send again"}

// begun brings a new notice to one of them. What was accepted is known by the provider's id.
func begun(t testing.TB, w *clinictest.World, start, provider string) uuid.UUID {
	t.Helper()
	message := w.Approved(t, w.Patient, "email")
	id := deliveryOf(t, w, message)
	if start == "never claimed" {
		return id
	}
	p := claimed(t, w, message)
	record := func(out clinic.Outcome) { must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", out)) }
	switch start {
	case "accepted":
		record(clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: provider})
	case "failed":
		record(outcome(clinic.OutcomeFailed, "400"))
	case "queued after not sent":
		record(outcome(clinic.OutcomeNotSent, "429"))
	case "unknown":
		record(outcome(clinic.OutcomeUnknown, "timeout"))
	case "needs_person", "queued after send again":
		record(outcome(clinic.OutcomeUnknown, "timeout"))
		w.Clock.Add(clinic.DefaultTimes().LookupGrace)
		must(t, w.Clinic.DeliverySettle(ctx, worker, clinic.UnknownOf(id, w.ClinicID), clinic.Found{Class: clinic.FoundNothing}))
	}
	if start == "queued after send again" {
		_, err := w.Clinic.DeliveryResend(ctx, w.Staff, id, w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", id))
		must(t, err)
	}
	return id
}

// told are the reports that a provider makes about one notice: each with our id, its own, or both.
func told(id uuid.UUID, provider string) *rapid.Generator[clinic.Receipt] {
	return rapid.Custom(func(t *rapid.T) clinic.Receipt {
		r := clinic.Receipt{Provider: "sendgrid", State: rapid.SampledFrom(append(evidence, "nonsense")).Draw(t, "state"), At: time.Now()}
		by := rapid.SampledFrom([]string{"both", "ours", "theirs"}).Draw(t, "by")
		if by != "ours" {
			r.ProviderID = provider
		}
		if by != "theirs" {
			r.DeliveryID = id
		}
		return r
	})
}

// Reports in any order, any of them told again, split over posts that arrive at the same moment, lead to one state:
// that of the report that says most. No step goes back, each is an edge and on the trail, and telling everything once
// more changes nothing.
func TestFoldThroughTheDatabase(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	until, n := time.Now().Add(15*time.Second), 0
	rapid.Check(t, func(rt *rapid.T) {
		if n >= 12 && time.Now().After(until) { // enough for one run; the seeds differ
			return
		}
		n++
		provider := fmt.Sprint("x", n)
		must(t, w.Exec(t, "UPDATE breakers SET failures = 0")) // that of the channel is another test's
		start := rapid.SampledFrom(starts).Draw(rt, "start")
		id := begun(t, w, start, provider)
		reports := rapid.SliceOfN(told(id, provider), 0, 6).Draw(rt, "reports")
		for i := range reports {
			reports[i].EventKey = fmt.Sprint(provider, "-", i)
		}
		all := slices.Clone(reports)
		if len(reports) > 0 {
			all = append(all, rapid.SliceOfN(rapid.SampledFrom(reports), 0, 4).Draw(rt, "told again")...)
		}
		all = rapid.Permutation(all).Draw(rt, "order")
		posts := make([][]clinic.Receipt, rapid.IntRange(1, 4).Draw(rt, "posts"))
		for _, r := range all {
			i := rapid.IntRange(0, len(posts)-1).Draw(rt, "post")
			posts[i] = append(posts[i], r)
		}
		for _, err := range together(len(posts), func(i int) error { return w.Clinic.DeliveryReceive(ctx, mailer, posts[i]) }) {
			must(t, err)
		}
		_, err := w.Clinic.DeliverySweep(ctx, worker) // what crossed in two posts
		must(t, err)
		want := says(w.Strings(t, "SELECT detail->>'to' FROM audit_events WHERE subject_id = $1 AND rev IS NOT NULL ORDER BY rev", id), start, reports)
		if got := stateOf(t, w, id); got != want {
			rt.Fatalf("%v ends in %s, want %s", all, got, want)
		}
		if stored := w.Count(t, "SELECT count(*) FROM delivery_events WHERE event_key LIKE $1", provider+"-%"); stored != len(reports) {
			rt.Fatalf("%d events are stored of %d", stored, len(reports))
		}
		legalPath(rt, t, w, id)
		rev := w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", id)
		must(t, w.Clinic.DeliveryReceive(ctx, mailer, all))
		if again := w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", id); again != rev {
			rt.Fatalf("telling it all again took rev %d to %d", rev, again)
		}
	})
	t.Logf("%d notices", n)
	if n < 12 {
		t.Errorf("only %d notices were tried", n)
	}
}

// The provider's id is learnt from any report that has both, also from one that moves nothing: what comes later with
// the provider's id alone is about this notice.
func TestFoldLearnsTheProvidersID(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := begun(t, w, "sending", "")
	for i, r := range []clinic.Receipt{{DeliveryID: id, State: "delivered"}, {DeliveryID: id, ProviderID: "x1", State: "sent"}, {ProviderID: "x1", State: "undelivered", Code: "bounce"}} {
		r.Provider, r.EventKey, r.At = "sendgrid", fmt.Sprint(i), time.Now()
		must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{r}))
	}
	wantState(t, w, id, "undelivered")
	everyRevIsOnTheTrail(t, w, id)
}

// says is what the reports say together, whatever their order: the highest rank that can be known to be about a notice
// that was claimed. trail holds the states that it went through; the start is the last of them that no report brought.
func says(trail []string, start string, reports []clinic.Receipt) string {
	best := "queued"
	for _, state := range trail {
		if rank(state) == 0 || start == "accepted" && state == "accepted" {
			best = state
		}
	}
	if start == "never claimed" {
		return best
	}
	known := start == "accepted"
	for _, r := range reports {
		known = known || r.DeliveryID != uuid.Nil && r.ProviderID != ""
	}
	for _, r := range reports {
		if (known || r.DeliveryID != uuid.Nil) && rank(r.State) > rank(best) {
			best = r.State
		}
	}
	return best
}

// legalPath: every step is on the trail without a gap, begins where the last one ended, is an edge, and never falls.
func legalPath(rt *rapid.T, t *testing.T, w *clinictest.World, id uuid.UUID) {
	everyRevIsOnTheTrail(t, w, id)
	drawn, last := edges(true), ""
	for _, step := range w.Strings(t, "SELECT concat(detail->>'from', ' ', detail->>'to') FROM audit_events WHERE subject_id = $1 AND rev IS NOT NULL ORDER BY rev", id) {
		from, to, _ := strings.Cut(step, " ")
		if from != last || last != "" && !drawn[[2]string{from, to}] || rank(to) < rank(from) && rank(from) > 0 {
			rt.Fatalf("after %q comes %q", last, step)
		}
		last = to
	}
}
