package clinic_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// tooLate is a signed message whose notice nobody claimed in time; why is the code of an attempt that sent nothing, or "".
func tooLate(t testing.TB, w *clinictest.World, why string) (message, delivery uuid.UUID) {
	t.Helper()
	message = w.Approved(t, w.Patient, "sms")
	delivery = deliveryOf(t, w, message)
	if why != "" {
		p := claimed(t, w, message)
		must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeNotSent, Code: why}))
	}
	must(t, w.Exec(t, "UPDATE deliveries SET not_after = $1, next_attempt_at = $1 WHERE id = $2", w.Clock.Now(), delivery))
	return message, delivery
}

// notClaimed asks for a parcel that there is not to be.
func notClaimed(t testing.TB, w *clinictest.World, delivery uuid.UUID) {
	t.Helper()
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, delivery); p != nil || err != nil {
		t.Fatalf("claimed all the same: %v", err)
	}
}

// What was not sent in time goes back to its doctor: unsigned, in a new round of review, with the reason, its page closed.
// Signed again, it goes out as the next round behind the same link.
func TestDeliveryExpireGoesBackToTheDoctor(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, id := tooLate(t, w, "unreachable")
	token := strings.Split(strings.Split(openedBody(t, w, id), "/m/")[1], " ")[0]
	before := version(t, w, message)
	notClaimed(t, w, id)
	wantState(t, w, id, "expired")
	everyRevIsOnTheTrail(t, w, id)
	v := w.Show(t, w.Doctor, message)
	if v.Message.Status != "in_review" || v.Message.Version != before+1 || v.Message.SignedAt != nil || !v.CanApprove ||
		!strings.Contains(v.Message.Unsent, "not sent in time") || !strings.Contains(v.Message.Unsent, "could not be reached") {
		t.Errorf("it is %s at %d, %q", v.Message.Status, v.Message.Version, v.Message.Unsent)
	}
	wantCount(t, w, 1, "open rounds, the second", "SELECT count(*) FROM reviews WHERE message_id = $1 AND state = 'open' AND round = 2 AND cause = 'unsent' AND submitted_by = $2", message, w.Staff.ID)
	wantCount(t, w, 1, "the message's own step on the trail", "SELECT count(*) FROM audit_events WHERE subject_id = $1 AND reason = 'unsent' AND detail->>'code' = 'unreachable'", message)
	wantCount(t, w, 1, "closed pages", "SELECT count(*) FROM pages WHERE message_id = $1 AND revoked_at = $2", message, w.Clock.Now())
	wantCount(t, w, 0, "signed bytes left", "SELECT count(*) FROM messages WHERE final_sealed IS NOT NULL OR final_mac IS NOT NULL")
	cookie, err := w.Clinic.PageProve(ctx, nobody, token, "1967-05-30")
	must(t, err)
	_, err = w.Clinic.PageRead(ctx, nobody, token, cookie)
	wantCode(t, err, "in_review", "the page of a message that is back in review")
	if strings.Contains(clinic.Sentence(err), "withdrew") {
		t.Errorf("the patient reads %q", clinic.Sentence(err))
	}
	wantStep(t, w, message, "Back for review: it was not sent in time", "")
	err = w.Clinic.MessageUndo(ctx, w.Doctor, message, before)
	if wantCode(t, err, "moved_on", "an undo of what came back"); !strings.Contains(clinic.Sentence(err), "not sent in time") {
		t.Errorf("who undoes reads %q", clinic.Sentence(err))
	}

	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
	if v := w.Show(t, w.Doctor, message); v.Message.Unsent != "" {
		t.Errorf("signed again, it still says %q", v.Message.Unsent)
	}
	wantCount(t, w, 2, "its round", "SELECT round FROM deliveries WHERE id = $1", deliveryOf(t, w, message))
	p := claimed(t, w, message)
	if tokenOf(p) != token {
		t.Error("the link is another one")
	}
	_, err = w.Clinic.PageProve(ctx, nobody, token, "1967-05-30")
	must(t, err)
}

// openedBody is the notice as it would go out.
func openedBody(t testing.TB, w *clinictest.World, delivery uuid.UUID) string {
	t.Helper()
	return w.Unseal(t, w.Patient, "deliveries", "body", delivery)
}

// On the worklist it stands above all that is as urgent or less, whatever that waits for; and below what is urgent.
func TestDeliveryExpireStandsOnTop(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, id := tooLate(t, w, "")
	must(t, w.Exec(t, "UPDATE messages SET priority = 0 WHERE id = $1", message))
	high, urgent, normal := w.Submitted(t, w.Patient, "email"), w.Submitted(t, w.Patient, "email"), w.Submitted(t, w.Patient, "email")
	must(t, w.Exec(t, "UPDATE messages SET priority = 2 WHERE id = $1", high))
	must(t, w.Exec(t, "UPDATE messages SET priority = 3 WHERE id = $1", urgent))
	failed := w.Approved(t, w.Patient, "sms")
	must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, failed), "twilio", outcome(clinic.OutcomeFailed, "21614")))
	notClaimed(t, w, id)
	order := func(list clinic.Worklist, err error) (ids []uuid.UUID) {
		t.Helper()
		must(t, err)
		for _, r := range list.Rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	list, err := w.Clinic.WorklistShow(ctx, w.Doctor, "")
	if got := order(list, err); !slices.Equal(got, []uuid.UUID{urgent, message, failed, high, normal}) {
		t.Errorf("the worklist reads %v", got)
	}
	if r := list.Rows[1]; r.Todo != "not sent, sign again" || r.TodoLevel != "stop" || !strings.Contains(r.DeliveryWords, "waited until its time was over") {
		t.Errorf("it says %q, %q", r.Todo, r.DeliveryWords)
	}
	if got := order(w.Clinic.ReviewList(ctx, w.Doctor, "")); !slices.Equal(got, []uuid.UUID{urgent, message, high, normal}) {
		t.Errorf("the reviews read %v", got)
	}
	v, err := w.Clinic.ReviewShow(ctx, w.Doctor, message)
	must(t, err)
	if v.Message.Position != 2 || v.Message.PreviousID == nil || *v.Message.PreviousID != urgent {
		t.Errorf("in the queue it stands at %d", v.Message.Position)
	}
}

// What the patient may hold the link of stays signed, and its page stays: taking it away would be worse than late.
func TestDeliveryExpireLeavesWhatMayHaveArrived(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"opened":             "UPDATE pages SET opened_at = now() WHERE message_id = $1",
		"let go again":       "UPDATE deliveries SET resends = 1 WHERE message_id = $1",
		"handed over before": "UPDATE deliveries SET provider_id = 'SM1' WHERE message_id = $1",
	} {
		w := clinictest.New(t)
		message, id := tooLate(t, w, "")
		must(t, w.Exec(t, sql, message))
		notClaimed(t, w, id)
		wantState(t, w, id, "expired")
		v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
		must(t, err)
		if v.Message.Status != "approved" || v.PageRevoked {
			t.Errorf("%s: it is %s, the page revoked: %v", name, v.Message.Status, v.PageRevoked)
		}
		wantCount(t, w, 0, "open reviews", "SELECT count(*) FROM reviews WHERE state = 'open'")
		if list, err := w.Clinic.DeliveryList(ctx, w.Staff, clinic.DeliveryFilter{}); err != nil || len(list.Rows) != 1 {
			t.Errorf("%s: it is not in trouble: %v", name, err)
		}
	}
}

// Claims that notice, an undo and a withdrawal at the same moment: one of them has it, nobody waits for ever, and nothing
// is half done.
func TestDeliveryExpireRaces(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for range 8 {
		message, id := tooLate(t, w, "")
		v := version(t, w, message)
		errs := together(5, func(i int) (err error) {
			switch i {
			case 0:
				return w.Clinic.MessageUndo(ctx, w.Doctor, message, v)
			case 1:
				return w.Clinic.MessageWithdraw(ctx, w.Doctor, message, v)
			}
			_, err = w.Clinic.DeliveryClaim(ctx, worker, id)
			return err
		})
		for i, err := range errs {
			if err != nil && (i > 1 || clinic.KindOf(err) != clinic.Conflict) {
				t.Fatalf("racer %d: %v", i, err)
			}
		}
		status := w.Strings(t, "SELECT status FROM messages WHERE id = $1", message)[0]
		state := stateOf(t, w, id)
		ok := status == "in_review" && (state == "expired" || state == "cancelled" && errs[0] == nil) || status == "withdrawn" && (state == "cancelled" || state == "expired")
		if !ok {
			t.Fatalf("the message is %s and its notice %s: %v", status, state, errs)
		}
		wantCount(t, w, map[string]int{"in_review": 1, "withdrawn": 0}[status], "open reviews", "SELECT count(*) FROM reviews WHERE message_id = $1 AND state = 'open'", message)
		everyRevIsOnTheTrail(t, w, id)
	}
}

// An attempt that sent nothing and ended after the notice's time leaves it to its doctor too, and no wait goes beyond
// that time.
func TestDeliveryNotSentInTimeGoesBack(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for name, late := range map[string]time.Duration{"long over": time.Hour, "over within the wait": -2 * time.Second} {
		message := w.Approved(t, w.Patient, "sms")
		id := deliveryOf(t, w, message)
		p := claimed(t, w, message)
		must(t, w.Exec(t, "UPDATE deliveries SET not_after = $1 WHERE id = $2", w.Clock.Now().Add(-late), id))
		must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "unreachable", RetryAfter: time.Minute}))
		wantState(t, w, id, "queued")
		wantCount(t, w, 1, name+": due when its time is over", "SELECT count(*) FROM deliveries WHERE id = $1 AND next_attempt_at = not_after", id)
		w.Clock.Add(3 * time.Second)
		notClaimed(t, w, id)
		wantState(t, w, id, "expired")
		if v := w.Show(t, w.Doctor, message); v.Message.Status != "in_review" {
			t.Errorf("%s: the message is %s", name, v.Message.Status)
		}
	}
}
