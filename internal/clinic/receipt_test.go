package clinic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestDeliveryReceiveBeforeTheRecord(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	p := claimed(t, w, w.Approved(t, w.Patient, "email"))
	now := w.Clock.Now()
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e2", "x1", "delivered", now), receipt("e1", "x1", "in_transit", now)}))
	wantState(t, w, p.DeliveryID, "sending")
	wantCount(t, w, 2, "reports kept unmatched", "SELECT count(*) FROM delivery_events WHERE delivery_id IS NULL")
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x1"}))
	wantState(t, w, p.DeliveryID, "delivered")
	wantCount(t, w, 0, "reports left unmatched", "SELECT count(*) FROM delivery_events WHERE delivery_id IS NULL")
}

// A report that crossed with the record in two transactions is matched by the sweep.
func TestDeliveryReceiveThatCrossedTheRecord(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	must(t, w.Exec(t, `INSERT INTO delivery_events (id, provider, event_key, provider_id, state, happened_at, received_at)
		VALUES ($1, 'sendgrid', 'crossed', 'x1', 'delivered', now(), now()), ($2, 'sendgrid', 'stray', 'nothing-of-ours', 'delivered', now(), now())`,
		uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())))
	if n, err := w.Clinic.DeliverySweep(ctx, worker); n != 1 || err != nil {
		t.Fatalf("the sweep matched %d, %v", n, err)
	}
	wantState(t, w, p.DeliveryID, "delivered")
	if n, err := w.Clinic.DeliverySweep(ctx, worker); n != 0 || err != nil {
		t.Fatalf("the next sweep matched %d, %v", n, err)
	}
	wantCount(t, w, 1, "strays kept", "SELECT count(*) FROM delivery_events WHERE delivery_id IS NULL")
}

func TestDeliveryReceiveOnceAndForwardOnly(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	now := w.Clock.Now()
	batch := []clinic.Receipt{receipt("e1", "x1", "sent", now), receipt("e2", "x1", "delivered", now), receipt("e1", "x1", "sent", now)}
	for _, err := range together(6, func(int) error { return w.Clinic.DeliveryReceive(ctx, mailer, batch) }) {
		must(t, err)
	}
	wantCount(t, w, 2, "events kept", "SELECT count(*) FROM delivery_events")
	wantCount(t, w, 1, "moves to delivered", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND detail->>'to' = 'delivered'", p.DeliveryID)
	rev := w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", p.DeliveryID)
	// Forged order: older news, and news under a key that is known, change nothing.
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e3", "x1", "accepted", now.Add(time.Hour)), receipt("e4", "x1", "in_transit", now.Add(time.Hour)),
		receipt("e2", "x1", "undelivered", now), receipt("e5", "x1", "nonsense", now)}))
	wantState(t, w, p.DeliveryID, "delivered")
	wantCount(t, w, rev, "the rev", "SELECT rev FROM deliveries WHERE id = $1", p.DeliveryID)
}

func TestDeliveryReceiveBounceAfterDelivered(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := sent(t, w, "email", "x1")
	now := w.Clock.Now()
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e1", "x1", "delivered", now)}))
	if c := contact(t, w, "email"); c.Verified || c.Bounced {
		t.Errorf("delivered says nothing about whose mailbox it was: %+v", c)
	}
	// By custom arguments only: no id of the provider's.
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: "e2", DeliveryID: p.DeliveryID, State: "undelivered", Code: "bounce", At: now}}))
	wantState(t, w, p.DeliveryID, "undelivered")
	if c := contact(t, w, "email"); !c.Bounced || c.BounceCode != "bounce" {
		t.Errorf("the bounce is not on the contact: %+v", c)
	}
	v, err := w.Clinic.MessageShow(ctx, w.Staff, message)
	must(t, err)
	if words := v.Deliveries[0].Words; !strings.Contains(words, "mailbox does not exist") {
		t.Errorf("staff read %q", words)
	}
	// A proved opening beats the bounce, for the delivery and for the contact.
	_, err = w.Clinic.PageProve(ctx, nobody, tokenOf(p), "1967-05-30")
	must(t, err)
	wantState(t, w, p.DeliveryID, "opened")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e9", "x1", "undelivered", now)}))
	wantState(t, w, p.DeliveryID, "opened")
	if c := contact(t, w, "email"); c.Bounced || !c.Verified {
		t.Errorf("the opening did not verify the contact: %+v", c)
	}
}

func contact(t *testing.T, w *clinictest.World, channel string) clinic.Contact {
	t.Helper()
	p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	for _, c := range p.Contacts {
		if c.Channel == channel {
			return c
		}
	}
	t.Fatal("no such contact")
	return clinic.Contact{}
}

// Twilio's 21610 is news for the consent ledger, from the answer to a request as from a callback.
func TestDeliveryOptOutByProvider(t *testing.T) {
	t.Parallel()
	for name, tell := range map[string]func(*clinictest.World, *clinic.Parcel) error{
		"answer": func(w *clinictest.World, p *clinic.Parcel) error {
			return w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeFailed, "21610"))
		},
		"callback": func(w *clinictest.World, p *clinic.Parcel) error {
			return w.Clinic.DeliveryReceive(ctx, clinic.ProviderActor("twilio", "", ""), []clinic.Receipt{{Provider: "twilio", EventKey: "e", DeliveryID: p.DeliveryID, ProviderID: "SM1",
				State: "undelivered", Code: "21610", At: time.Now()}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			p := claimed(t, w, w.Approved(t, w.Patient, "sms"))
			must(t, tell(w, p))
			wantCount(t, w, 1, "lines of the ledger", "SELECT count(*) FROM consents WHERE status = 'out' AND source = 'provider' AND clinic_id = $1", w.ClinicID)
			if !contact(t, w, "sms").OptedOut {
				t.Error("the contact does not say that it opted out")
			}
		})
	}
}

// One bad report takes no other with it, and stands in nobody's way.
func TestDeliveryReceiveBadReports(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	bad := clinic.Receipt{Provider: "sendgrid", EventKey: strings.Repeat("k\xff", 4000), ProviderID: "x1\x00", State: "sent", Code: "Dear Rosa Delgado, your", At: w.Clock.Now()}
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{bad, bad, receipt("e1", "x1", "delivered", w.Clock.Now())}))
	wantState(t, w, p.DeliveryID, "delivered")
	wantCount(t, w, 2, "events", "SELECT count(*) FROM delivery_events")
	wantCount(t, w, 1, "codes that were no codes", "SELECT count(*) FROM delivery_events WHERE code = 'other'")
}

// Parallel posts about the same deliveries in every order do not hold each other up.
func TestDeliveryReceiveInParallel(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	var batch []clinic.Receipt
	for _, id := range []string{"x1", "x2", "x3", "x4"} {
		_, p := sent(t, w, "email", id)
		for _, state := range []string{"undelivered", "delivered", "in_transit"} {
			batch = append(batch, clinic.Receipt{Provider: "sendgrid", EventKey: id + state, ProviderID: id, DeliveryID: p.DeliveryID, State: state, At: w.Clock.Now()})
		}
	}
	for _, err := range together(8, func(i int) error {
		mine := append(append([]clinic.Receipt{}, batch[i:]...), batch[:i]...)
		return w.Clinic.DeliveryReceive(ctx, mailer, mine)
	}) {
		must(t, err)
	}
	wantCount(t, w, 4, "bounced deliveries", "SELECT count(*) FROM deliveries WHERE state = 'undelivered'")
}
