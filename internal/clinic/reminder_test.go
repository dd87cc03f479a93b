package clinic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// remind lets the job look once.
func remind(t testing.TB, w *clinictest.World) clinic.Reminded {
	t.Helper()
	done, err := w.Clinic.ReminderMake(ctx, worker, 100)
	must(t, err)
	return done
}

// passes moves the clock on and lets the job look.
func passes(t testing.TB, w *clinictest.World, d time.Duration) clinic.Reminded {
	t.Helper()
	w.Clock.Add(d)
	return remind(t, w)
}

// reminderOf is the last reminder of a message.
func reminderOf(t testing.TB, w *clinictest.World, message uuid.UUID) uuid.UUID {
	t.Helper()
	ids := w.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1 AND kind = 'reminder' ORDER BY round DESC LIMIT 1", message)
	if len(ids) == 0 {
		t.Fatal("the message has no reminder")
	}
	return uuid.MustParse(ids[0])
}

// remindersGo has the last reminder of a message sent, and its provider take it.
func remindersGo(t testing.TB, w *clinictest.World, message uuid.UUID, provider string) *clinic.Parcel {
	t.Helper()
	p, err := w.Clinic.DeliveryClaim(ctx, worker, reminderOf(t, w, message))
	must(t, err)
	if p == nil {
		t.Fatal("the reminder was not claimed")
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: provider}))
	return p
}

const (
	remindersMade = "SELECT count(*) FROM deliveries WHERE kind = 'reminder'"
	callsOpen     = "SELECT count(*) FROM follow_ups WHERE call_at IS NOT NULL"
)

// The whole of it: a reminder after one day and after three, each by the same link and with no word of the message; a day later
// somebody is to call; and nothing more, however often the job looks.
func TestReminders(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, p := sent(t, w, "email", "x1")
	expires := w.Strings(t, "SELECT expires_at::text FROM pages")[0]
	if done := passes(t, w, time.Minute); done.Looked != 1 || done.Made != 0 {
		t.Errorf("the first look: %+v", done)
	}
	if done := passes(t, w, 24*time.Hour-time.Minute-time.Second); done.Looked+done.Made != 0 {
		t.Errorf("before the day is over: %+v", done)
	}
	dues := len(w.Dues())
	for range 3 {
		passes(t, w, time.Second)
	}
	wantCount(t, w, 1, "reminders after a day", remindersMade)
	if n := len(w.Dues()) - dues; n != 1 {
		t.Errorf("%d nudges", n)
	}
	first := remindersGo(t, w, message, "r1")
	if tokenOf(first) != tokenOf(p) || !strings.HasPrefix(first.Body.Reveal(), "Reminder: you have a message from Riverside Care Team that has not been read\n") ||
		first.Subject != "Reminder: you have a message from Riverside Care Team that has not been read" || first.To != p.To || !strings.HasSuffix(first.StopURL, "/stop?d="+first.DeliveryID.String()) {
		t.Errorf("the reminder is %q: %q", first.Subject, first.Body.Reveal())
	}
	for _, word := range []string{"Rosa", "losartan", "Osei", "cough"} {
		if strings.Contains(first.Body.Reveal()+first.Subject, word) {
			t.Errorf("the reminder says %s", word)
		}
	}
	passes(t, w, 47*time.Hour)
	wantCount(t, w, 1, "reminders before three days", remindersMade)
	passes(t, w, time.Hour)
	wantCount(t, w, 2, "reminders after three days", remindersMade)
	remindersGo(t, w, message, "r2")
	passes(t, w, 23*time.Hour)
	wantCount(t, w, 0, "call tasks before the fourth day is over", callsOpen)
	if done := passes(t, w, time.Hour); done.Calls != 1 {
		t.Errorf("after four days: %+v", done)
	}
	wantCount(t, w, 1, "the task on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'reminder.make' AND subject_id = $1 AND detail->>'why' = 'unread'", message)
	for range 3 {
		if done := passes(t, w, 24*time.Hour); done.Looked+done.Made+done.Calls != 0 {
			t.Errorf("after that: %+v", done)
		}
	}
	wantCount(t, w, 2, "reminders in all", remindersMade)
	wantCount(t, w, 3, "steps of being queued on the trail", "SELECT count(*) FROM audit_events WHERE subject_kind = 'delivery' AND detail->>'to' = 'queued'")
	if now := w.Strings(t, "SELECT expires_at::text FROM pages")[0]; now != expires {
		t.Errorf("the link lasts until %s, it was %s", now, expires)
	}
}

// Of an urgent message there is one reminder, after two hours, and an hour later a call.
func TestRemindersUrgent(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := urgentSent(t, w)
	passes(t, w, 2*time.Hour-time.Second)
	wantCount(t, w, 0, "reminders before two hours", remindersMade)
	passes(t, w, time.Second)
	wantCount(t, w, 1, "reminders after two hours", remindersMade)
	remindersGo(t, w, message, "r1")
	passes(t, w, time.Hour-time.Second)
	wantCount(t, w, 0, "call tasks", callsOpen)
	passes(t, w, time.Second)
	wantCount(t, w, 1, "call tasks an hour later", callsOpen)
	passes(t, w, 3*24*time.Hour)
	wantCount(t, w, 1, "reminders in all", remindersMade)
}

// urgentSent is an urgent message whose notice was handed over.
func urgentSent(t testing.TB, w *clinictest.World) uuid.UUID {
	t.Helper()
	f := w.Brief(w.Patient, "email")
	f.Priority = "urgent"
	message := ready(t, w, f)
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, message, version(t, w, message)))
	w.Answer(t, w.Doctor, message)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
	must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, message), "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "u1"}))
	return message
}

// connect is a way to the database of the test's own.
func connect(t testing.TB, w *clinictest.World) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close(ctx) })
	return conn
}

// In the patient's language, and an SMS in letters that every phone's alphabet has.
func TestReminderWords(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Exec(t, "UPDATE patients SET language = 'es'"))
	mail, _ := sent(t, w, "email", "x1")
	text, _ := sent(t, w, "sms", "x2")
	passes(t, w, 24*time.Hour)
	if p := remindersGo(t, w, mail, "r1"); p.Subject != "Recordatorio: tiene un mensaje de Riverside Care Team sin leer" || !strings.Contains(p.Body.Reveal(), "Léalo aquí: http") {
		t.Errorf("the e-mail is %q: %q", p.Subject, p.Body.Reveal())
	}
	p := remindersGo(t, w, text, "r2")
	if words := p.Body.Reveal(); !strings.HasPrefix(words, "Recordatorio: tiene un mensaje de Riverside Care Team sin leer. Leer: http") || !strings.HasSuffix(words, " Responda STOP para no recibir mensajes") ||
		strings.ContainsFunc(words, func(r rune) bool { return r > 127 }) || p.Subject != "" || p.StopURL != "" {
		t.Errorf("the SMS is %q", words)
	}
}

// Workers that look at the same moment make one reminder, and one task.
func TestRemindersByTwoWorkers(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for _, id := range []string{"x1", "x2", "x3", "x4", "x5"} {
		sent(t, w, "email", id)
	}
	w.Clock.Add(24 * time.Hour)
	other := w.Again(t)
	look := func(all int, want string) {
		t.Helper()
		for _, err := range together(8, func(i int) error {
			c := w.Clinic
			if i%2 == 0 {
				c = other
			}
			_, err := c.ReminderMake(ctx, worker, 2)
			return err
		}) {
			must(t, err)
		}
		for range 5 { // what nobody got to
			remind(t, w)
		}
		wantCount(t, w, all, want, remindersMade)
	}
	look(5, "reminders of five messages by eight looks")
	w.Clock.Add(48 * time.Hour)
	look(10, "second reminders")
	w.Clock.Add(24 * time.Hour)
	look(10, "reminders after the call tasks")
	wantCount(t, w, 5, "call tasks on the trail", "SELECT count(*) FROM audit_events WHERE detail->>'to' = 'call'")
}

// One worker leads: while it looks, another finds nothing to do and does not wait.
func TestRemindersHaveALeader(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	sent(t, w, "email", "x1")
	remind(t, w)
	w.Clock.Add(24 * time.Hour)
	conn := connect(t, w)
	leader, err := conn.Begin(ctx)
	must(t, err)
	_, err = leader.Exec(ctx, "SELECT 1 FROM job_runs WHERE job = 'reminders' FOR UPDATE")
	must(t, err)
	if done := remind(t, w); done.Looked+done.Made != 0 {
		t.Errorf("beside the leader: %+v", done)
	}
	must(t, leader.Rollback(ctx))
	if done := remind(t, w); done.Made != 1 {
		t.Errorf("after the leader: %+v", done)
	}
}
