package clinic_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// «Send again» makes a second attempt at the same notice, counted on the row, with the person's name on the timeline.
func TestDeliveryResend(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, id, rev := undecided(t, w)
	work, err := w.Clinic.WorklistShow(ctx, w.Staff, "")
	must(t, err)
	if len(work.Rows) != 1 || work.Rows[0].Todo != "decide" {
		t.Errorf("the worklist does not ask for a decision: %+v", work.Rows)
	}
	v, err := w.Clinic.MessageShow(ctx, w.Staff, message)
	must(t, err)
	if d := v.Deliveries[0]; !d.CanSettle || !d.CanResend || d.Rev != rev {
		t.Errorf("the buttons are not there: %+v", d)
	}
	nudged := len(w.Dues())
	got, err := w.Clinic.DeliveryResend(ctx, w.Staff, id, rev)
	must(t, err)
	if got != message || len(w.Dues()) != nudged+1 {
		t.Errorf("the message is %s, %d nudges", got, len(w.Dues())-nudged)
	}
	wantState(t, w, id, "queued")
	wantCount(t, w, 1, "counted", "SELECT resends FROM deliveries WHERE id = $1", id)
	_, err = w.Clinic.DeliveryResend(ctx, w.Doctor, id, rev)
	wantCode(t, err, "settled", "a second press")
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)), "too_late", "an undo of what may have been sent")
	p := claimed(t, w, message)
	if p.Attempt != 2 {
		t.Errorf("attempt %d", p.Attempt)
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "SM2"}))
	wantState(t, w, id, "accepted")
	everyRevIsOnTheTrail(t, w, id)
	wantStep(t, w, message, "To be sent again, by decision of", "Tom Reyes")
}

// «It was sent» takes a person's word, and says whose; what the provider reports later still counts.
func TestDeliveryMarkSent(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, id, rev := undecided(t, w)
	got, err := w.Clinic.DeliveryMarkSent(ctx, w.Reviewer, id, rev)
	must(t, err)
	if got != message {
		t.Errorf("the message is %s", got)
	}
	wantState(t, w, id, "accepted")
	wantCount(t, w, 1, "on whose word", "SELECT count(*) FROM deliveries WHERE id = $1 AND marked_sent_by = $2 AND resends = 0", id, w.Reviewer.ID)
	_, err = w.Clinic.DeliveryMarkSent(ctx, w.Staff, id, rev)
	wantCode(t, err, "settled", "a second press")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "twilio", EventKey: "k", ProviderID: "SM1", DeliveryID: id, State: "delivered", At: w.Clock.Now()}}))
	wantState(t, w, id, "delivered")
	wantCount(t, w, 1, "still on whose word", "SELECT count(*) FROM deliveries WHERE id = $1 AND marked_sent_by = $2", id, w.Reviewer.ID)
	everyRevIsOnTheTrail(t, w, id)
	wantStep(t, w, message, "Recorded as sent, on the word of", "Helen Marsh")
}

func wantStep(t testing.TB, w *clinictest.World, message uuid.UUID, title, by string) {
	t.Helper()
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	for _, s := range v.Steps {
		if s.Title == title && s.By == by {
			return
		}
	}
	t.Errorf("no step %q by %s: %+v", title, by, v.Steps)
}

type decision func(c *clinic.Clinic, a clinic.Actor, id uuid.UUID, rev int) (uuid.UUID, error)

var decisions = map[string]decision{
	"resend": func(c *clinic.Clinic, a clinic.Actor, id uuid.UUID, rev int) (uuid.UUID, error) {
		return c.DeliveryResend(ctx, a, id, rev)
	},
	"mark-sent": func(c *clinic.Clinic, a clinic.Actor, id uuid.UUID, rev int) (uuid.UUID, error) {
		return c.DeliveryMarkSent(ctx, a, id, rev)
	},
}

// Both are for the care team, and only while a person is needed. Nothing else changes the row.
func TestDeliveryDecisionsAreRefused(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	_, id, rev := undecided(t, w)
	_, other := lost(t, w)
	before := w.Strings(t, "SELECT string_agg(d::text, '' ORDER BY id) FROM deliveries d")[0]
	for name, decide := range decisions {
		for who, a := range map[string]clinic.Actor{"another team": w.Doctor2, "another clinic": n.Doctor} {
			message, err := decide(w.Clinic, a, id, rev)
			wantKind(t, err, clinic.NotFound, name+" from "+who)
			if message != uuid.Nil {
				t.Errorf("%s from %s tells the message", name, who)
			}
		}
		for who, a := range map[string]clinic.Actor{"auditor": w.Auditor, "admin": w.Admin, "ops": w.Ops, "worker": worker, "provider": mailer} {
			_, err := decide(w.Clinic, a, id, rev)
			wantKind(t, err, clinic.Forbidden, name+" by "+who)
		}
		_, err := decide(w.Clinic, w.Staff, uuid.Must(uuid.NewV7()), rev)
		wantKind(t, err, clinic.NotFound, name+" of nothing")
		_, err = decide(w.Clinic, w.Staff, id, rev-1)
		wantKind(t, err, clinic.Conflict, name+" of an older page")
		_, err = decide(w.Clinic, w.Staff, other.DeliveryID, w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", other.DeliveryID))
		wantKind(t, err, clinic.Conflict, name+" while it is unknown")
	}
	if after := w.Strings(t, "SELECT string_agg(d::text, '' ORDER BY id) FROM deliveries d")[0]; after != before {
		t.Error("a refusal changed a delivery")
	}
}

// Two people press both buttons at once: one wins, the other is told.
func TestDeliveryDecisionsRace(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, id, rev := undecided(t, w)
	errs := together(8, func(i int) (err error) {
		if i%2 == 0 {
			_, err = w.Clinic.DeliveryResend(ctx, w.Staff, id, rev)
		} else {
			_, err = w.Clinic.DeliveryMarkSent(ctx, w.Doctor, id, rev)
		}
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, "settled", "who lost")
	}
	if won != 1 {
		t.Errorf("%d decisions were taken", won)
	}
	wantCount(t, w, rev+1, "its rev", "SELECT rev FROM deliveries WHERE id = $1", id)
	everyRevIsOnTheTrail(t, w, id)
}

// What is withdrawn, or too old, is not sent again; that it was sent may still be recorded.
func TestDeliveryResendTooLate(t *testing.T) {
	t.Parallel()
	for name, late := range map[string]func(*clinictest.World, uuid.UUID){
		"withdrawn": func(w *clinictest.World, message uuid.UUID) {
			must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
		},
		"expired": func(w *clinictest.World, _ uuid.UUID) { w.Clock.Add(72 * time.Hour) },
	} {
		w := clinictest.New(t)
		message, id, rev := undecided(t, w)
		late(w, message)
		v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
		must(t, err)
		if d := v.Deliveries[0]; !d.CanSettle || d.CanResend {
			t.Errorf("%s: the buttons: %+v", name, d)
		}
		got, err := w.Clinic.DeliveryResend(ctx, w.Doctor, id, rev)
		wantCode(t, err, name, "sending again what is "+name)
		if got != message {
			t.Errorf("%s: the conflict does not say which message", name)
		}
		_, err = w.Clinic.DeliveryMarkSent(ctx, w.Doctor, id, rev)
		must(t, err)
	}
}

// A message that is withdrawn while it waits to be sent again is not sent again.
func TestDeliveryResendWithdrawn(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, id, rev := undecided(t, w)
	_, err := w.Clinic.DeliveryResend(ctx, w.Doctor, id, rev)
	must(t, err)
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, id); p != nil || err != nil {
		t.Fatalf("claimed all the same: %v", err)
	}
	wantState(t, w, id, "cancelled")
}
