package clinic_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// lost is a message whose notice got no answer from its provider.
func lost(t testing.TB, w *clinictest.World) (message uuid.UUID, p *clinic.Parcel) {
	t.Helper()
	message = w.Approved(t, w.Patient, "sms")
	p = claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeUnknown, "timeout")))
	return message, p
}

// undecided is one that was looked up until its grace was over.
func undecided(t testing.TB, w *clinictest.World) (message, delivery uuid.UUID, rev int) {
	t.Helper()
	message, p := lost(t, w)
	u := asked1(t, w)
	w.Clock.Add(clinic.DefaultTimes().LookupGrace)
	must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundNothing}))
	wantState(t, w, p.DeliveryID, "needs_person")
	return message, p.DeliveryID, w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", p.DeliveryID)
}

func asked1(t testing.TB, w *clinictest.World) clinic.Unknown {
	t.Helper()
	rows, err := w.Clinic.DeliveryReconcile(ctx, worker, 10)
	must(t, err)
	if len(rows) != 1 {
		t.Fatalf("%d deliveries to look up, want one", len(rows))
	}
	return rows[0]
}

func TestDeliveryReconcile(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, accepted := sent(t, w, "email", "x1")
	began := w.Clock.Now()
	message := w.Approved(t, w.Patient, "sms")
	p := claimed(t, w, message)
	w.Clock.Add(3 * time.Second)
	if rows, err := w.Clinic.DeliveryReconcile(ctx, worker, 10); len(rows) != 0 || err != nil {
		t.Fatalf("%d to look up while one is sending and one accepted: %v", len(rows), err)
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeUnknown, "timeout")))
	w.Clock.Add(time.Minute)
	u := asked1(t, w)
	if u.DeliveryID != p.DeliveryID || u.DeliveryID == accepted.DeliveryID || u.Attempt != 1 || u.Channel != "sms" || u.To != p.To || u.Body != p.Body || u.To != "+14155550441" {
		t.Errorf("not what was sent: %+v", u)
	}
	if !u.Since.Equal(began) || !u.Until.Equal(began.Add(3*time.Second)) {
		t.Errorf("the window is %s to %s", u.Since, u.Until)
	}
	if rows, err := w.Clinic.DeliveryReconcile(ctx, worker, 10); len(rows) != 0 || err != nil {
		t.Fatalf("given to a second worker while the first asks: %d, %v", len(rows), err)
	}
	w.Clock.Add(clinic.DefaultTimes().ProviderTime)
	wrong, err := clinictest.Reopened(t, w).DeliveryReconcile(ctx, worker, 10)
	must(t, err)
	if len(wrong) != 1 || wrong[0].To != "" || wrong[0].Body != "" {
		t.Errorf("with the wrong keys: %+v", wrong)
	}
	wantCount(t, w, 0, "steps of the look-up itself", "SELECT count(*) FROM audit_events WHERE deed = 'delivery.reconcile'")
}

// Many workers that ask at once share the rows: none is looked up twice, and none is left out.
func TestDeliveryReconcileIsShared(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for range 5 {
		lost(t, w)
	}
	got := make([][]clinic.Unknown, 8)
	for _, err := range together(len(got), func(i int) (err error) {
		got[i], err = w.Clinic.DeliveryReconcile(ctx, worker, 2)
		return err
	}) {
		must(t, err)
	}
	seen := map[uuid.UUID]int{}
	for _, u := range slices.Concat(got...) {
		seen[u.DeliveryID]++
	}
	rest, err := w.Clinic.DeliveryReconcile(ctx, worker, 10)
	must(t, err)
	for _, u := range rest { // workers that met locked rows only
		seen[u.DeliveryID]++
	}
	if len(seen) != 5 {
		t.Errorf("%d of 5 were given out", len(seen))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s was given out %d times", id, n)
		}
	}
}

func TestDeliverySettle(t *testing.T) {
	t.Parallel()
	grace := clinic.DefaultTimes().LookupGrace
	found := clinic.Found{Class: clinic.FoundAccepted, Provider: "twilio", ProviderID: "SM1"}
	arrived, bounced := found, found
	arrived.State = "delivered"
	bounced.State, bounced.Code = "undelivered", "30005"
	for name, tc := range map[string]struct {
		found       clinic.Found
		after       time.Duration
		state, code string
	}{
		"found":                        {found, 0, "accepted", "timeout"},
		"found after the grace":        {found, 2 * grace, "accepted", "timeout"},
		"found and arrived":            {arrived, 0, "delivered", "timeout"},
		"found and not arrived":        {bounced, 0, "undelivered", "30005"},
		"not found":                    {clinic.Found{Class: clinic.FoundNothing}, grace - time.Second, "unknown", "timeout"},
		"not found after the grace":    {clinic.Found{Class: clinic.FoundNothing}, grace, "needs_person", "not_found"},
		"cannot ask":                   {clinic.Found{Class: clinic.FoundCannotAsk}, grace - time.Second, "unknown", "timeout"},
		"cannot ask after the grace":   {clinic.Found{Class: clinic.FoundCannotAsk, Code: "503"}, grace, "needs_person", "cannot_ask"},
		"nonsense after the grace":     {clinic.Found{Conclusive: true}, grace, "needs_person", "cannot_ask"},
		"conclusively never taken":     {clinic.Found{Class: clinic.FoundNothing, Conclusive: true}, 0, "queued", "not_found"},
		"conclusive without an answer": {clinic.Found{Class: clinic.FoundCannotAsk, Conclusive: true}, 0, "unknown", "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			message, p := lost(t, w)
			u := asked1(t, w)
			w.Clock.Add(tc.after)
			must(t, w.Clinic.DeliverySettle(ctx, worker, u, tc.found))
			must(t, w.Clinic.DeliverySettle(ctx, worker, u, tc.found)) // told twice
			wantState(t, w, p.DeliveryID, tc.state)
			if got := w.Strings(t, "SELECT error_class FROM deliveries WHERE id = $1", p.DeliveryID)[0]; got != tc.code {
				t.Errorf("the code is %q, want %q", got, tc.code)
			}
			everyRevIsOnTheTrail(t, w, p.DeliveryID)
			if tc.found.Class == clinic.FoundAccepted {
				wantCount(t, w, 1, "the provider's id", "SELECT count(*) FROM deliveries WHERE id = $1 AND provider = 'twilio' AND provider_id = 'SM1'", p.DeliveryID)
				wantCount(t, w, 1, "accepted attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1 AND outcome = 'accepted'", p.DeliveryID)
			}
			if tc.state == "queued" {
				if again := claimed(t, w, message); again.Attempt != 2 {
					t.Errorf("sent again as attempt %d", again.Attempt)
				}
			}
		})
	}
}

// A look-up that comes back after the row has moved on changes it only if it found something.
func TestDeliverySettleComesLate(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, id, rev := undecided(t, w)
	u := clinic.Unknown{DeliveryID: id, Attempt: 1}
	wantKind(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundNothing}), clinic.NotFound, "an Unknown that was not given out")
	w = clinictest.New(t)
	_, p := lost(t, w)
	u = asked1(t, w)
	w.Clock.Add(clinic.DefaultTimes().LookupGrace)
	for range 2 {
		must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundNothing, Conclusive: false}))
		wantState(t, w, p.DeliveryID, "needs_person")
	}
	must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundNothing, Conclusive: true}))
	wantState(t, w, p.DeliveryID, "needs_person") // a person has it now
	wantCount(t, w, rev, "its rev", "SELECT rev FROM deliveries WHERE id = $1", p.DeliveryID)
	must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundAccepted, Provider: "twilio", ProviderID: "SM1"}))
	wantState(t, w, p.DeliveryID, "accepted")
	everyRevIsOnTheTrail(t, w, p.DeliveryID)
}

// everyRevIsOnTheTrail: as many steps as changes of state, without a gap, ending in the state.
func everyRevIsOnTheTrail(t testing.TB, w *clinictest.World, delivery uuid.UUID) {
	t.Helper()
	wantCount(t, w, 1, "deliveries whose trail is whole", `SELECT count(*) FROM deliveries d WHERE id = $1 AND state = (SELECT detail->>'to' FROM audit_events e WHERE e.subject_id = d.id AND e.rev = d.rev)
		AND (SELECT array_agg(rev ORDER BY rev) FROM audit_events e WHERE e.subject_id = d.id AND rev IS NOT NULL) = (SELECT array_agg(g) FROM generate_series(1, d.rev) g)`, delivery)
}
