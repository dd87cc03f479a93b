package clinic_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestMessageUndo(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, w.Doctor2.ID))
	w.UndoWindow(t, 30)
	message := w.Approved(t, w.Patient, "email")
	first := deliveryOf(t, w, message)
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	if !v.CanUndo || v.UndoUntil.Sub(w.Clock.Now()) != 30*time.Second {
		t.Errorf("can undo: %v, until %s", v.CanUndo, v.UndoUntil)
	}
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor2, message, version(t, w, message)), "own", "another doctor's signature")
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)-1), "moved_on", "a stale version")
	must(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)))
	v, err = w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	told := []string{}
	for _, step := range v.Steps {
		if step.State == "approved" || step.State == "undone" {
			told = append(told, step.Title+" by "+step.By)
		}
	}
	if want := []string{"Countersigned by Dr Amara Osei", "Signature undone by Dr Amara Osei"}; !slices.Equal(told, want) {
		t.Errorf("the timeline tells %v", told)
	}
	wantState(t, w, first, "cancelled")
	shown := w.Show(t, w.Doctor, message)
	if shown.Message.Status != "in_review" || shown.Message.SignedAt != nil || !shown.CanApprove {
		t.Errorf("after the undo it is %s", shown.Message.Status)
	}
	wantCount(t, w, 0, "signed bytes left", "SELECT count(*) FROM messages WHERE final_sealed IS NOT NULL OR final_mac IS NOT NULL")
	wantCount(t, w, 1, "open reviews", "SELECT count(*) FROM reviews WHERE message_id = $1 AND state = 'open'", message)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
	second := deliveryOf(t, w, message)
	if second == first {
		t.Fatal("the second approval has no delivery of its own")
	}
	w.Clock.Add(30 * time.Second)
	p := claimed(t, w, message)
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)), "too_late", "after the claim")
	_, err = w.Clinic.PageProve(ctx, nobody, tokenOf(p), "1967-05-30") // the page that the undo revoked lives again
	must(t, err)
}

// The race with the claim has one winner: either the notice is cancelled and nothing is sent, or it goes and the
// doctor is told.
func TestMessageUndoRacesTheClaim(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	wins := map[bool]int{}
	for range 12 {
		message := w.Approved(t, w.Patient, "email")
		id, v := deliveryOf(t, w, message), version(t, w, message)
		var parcel *clinic.Parcel
		errs := together(2, func(i int) (err error) {
			if i == 0 {
				return w.Clinic.MessageUndo(ctx, w.Doctor, message, v)
			}
			parcel, err = w.Clinic.DeliveryClaim(ctx, worker, id)
			return err
		})
		must(t, errs[1])
		undone := errs[0] == nil
		if undone == (parcel != nil) {
			t.Fatalf("undone %v, claimed %v: %v", undone, parcel != nil, errs[0])
		}
		if !undone {
			wantCode(t, errs[0], "too_late", "the undo that lost")
		}
		wantState(t, w, id, map[bool]string{true: "cancelled", false: "sending"}[undone])
		if got := w.Show(t, w.Doctor, message).Message.Status; got != map[bool]string{true: "in_review", false: "approved"}[undone] {
			t.Fatalf("undone %v and %s", undone, got)
		}
		wins[undone]++
	}
	t.Logf("the undo won %d times, the claim %d times", wins[true], wins[false])
}

func TestMessageWithdraw(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	steps := map[string]func() uuid.UUID{
		"drafting":  func() uuid.UUID { id, _ := asked(t, w); return id },
		"ready":     func() uuid.UUID { return ready(t, w, w.Brief(w.Patient, "email")) },
		"in review": func() uuid.UUID { return w.Submitted(t, w.Patient, "email") },
		"approved":  func() uuid.UUID { return w.Approved(t, w.Patient, "email") },
		"sent":      func() uuid.UUID { id, _ := sent(t, w, "email", "x1"); return id },
	}
	for name, reach := range steps {
		id := reach()
		must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, id, version(t, w, id)))
		v, err := w.Clinic.MessageShow(ctx, w.Staff, id)
		must(t, err)
		if v.Message.Status != "withdrawn" || v.CanWithdraw {
			t.Errorf("%s: it is %s", name, v.Message.Status)
		}
		wantKind(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, id, version(t, w, id)), clinic.Conflict, name+" again")
		wantKind(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""), clinic.Conflict, name+": a draft for it")
		if name == "approved" {
			wantState(t, w, deliveryOf(t, w, id), "cancelled")
		}
		if name == "sent" {
			wantState(t, w, deliveryOf(t, w, id), "accepted")
		}
	}
	wantCount(t, w, 0, "live draft requests", "SELECT count(*) FROM draft_requests WHERE state IN ('requested', 'writing', 'checking')")
	wantCount(t, w, 0, "open reviews", "SELECT count(*) FROM reviews WHERE state = 'open'")
	wantCount(t, w, 0, "due deliveries", "SELECT count(*) FROM deliveries WHERE state = 'queued'")
}

// Withdrawing while the patient opens, while the worker claims and while a report comes: all come through, and what
// was not claimed is not sent.
func TestMessageWithdrawRaces(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for range 6 {
		opened, p := sent(t, w, "email", uuid.NewString())
		fresh := w.Approved(t, w.Patient, "email")
		id := deliveryOf(t, w, fresh)
		ov, fv := version(t, w, opened), version(t, w, fresh)
		var parcel *clinic.Parcel
		errs := together(5, func(i int) (err error) {
			switch i {
			case 0:
				return w.Clinic.MessageWithdraw(ctx, w.Doctor, opened, ov)
			case 1:
				_, err = w.Clinic.PageProve(ctx, nobody, tokenOf(p), "1967-05-30")
			case 2:
				return w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: uuid.NewString(), DeliveryID: p.DeliveryID, State: "delivered", At: time.Now()}})
			case 3:
				return w.Clinic.MessageWithdraw(ctx, w.Doctor, fresh, fv)
			case 4:
				parcel, err = w.Clinic.DeliveryClaim(ctx, worker, id)
			}
			return err
		})
		for i, err := range errs {
			if err != nil {
				t.Fatalf("racer %d: %v", i, err)
			}
		}
		if got := stateOf(t, w, id); got != "cancelled" && (parcel == nil || got != "sending") {
			t.Fatalf("the withdrawn notice is %s", got)
		}
	}
}
