package clinic_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestDeliveryClaimOnce(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for range 3 {
		id := deliveryOf(t, w, w.Approved(t, w.Patient, "sms"))
		var won atomic.Int32
		for _, err := range together(20, func(int) error {
			p, err := w.Clinic.DeliveryClaim(ctx, worker, id)
			if p != nil {
				won.Add(1)
			}
			return err
		}) {
			must(t, err)
		}
		if won.Load() != 1 {
			t.Fatalf("%d of 20 workers hold the delivery", won.Load())
		}
		wantCount(t, w, 1, "attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1", id)
	}
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, uuid.Must(uuid.NewV7())); p != nil || err != nil {
		t.Errorf("an unknown delivery: %v %v", p, err)
	}
}

func TestDeliveryClaimWaitsForItsTime(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.UndoWindow(t, 30)
	message := w.Approved(t, w.Patient, "email")
	id := deliveryOf(t, w, message)
	if n := len(w.Dues()); n != 0 {
		t.Errorf("%d nudges within the time to undo", n)
	}
	w.Clock.Add(29 * time.Second)
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, id); p != nil || err != nil {
		t.Fatalf("claimed while it can be undone: %v", err)
	}
	if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 0 {
		t.Fatalf("due while it can be undone: %v %v", due, err)
	}
	w.Clock.Add(time.Second)
	if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 1 {
		t.Fatalf("not due after that: %v %v", due, err)
	}
	if p := claimed(t, w, message); p.StartBy.Sub(w.Clock.Now()) != clinic.DefaultTimes().StartWindow {
		t.Errorf("may start until %s", p.StartBy.Sub(w.Clock.Now()))
	}
}

// spoilt is a way in which a delivery stops being what was signed, and what becomes of it.
type spoilt struct {
	spoil       func(*testing.T, *clinictest.World, uuid.UUID)
	state, code string
}

func spoiltDeliveries() map[string]spoilt {
	set := func(sql string) func(*testing.T, *clinictest.World, uuid.UUID) {
		return func(t *testing.T, w *clinictest.World, message uuid.UUID) {
			t.Helper()
			must(t, w.Exec(t, sql, message))
		}
	}
	return map[string]spoilt{
		"opted out": {func(t *testing.T, w *clinictest.World, _ uuid.UUID) {
			must(t, w.Clinic.ConsentReply(ctx, clinic.ProviderActor("twilio", "", ""), text("+14155550441", "STOP")))
		}, "refused", "opted_out"},
		"number changed": {func(t *testing.T, w *clinictest.World, _ uuid.UUID) {
			p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
			must(t, err)
			f := formOf(p)
			f.Phone = "+14155550123"
			must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, f))
		}, "refused", "contact_changed"},
		"expired":                {func(_ *testing.T, w *clinictest.World, _ uuid.UUID) { w.Clock.Add(72 * time.Hour) }, "expired", "expired"},
		"withdrawn underneath":   {set("UPDATE messages SET status = 'withdrawn' WHERE id = $1"), "cancelled", "withdrawn"},
		"signed anew underneath": {set("UPDATE messages SET version = version + 1 WHERE id = $1"), "cancelled", "withdrawn"},
		"another's recipient":    {set("UPDATE deliveries SET recipient_sealed = (SELECT recipient_sealed FROM deliveries WHERE message_id <> $1 LIMIT 1) WHERE message_id = $1"), "refused", "seal"},
		"another's body":         {set("UPDATE deliveries SET body_sealed = (SELECT body_sealed FROM deliveries WHERE message_id <> $1 LIMIT 1) WHERE message_id = $1"), "refused", "seal"},
		"body for recipient":     {set("UPDATE deliveries SET recipient_sealed = body_sealed WHERE message_id = $1"), "refused", "seal"},
		"another channel":        {set("UPDATE deliveries SET channel = 'email' WHERE message_id = $1"), "refused", "seal"},
		"another signature":      {set("UPDATE deliveries SET mac = sha256(mac) WHERE message_id = $1"), "refused", "seal"},
		"another final text":     {set("UPDATE messages SET final_sealed = (SELECT final_sealed FROM messages WHERE id <> $1 LIMIT 1) WHERE id = $1"), "refused", "seal"},
		"another evidence":       {set("UPDATE messages SET final_evidence = final_evidence || ' '::bytea WHERE id = $1"), "refused", "seal"},
		"another signer":         {set("UPDATE messages SET signer_name = 'Dr Evil' WHERE id = $1"), "refused", "seal"},
	}
}

// What changed since the signature is looked at again inside the claim, and ends on the record, not at a provider.
func TestDeliveryClaimRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range spoiltDeliveries() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			w.Approved(t, w.Patient, "sms")
			message := w.Approved(t, w.Patient, "sms")
			id := deliveryOf(t, w, message)
			tc.spoil(t, w, message)
			if p, err := w.Clinic.DeliveryClaim(ctx, worker, id); p != nil || err != nil {
				t.Fatalf("claimed all the same: %v", err)
			}
			wantState(t, w, id, tc.state)
			if got := w.Strings(t, "SELECT error_class FROM deliveries WHERE id = $1", id)[0]; got != tc.code {
				t.Errorf("the code is %q, want %q", got, tc.code)
			}
			wantCount(t, w, 0, "attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1", id)
			wantCount(t, w, 1, "the step on the trail", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND detail->>'to' = $2", id, tc.state)
			v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
			if name == "another final text" { // it is not shown to anybody either
				wantKind(t, err, clinic.Internal, "a final text that was moved")
				return
			}
			must(t, err)
			if n := len(v.Deliveries); n != 1 || v.Deliveries[0].State != tc.state {
				t.Errorf("the doctor sees %+v", v.Deliveries)
			}
		})
	}
}

// A worker with the wrong keys refuses nothing for good: the row waits for one with the right keys.
func TestDeliveryClaimWithAWrongKeyset(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "sms"))
	wrong := clinictest.Reopened(t, w)
	if _, err := wrong.DeliveryClaim(ctx, worker, id); err == nil {
		t.Fatal("claimed with the wrong keys")
	}
	wantState(t, w, id, "queued")
}
