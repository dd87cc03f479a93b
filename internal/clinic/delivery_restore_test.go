package clinic_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Every kind of row that a restored database can have, and what becomes of it.
func TestDeliveryRestore(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	accepted := p.DeliveryID
	_, lostOne := lost(t, w)
	sending := claimed(t, w, w.Approved(t, w.Patient, "sms"))
	w.UndoWindow(t, 120)
	later := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	w.UndoWindow(t, 0)
	mail, text := deliveryOf(t, w, w.Approved(t, w.Patient, "email")), deliveryOf(t, w, w.Approved(t, w.Patient, "sms"))
	told, inFlight := deliveryOf(t, w, w.Approved(t, w.Patient, "email")), w.Approved(t, w.Patient, "email")
	since := w.Clock.Now().Add(-time.Hour)
	w.Clock.Add(time.Second)
	// A report of what this database thinks unsent: it is kept, and says nothing yet.
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: "e1", ProviderID: "x9", DeliveryID: told, State: "delivered", At: w.Clock.Now()}}))
	wantState(t, w, told, "queued")
	hold(t, w, 9)
	w.Clock.Add(time.Minute)
	// A worker that had claimed it in the lost time tells what came of it.
	must(t, w.Exec(t, "UPDATE deliveries SET provider = 'sendgrid', provider_id = 'x10', updated_at = $1 WHERE id = $2", w.Clock.Now(), deliveryOf(t, w, inFlight)))
	fresh := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))

	shown, err := w.Clinic.InstanceShow(ctx, w.Operator, since)
	must(t, err)
	if len(shown.Channels) != 2 || shown.Channels[0] != (clinic.StoppedChannel{Channel: "email", Suspect: 3, Queued: 5}) || shown.Channels[1] != (clinic.StoppedChannel{Channel: "sms", Suspect: 1, Queued: 1}) {
		t.Errorf("an operator reads %+v", shown.Channels)
	}
	none, err := w.Clinic.DeliveryRestore(ctx, w.Operator, w.Clock.Now(), 10) // nothing was lost: the window is empty
	if must(t, err); none != 0 {
		t.Errorf("with nothing lost %d", none)
	}
	moved := 0
	for n := 1; n > 0; moved += n {
		n, err = w.Clinic.DeliveryRestore(ctx, w.Operator, since, 3)
		must(t, err)
	}
	if moved != 4 {
		t.Errorf("%d were doubted", moved)
	}
	for id, state := range map[uuid.UUID]string{accepted: "accepted", lostOne.DeliveryID: "unknown", sending.DeliveryID: "sending", later: "queued", mail: "unknown", text: "unknown",
		told: "delivered", deliveryOf(t, w, inFlight): "unknown", fresh: "queued"} {
		wantState(t, w, id, state)
	}
	wantCount(t, w, 5, "steps on the record", "SELECT count(*) FROM audit_events WHERE deed = 'delivery.restore' AND actor_kind = 'operator' AND rev IS NOT NULL")
	n, err := w.Clinic.DeliveryAsk(ctx, w.Operator, since)
	if must(t, err); n != 1 {
		t.Errorf("%d of the unknown ones are looked up wider", n)
	}
	if shown, err = w.Clinic.InstanceShow(ctx, w.Operator, since); err != nil || !slices.Equal(shown.Settling, []clinic.Settling{{Channel: "email", State: "delivered", Deliveries: 1},
		{Channel: "email", State: "unknown", Deliveries: 2}, {Channel: "sms", State: "unknown", Deliveries: 2}}) {
		t.Errorf("an operator reads %+v, %v", shown.Settling, err)
	}
	lookedUpWide(t, w, since, map[uuid.UUID]int{lostOne.DeliveryID: 1, mail: 0, text: 0, deliveryOf(t, w, inFlight): 0})
}

// lookedUpWide: what is looked up is asked about from since until now, whatever attempt the database knows of.
func lookedUpWide(t *testing.T, w *clinictest.World, since time.Time, attempts map[uuid.UUID]int) {
	t.Helper()
	w.Clock.Add(time.Minute)
	rows, err := w.Clinic.DeliveryReconcile(ctx, w.Operator, 10)
	must(t, err)
	if len(rows) != len(attempts) {
		t.Errorf("%d are looked up, want %d", len(rows), len(attempts))
	}
	for _, u := range rows {
		if attempt, ok := attempts[u.DeliveryID]; !ok || u.Attempt != attempt || !u.Since.Equal(since) || !u.Until.Equal(w.Clock.Now()) || u.To == "" || u.Body == "" {
			t.Errorf("looked up as %+v", u)
		}
	}
}

// What was restored is settled like everything unknown: found, or by a late report, or by a person, who sends again.
func TestDeliveryRestoreIsSettled(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	since := w.Clock.Now()
	texts := []uuid.UUID{deliveryOf(t, w, w.Approved(t, w.Patient, "sms")), deliveryOf(t, w, w.Approved(t, w.Patient, "sms")), deliveryOf(t, w, w.Approved(t, w.Patient, "sms"))}
	w.Clock.Add(time.Second)
	hold(t, w, 9)
	_, err := w.Clinic.DeliveryRestore(ctx, w.Operator, since, 10)
	must(t, err)
	rows, err := w.Clinic.DeliveryReconcile(ctx, worker, 10)
	must(t, err)
	settle := func(id uuid.UUID, f clinic.Found) {
		t.Helper()
		for _, u := range rows {
			if u.DeliveryID == id {
				must(t, w.Clinic.DeliverySettle(ctx, worker, u, f))
			}
		}
	}
	settle(texts[0], clinic.Found{Class: clinic.FoundAccepted, Provider: "twilio", ProviderID: "SM1", State: "delivered"})
	wantState(t, w, texts[0], "delivered")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "twilio", EventKey: "e1", ProviderID: "SM2", DeliveryID: texts[1], State: "sent", At: w.Clock.Now()}}))
	wantState(t, w, texts[1], "sent")
	settle(texts[2], clinic.Found{Class: clinic.FoundNothing, Provider: "twilio"})
	wantState(t, w, texts[2], "unknown")
	w.Clock.Add(clinic.DefaultTimes().LookupGrace)
	settle(texts[2], clinic.Found{Class: clinic.FoundNothing, Provider: "twilio"})
	wantState(t, w, texts[2], "needs_person")
	_, err = w.Clinic.DeliveryResend(ctx, w.Staff, texts[2], w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", texts[2]))
	must(t, err)
	again, err := w.Clinic.DeliveryRestore(ctx, w.Operator, since, 10) // a person's decision of now is no suspect
	if must(t, err); again != 0 {
		t.Errorf("doubted again: %d", again)
	}
	_, err = w.Clinic.InstanceRelease(ctx, w.Operator, since, anchored)
	must(t, err)
	p, err := w.Clinic.DeliveryClaim(ctx, worker, texts[2])
	if must(t, err); p == nil || p.Attempt != 1 {
		t.Errorf("what a person sends again is not to be had: %+v", p)
	}
	wantCount(t, w, 3, "deliveries", "SELECT count(*) FROM deliveries")
	wantCount(t, w, 0, "gaps in the record", `SELECT count(*) FROM deliveries d WHERE d.rev <> (SELECT count(DISTINCT e.rev) FROM audit_events e WHERE e.subject_id = d.id AND e.rev IS NOT NULL)`)
}

// Reports of what this database does not know are shown by their providers' own ids, and by nothing else.
func TestInstanceShowsWhatNobodyKnows(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	since := w.Clock.Now()
	for i, key := range []string{"e1", "e2", "e3"} {
		must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: key, ProviderID: []string{"x1", "x1", "x2"}[i], DeliveryID: uuid.New(),
			State: "delivered", At: w.Clock.Now().Add(time.Duration(i) * time.Second)}}))
	}
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: "e0", ProviderID: "x0", DeliveryID: uuid.New(), State: "delivered", At: since.Add(-time.Hour)}}))
	shown, err := w.Clinic.InstanceShow(ctx, w.Operator, since)
	must(t, err)
	if len(shown.Unknown) != 2 || shown.Unknown[0].ProviderID != "x2" || shown.Unknown[1].ProviderID != "x1" || shown.Unknown[1].Reports != 2 {
		t.Errorf("an operator reads %+v", shown.Unknown)
	}
}
