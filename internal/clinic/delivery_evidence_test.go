package clinic_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// shelved are the ways in which a notice that was claimed once comes to lie in a state of «not sent».
var shelved = map[string]func(testing.TB, *clinictest.World) (message, delivery uuid.UUID){
	"queued after «not sent»":   notSent,
	"queued after «send again»": sentAgain,
	"cancelled": func(t testing.TB, w *clinictest.World) (uuid.UUID, uuid.UUID) {
		message, id := notSent(t, w)
		must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
		wantState(t, w, id, "cancelled")
		return message, id
	},
	"expired": func(t testing.TB, w *clinictest.World) (uuid.UUID, uuid.UUID) {
		message, id := notSent(t, w)
		w.Clock.Add(73 * time.Hour)
		nothingToClaim(t, w, id)
		wantState(t, w, id, "expired")
		return message, id
	},
	"refused": func(t testing.TB, w *clinictest.World) (uuid.UUID, uuid.UUID) {
		message, id := notSent(t, w)
		must(t, w.Clinic.ConsentReply(ctx, clinic.ProviderActor("twilio", "", ""), text("+14155550441", "STOP")))
		nothingToClaim(t, w, id)
		wantState(t, w, id, "refused")
		return message, id
	},
	"failed": func(t testing.TB, w *clinictest.World) (uuid.UUID, uuid.UUID) {
		message := w.Approved(t, w.Patient, "sms")
		p := claimed(t, w, message)
		must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeFailed, "21614")))
		return message, p.DeliveryID
	},
}

func notSent(t testing.TB, w *clinictest.World) (message, delivery uuid.UUID) {
	t.Helper()
	message = w.Approved(t, w.Patient, "sms")
	p := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeNotSent, "429")))
	w.Clock.Add(time.Minute)
	return message, p.DeliveryID
}

func sentAgain(t testing.TB, w *clinictest.World) (message, delivery uuid.UUID) {
	t.Helper()
	message, delivery, rev := undecided(t, w)
	_, err := w.Clinic.DeliveryResend(ctx, w.Staff, delivery, rev)
	must(t, err)
	return message, delivery
}

func nothingToClaim(t testing.TB, w *clinictest.World, id uuid.UUID) {
	t.Helper()
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, id); p != nil || err != nil {
		t.Fatalf("claimed: %v, %v", p != nil, err)
	}
}

func late(id uuid.UUID, state, code string) []clinic.Receipt {
	return []clinic.Receipt{{Provider: "twilio", EventKey: "late-" + state, ProviderID: "SM1", DeliveryID: id, State: state, Code: code, At: time.Now()}}
}

// Evidence wins over «not sent», whoever brings it, and what it is about is never sent again.
func TestEvidenceAlwaysWins(t *testing.T) {
	t.Parallel()
	type told struct {
		by, state string
		steps     int // that it takes
		tell      func(*clinictest.World, uuid.UUID) error
	}
	for name, shelve := range shelved {
		for _, told := range []told{
			{"a callback", "delivered", 1, func(w *clinictest.World, id uuid.UUID) error {
				return w.Clinic.DeliveryReceive(ctx, mailer, late(id, "delivered", ""))
			}},
			{"a bounce", "undelivered", 1, func(w *clinictest.World, id uuid.UUID) error {
				return w.Clinic.DeliveryReceive(ctx, mailer, late(id, "undelivered", "30005"))
			}},
			{"a look-up", "sent", 2, func(w *clinictest.World, id uuid.UUID) error {
				found := clinic.Found{Class: clinic.FoundAccepted, Provider: "twilio", ProviderID: "SM1", State: "sent"}
				return w.Clinic.DeliverySettle(ctx, worker, clinic.UnknownOf(id, w.ClinicID), found)
			}},
		} {
			if told.by != "a callback" && !strings.HasPrefix(name, "queued") {
				continue
			}
			t.Run(name+", "+told.by, func(t *testing.T) {
				t.Parallel()
				w := clinictest.New(t)
				message, id := shelve(t, w)
				before := w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", id)
				for range 2 { // told twice
					must(t, told.tell(w, id))
				}
				wantState(t, w, id, told.state)
				wantCount(t, w, before+told.steps, "its rev", "SELECT rev FROM deliveries WHERE id = $1", id)
				for range 3 {
					w.Clock.Add(24 * time.Hour)
					due, err := w.Clinic.RelayDue(ctx, 10)
					must(t, err)
					if len(due) != 0 {
						t.Fatal("the relay wants it sent again")
					}
					nothingToClaim(t, w, id)
				}
				wantState(t, w, id, told.state)
				wantCount(t, w, 1, "attempts", "SELECT attempt FROM deliveries WHERE id = $1", id)
				everyRevIsOnTheTrail(t, w, id)
				if name != "failed" {
					first := map[bool]string{true: "accepted", false: told.state}[told.steps == 2]
					wantDetail(t, w, message, first, "had gone out after all")
				}
			})
		}
	}
}

// wantDetail finds a step of the timeline by its state and looks for words in its detail.
func wantDetail(t testing.TB, w *clinictest.World, message uuid.UUID, state, words string) {
	t.Helper()
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	for _, s := range v.Steps {
		if s.Kind == "delivery" && s.State == state {
			if !strings.Contains(s.Detail.Reveal(), words) {
				t.Errorf("the step %s says %q", state, s.Detail.Reveal())
			}
			return
		}
	}
	t.Errorf("no step %s on the timeline", state)
}

// The patient opens what attempt 1 brought, between a person's «send again» and its claim: there is no second notice.
func TestEvidenceOfAnOpening(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := lost(t, w)
	u := asked1(t, w)
	w.Clock.Add(clinic.DefaultTimes().LookupGrace)
	must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundNothing}))
	_, err := w.Clinic.DeliveryResend(ctx, w.Staff, p.DeliveryID, w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", p.DeliveryID))
	must(t, err)
	_, err = w.Clinic.PageProve(ctx, nobody, tokenOf(p), "1967-05-30")
	must(t, err)
	wantState(t, w, p.DeliveryID, "opened")
	nothingToClaim(t, w, p.DeliveryID)
	everyRevIsOnTheTrail(t, w, p.DeliveryID)
	if v, err := w.Clinic.MessageShow(ctx, w.Doctor, message); err != nil || v.OpenedAt == nil {
		t.Errorf("the message does not know that it was opened: %v", err)
	}
}

// The first attempt's own late answer counts as well as a report.
func TestEvidenceOfALateRecord(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := lost(t, w)
	u := asked1(t, w)
	w.Clock.Add(clinic.DefaultTimes().LookupGrace)
	must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundNothing}))
	_, err := w.Clinic.DeliveryResend(ctx, w.Staff, p.DeliveryID, w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", p.DeliveryID))
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "SM1"}))
	wantState(t, w, p.DeliveryID, "accepted")
	nothingToClaim(t, w, p.DeliveryID)
}

// A report about what was never claimed is noise, or a forgery with a stolen key: it neither moves the row nor keeps it
// from being sent.
func TestEvidenceOfNothing(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "sms")
	id := deliveryOf(t, w, message)
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, late(id, "delivered", "")))
	wantState(t, w, id, "queued")
	wantCount(t, w, 1, "the report is kept", "SELECT count(*) FROM delivery_events WHERE delivery_id = $1", id)
	if p := claimed(t, w, message); p.Attempt != 1 {
		t.Errorf("attempt %d", p.Attempt)
	}
}

// Between «send again» and its claim, a callback and the claim race: one of them is first, the row ends where the
// evidence says either way, and there is a second attempt only where the claim was first.
func TestEvidenceRacesTheClaim(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	const rounds = 12
	claims := 0
	for i := range rounds {
		must(t, w.Exec(t, "UPDATE breakers SET failures = 0")) // that of the channel is another test's
		_, id := sentAgain(t, w)
		var p *clinic.Parcel
		for _, err := range together(2, func(n int) (err error) {
			if n == 0 {
				p, err = w.Clinic.DeliveryClaim(ctx, worker, id)
				return err
			}
			r := late(id, "delivered", "")
			r[0].EventKey, r[0].ProviderID = fmt.Sprint("race-", i), fmt.Sprint("SM-race-", i)
			return w.Clinic.DeliveryReceive(ctx, mailer, r)
		}) {
			must(t, err)
		}
		wantState(t, w, id, "delivered")
		attempts := 1
		if p != nil {
			attempts, claims = 2, claims+1
		}
		wantCount(t, w, attempts, "attempts", "SELECT attempt FROM deliveries WHERE id = $1", id)
		wantCount(t, w, attempts, "rows of attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1", id)
		everyRevIsOnTheTrail(t, w, id)
		nothingToClaim(t, w, id)
	}
	t.Logf("the claim was first in %d of %d", claims, rounds)
}

// A report that an earlier version stored and did not fold, because its row was queued, is folded before the claim.
func TestEvidenceThatWasLeftUnfolded(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, id := sentAgain(t, w)
	must(t, w.Exec(t, `INSERT INTO delivery_events (id, clinic_id, delivery_id, provider, event_key, provider_id, state, happened_at, received_at)
		SELECT gen_random_uuid(), clinic_id, id, 'twilio', s, 'SM1', s, now(), now() FROM deliveries, unnest(ARRAY['sent', 'delivered', 'nonsense']) s WHERE id = $1`, id))
	nothingToClaim(t, w, id)
	wantState(t, w, id, "delivered")
	wantCount(t, w, 1, "attempts", "SELECT attempt FROM deliveries WHERE id = $1", id)
	everyRevIsOnTheTrail(t, w, id)
}

// What needs a person is looked up at a slower rhythm for a day: a provider may show late what it took. Found, it is
// accepted; not found, it stays with the person, however conclusive the answer.
func TestUndecidedIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	times := clinic.DefaultTimes()
	message, id, rev := undecided(t, w)
	asked := func(want int, when string) (u clinic.Unknown) {
		t.Helper()
		rows, err := w.Clinic.DeliveryReconcile(ctx, worker, 10)
		must(t, err)
		if len(rows) != want {
			t.Fatalf("%s: %d to look up, want %d", when, len(rows), want)
		}
		for _, u = range rows {
		}
		return u
	}
	asked(0, "just now")
	w.Clock.Add(times.LookupAgain)
	u := asked(1, "after the first wait")
	if u.DeliveryID != id || u.Attempt != 1 || u.To != "+14155550441" || u.Body == "" {
		t.Errorf("asked by %+v", u)
	}
	asked(0, "by a second worker")
	for _, f := range []clinic.Found{{Class: clinic.FoundCannotAsk}, {Class: clinic.FoundNothing}, {Class: clinic.FoundNothing, Conclusive: true}} {
		must(t, w.Clinic.DeliverySettle(ctx, worker, u, f))
		wantState(t, w, id, "needs_person")
	}
	wantCount(t, w, rev, "its rev", "SELECT rev FROM deliveries WHERE id = $1", id)
	w.Clock.Add(times.LookupAgain - time.Second)
	asked(0, "before the next wait is over")
	w.Clock.Add(time.Second)
	u = asked(1, "after it")
	w.Clock.Add(times.LookupUntil)
	asked(0, "a day later")
	must(t, w.Clinic.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundAccepted, Provider: "twilio", ProviderID: "SM1", State: "delivered"}))
	wantState(t, w, id, "delivered")
	everyRevIsOnTheTrail(t, w, id)
	wantCount(t, w, 2, "steps by the look-up", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND deed = 'delivery.settle' AND detail->>'to' IN ('accepted', 'delivered')", id)
	if v, err := w.Clinic.MessageShow(ctx, w.Staff, message); err != nil || v.Deliveries[0].CanSettle {
		t.Errorf("the buttons are still there: %v", err)
	}
}

// After «send again», a look-up asks about every attempt: the first may be the one that went out.
func TestUndecidedIsAskedSinceTheFirstAttempt(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	began := w.Clock.Now()
	message, _ := sentAgain(t, w)
	w.Clock.Add(time.Minute)
	p := claimed(t, w, message)
	ended := w.Clock.Now()
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeUnknown, "timeout")))
	u := asked1(t, w)
	if u.Attempt != 2 || !u.Since.Equal(began) || !u.Until.Equal(ended) {
		t.Errorf("attempt %d, from %s to %s", u.Attempt, u.Since.Sub(began), u.Until.Sub(began))
	}
}
