package clinic_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// hindered is what may have happened between a notice and its reminder, and what the job makes of it: a call task with its reason,
// or nothing at all.
func hindered() map[string]struct {
	happen func(*testing.T, *clinictest.World, uuid.UUID)
	call   string
} {
	set := func(sql string, args ...any) func(*testing.T, *clinictest.World, uuid.UUID) {
		return func(t *testing.T, w *clinictest.World, _ uuid.UUID) { t.Helper(); must(t, w.Exec(t, sql, args...)) }
	}
	return map[string]struct {
		happen func(*testing.T, *clinictest.World, uuid.UUID)
		call   string
	}{
		"nothing": {func(*testing.T, *clinictest.World, uuid.UUID) {}, "-"},
		"opened": {func(t *testing.T, w *clinictest.World, message uuid.UUID) {
			t.Helper()
			_, err := prove(w, w.Unseal(t, w.Patient, "pages", "token", pageOf(t, w, message)), rightDate)
			must(t, err)
		}, ""},
		"withdrawn": {func(t *testing.T, w *clinictest.World, message uuid.UUID) {
			t.Helper()
			must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
		}, ""},
		"withdrawn underneath": {set("UPDATE messages SET status = 'withdrawn'"), ""},
		"revoked underneath":   {set("UPDATE pages SET revoked_at = now()"), ""},
		"link ended":           {set("UPDATE pages SET expires_at = now()"), "link_expired"},
		"link locked":          {set("UPDATE pages SET locked_at = now()"), "locked"},
		"stopped by one click": {func(t *testing.T, w *clinictest.World, message uuid.UUID) {
			t.Helper()
			must(t, w.Clinic.PageStop(ctx, nobody, w.Unseal(t, w.Patient, "pages", "token", pageOf(t, w, message)), uuid.Nil))
		}, "opted_out"},
		"another address": {func(t *testing.T, w *clinictest.World, _ uuid.UUID) {
			t.Helper()
			p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
			must(t, err)
			f := formOf(p)
			f.Email = "other@mail.example"
			must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, f))
		}, "contact_changed"},
		"address returns everything": {set("UPDATE contacts SET bounced_at = now(), bounce_code = 'bounce' WHERE channel = 'email'"), "bounced"},
		"channel off":                {set("UPDATE clinics SET email_on = false"), "channel_off"},
		"returned": {func(t *testing.T, w *clinictest.World, _ uuid.UUID) {
			t.Helper()
			must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e1", "x1", "undelivered", w.Clock.Now())}))
		}, ""},
	}
}

func pageOf(t testing.TB, w *clinictest.World, message uuid.UUID) uuid.UUID {
	t.Helper()
	return uuid.MustParse(w.Strings(t, "SELECT id::text FROM pages WHERE message_id = $1", message)[0])
}

// A reminder goes only to whom a notice would go, for a message that can still be read and that nobody has read.
func TestReminderIsNotMade(t *testing.T) {
	t.Parallel()
	for name, tc := range hindered() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			message, _ := sent(t, w, "email", "x1")
			remind(t, w)
			tc.happen(t, w, message)
			w.Clock.Add(24*time.Hour + time.Second)
			done := remind(t, w)
			made, calls := 0, 0
			switch tc.call {
			case "-":
				made = 1
			case "":
			default:
				calls = 1
				wantCount(t, w, 1, "the task with its reason", "SELECT count(*) FROM follow_ups WHERE call_at IS NOT NULL AND call_reason = $1", tc.call)
			}
			if done.Made != made || done.Calls != calls {
				t.Errorf("the job came to %+v", done)
			}
			wantCount(t, w, made, "reminders", remindersMade)
			wantCount(t, w, calls, "call tasks", callsOpen)
		})
	}
}

// While sending is stopped nothing is made; afterwards it is.
func TestRemindersWhileSendingIsStopped(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	sent(t, w, "email", "x1")
	remind(t, w)
	seen, err := w.Clinic.InstanceSee(ctx)
	must(t, err)
	must(t, w.Clinic.InstanceHold(ctx, clinic.WorkerActor("fence"), seen, clinic.HeldBehind, 7))
	if done := passes(t, w, 24*time.Hour); done.Looked != 0 {
		t.Errorf("while sending is stopped: %+v", done)
	}
	_, err = w.Clinic.InstanceRelease(ctx, w.Operator, w.Clock.Now(), nil)
	must(t, err)
	if done := remind(t, w); done.Made != 1 {
		t.Errorf("after that: %+v", done)
	}
}

// What changed between the decision and the send is looked at again inside the claim: nobody is reminded of what they have read.
func TestReminderClaimLooksAgain(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		happen      func(*testing.T, *clinictest.World, uuid.UUID)
		state, code string
	}{
		"opened":               {hindered()["opened"].happen, "cancelled", "opened"},
		"withdrawn":            {hindered()["withdrawn"].happen, "cancelled", "withdrawn"},
		"link locked":          {hindered()["link locked"].happen, "cancelled", "locked"},
		"stopped by one click": {hindered()["stopped by one click"].happen, "refused", "opted_out"},
		"another address":      {hindered()["another address"].happen, "refused", "contact_changed"},
		"link ended":           {func(_ *testing.T, w *clinictest.World, _ uuid.UUID) { w.Clock.Add(6 * 24 * time.Hour) }, "expired", "expired"},
		"made of a notice": {func(t *testing.T, w *clinictest.World, _ uuid.UUID) {
			t.Helper()
			must(t, w.Exec(t, "UPDATE deliveries SET kind = 'code' WHERE kind = 'reminder'"))
		}, "refused", "seal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			message, p := sent(t, w, "email", "x1")
			if done := passes(t, w, 24*time.Hour); done.Made != 1 {
				t.Fatalf("the job came to %+v", done)
			}
			id := reminderOf(t, w, message)
			tc.happen(t, w, message)
			if q, err := w.Clinic.DeliveryClaim(ctx, worker, id); q != nil || err != nil {
				t.Fatalf("claimed all the same: %v", err)
			}
			wantState(t, w, id, tc.state)
			if got := w.Strings(t, "SELECT error_class FROM deliveries WHERE id = $1", id)[0]; got != tc.code {
				t.Errorf("the code is %q, want %q", got, tc.code)
			}
			if name == "link ended" { // the message stays signed: its notice was handed over
				wantState(t, w, p.DeliveryID, "accepted")
				wantCount(t, w, 1, "signed messages", "SELECT count(*) FROM messages WHERE status = 'approved'")
			}
		})
	}
}

// A page that is proved at this very moment: the reminder waits for what comes of it, and goes only if it stays unread.
func TestReminderWaitsForWhoIsAtThePage(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := sent(t, w, "email", "x1")
	passes(t, w, 24*time.Hour)
	id := reminderOf(t, w, message)
	patient, err := connect(t, w).Begin(ctx)
	must(t, err)
	_, err = patient.Exec(ctx, "SELECT 1 FROM pages FOR UPDATE")
	must(t, err)
	nothingToClaim(t, w, id)
	wantState(t, w, id, "queued")
	must(t, patient.Rollback(ctx))
	due, err := w.Clinic.RelayDue(ctx, 10)
	must(t, err)
	if len(due) != 1 || due[0].ID != id {
		t.Errorf("the relay finds %v", due)
	}
	q, err := w.Clinic.DeliveryClaim(ctx, worker, id)
	must(t, err)
	if q == nil {
		t.Fatal("not claimed though nobody opened the page")
	}
	_, err = prove(w, tokenOf(p), rightDate) // after the claim: it may have gone out, and the patient reads
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, q, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "r1"}))
	wantState(t, w, id, "accepted")
	wantState(t, w, p.DeliveryID, "opened")
	if done := passes(t, w, 6*24*time.Hour); done.Looked+done.Made+done.Calls != 0 {
		t.Errorf("after it was opened: %+v", done)
	}
}

// A worker that dies after the row is there and before the queue knows: the relay finds it, as with a notice, and it goes once.
func TestReminderIsFoundByTheRelay(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t, func(c *clinic.Config) { c.Nudge = nil })
	message, _ := sent(t, w, "email", "x1")
	passes(t, w, 24*time.Hour)
	id := reminderOf(t, w, message)
	due, err := w.Clinic.RelayDue(ctx, 10)
	must(t, err)
	if len(due) != 1 || due[0].ID != id || due[0].Deed != clinic.DeliverySend {
		t.Fatalf("the relay finds %v", due)
	}
	remindersGo(t, w, message, "r1")
	nothingToClaim(t, w, id)
	passes(t, w, time.Minute)
	wantCount(t, w, 1, "reminders", remindersMade)
	wantCount(t, w, 1, "attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1", id)
}

// A reminder that comes to nothing is not tried a second time in vain: somebody is to call, soon.
func TestReminderInVain(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, _ := sent(t, w, "email", "x1")
	passes(t, w, 24*time.Hour)
	p, err := w.Clinic.DeliveryClaim(ctx, worker, reminderOf(t, w, message))
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", outcome(clinic.OutcomeFailed, "other")))
	if done := passes(t, w, time.Hour); done.Calls != 1 {
		t.Errorf("the job came to %+v", done)
	}
	wantCount(t, w, 1, "the task with its reason", "SELECT count(*) FROM follow_ups WHERE call_reason = 'reminder_failed'")
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	if n := len(v.Deliveries); n != 2 || !v.Deliveries[1].Reminder || v.Deliveries[1].CanRetry || v.Deliveries[1].State != "failed" {
		t.Errorf("the doctor sees %+v", v.Deliveries)
	}
}

// A message that is taken back and signed again is followed anew, from its new notice.
func TestRemindersBeginAnewWithASignature(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, _ := sent(t, w, "email", "x1")
	passes(t, w, 24*time.Hour)
	remindersGo(t, w, message, "r1")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e1", "x1", "undelivered", w.Clock.Now())}))
	takeBack := func(can bool) {
		t.Helper()
		if v, err := w.Clinic.MessageShow(ctx, w.Doctor, message); err != nil || v.CanTakeBack != can || v.CanUndo {
			t.Errorf("it can be taken back: %v, undone: %v, %v", v.CanTakeBack, v.CanUndo, err)
		}
	}
	takeBack(false) // the notice came back, and the reminder may not have
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)), "too_late", "taking back what a reminder may have brought")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e2", "r1", "undelivered", w.Clock.Now())}))
	takeBack(true)
	must(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)))
	wantCount(t, w, 1, "follow-ups that ended", "SELECT count(*) FROM follow_ups WHERE ended_reason = 'stopped'")
	must(t, w.Exec(t, "UPDATE contacts SET bounced_at = NULL, bounce_code = NULL"))
	w.Answer(t, w.Doctor, message)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
	notice := uuid.MustParse(w.Strings(t, "SELECT id::text FROM deliveries WHERE kind = 'notice' ORDER BY round DESC LIMIT 1")[0])
	q, err := w.Clinic.DeliveryClaim(ctx, worker, notice)
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, q, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x2"}))
	passes(t, w, 23*time.Hour)
	wantCount(t, w, 1, "reminders, all of the first signature", remindersMade)
	passes(t, w, time.Hour)
	wantCount(t, w, 2, "reminders", remindersMade)
	remindersGo(t, w, message, "r2")
	passes(t, w, 48*time.Hour)
	wantCount(t, w, 3, "reminders", remindersMade)
}

// A reminder whose time is over takes no signature away, also where all that is known of the notice is a report without an id.
func TestReminderThatExpiresLeavesTheSignature(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "email")
	p := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", outcome(clinic.OutcomeUnknown, "timeout")))
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: "e1", DeliveryID: p.DeliveryID, State: "delivered", At: w.Clock.Now()}}))
	passes(t, w, 24*time.Hour)
	id := reminderOf(t, w, message)
	w.Clock.Add(6 * 24 * time.Hour)
	nothingToClaim(t, w, id)
	wantState(t, w, id, "expired")
	wantCount(t, w, 1, "signed messages", "SELECT count(*) FROM messages WHERE status = 'approved'")
	wantCount(t, w, 0, "revoked pages", "SELECT count(*) FROM pages WHERE revoked_at IS NOT NULL")
}

// A reminder that waits for its next try is no notice that could still be undone, or go at another time.
func TestReminderIsNoNoticeToUndo(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, _ := sent(t, w, "email", "x1")
	passes(t, w, 24*time.Hour)
	p, err := w.Clinic.DeliveryClaim(ctx, worker, reminderOf(t, w, message))
	must(t, err)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", outcome(clinic.OutcomeNotSent, "dial")))
	wantState(t, w, p.DeliveryID, "queued")
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	if v.CanUndo || v.CanTakeBack || v.CanSchedule || v.Deliveries[1].NextAt == nil {
		t.Errorf("it can be undone: %v, taken back: %v, put off: %v", v.CanUndo, v.CanTakeBack, v.CanSchedule)
	}
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)), "too_late", "an undo")
}
