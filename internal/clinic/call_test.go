package clinic_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// toCall is a message whose patient is to be called.
func toCall(t testing.TB, w *clinictest.World) uuid.UUID {
	t.Helper()
	message, _ := sent(t, w, "email", "x1")
	for _, wait := range []time.Duration{24 * time.Hour, 48 * time.Hour} {
		passes(t, w, wait)
		remindersGo(t, w, message, "r"+wait.String())
	}
	passes(t, w, 24*time.Hour)
	wantCount(t, w, 1, "call tasks", callsOpen)
	return message
}

func callsOf(t testing.TB, w *clinictest.World, a clinic.Actor, unread bool) clinic.CallPage {
	t.Helper()
	page, err := w.Clinic.CallList(ctx, a, unread, "")
	must(t, err)
	return page
}

// What counts as unread does so after the hours of its priority, and neither before its notice was handed over nor after it was read.
func TestUnread(t *testing.T) {
	t.Parallel()
	for priority, hours := range map[string]time.Duration{"low": 72, "normal": 72, "high": 24, "urgent": 2} {
		t.Run(priority, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			f := w.Brief(w.Patient, "email")
			f.Priority = priority
			message := ready(t, w, f)
			must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, message, version(t, w, message)))
			w.Answer(t, w.Doctor, message)
			must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
			passes(t, w, 30*time.Minute)
			p := claimed(t, w, message)
			must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x1"}))
			passes(t, w, hours*time.Hour-time.Minute) // the job looked before it was handed over, and now
			if page := callsOf(t, w, w.Doctor, true); len(page.Rows) != 0 || page.Unreads != "" {
				t.Errorf("unread before its time: %+v", page)
			}
			w.Clock.Add(time.Minute)
			page := callsOf(t, w, w.Doctor, true)
			if len(page.Rows) != 1 || page.Unreads != "1" || page.Rows[0].MessageID != message || !page.Rows[0].Unread || !page.Rows[0].CanCall {
				t.Errorf("unread after its time: %+v", page)
			}
			v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
			must(t, err)
			if v.Call == nil || !v.Call.Unread || v.Call.Phone.Reveal() != "+14155550441" {
				t.Errorf("the message says %+v", v.Call)
			}
			list, err := w.Clinic.WorklistShow(ctx, w.Doctor, "")
			must(t, err)
			if f := list.Figures[3]; f.Label != "Unread" || f.Value != "1" || f.Level != "ask" {
				t.Errorf("the doctor's figure is %+v", f)
			}
			if page := callsOf(t, w, w.Doctor2, true); len(page.Rows)+len(page.Unreads) != 0 {
				t.Errorf("a doctor of another team sees %+v", page)
			}
			_, err = prove(w, tokenOf(p), rightDate)
			must(t, err)
			if page := callsOf(t, w, w.Doctor, true); len(page.Rows)+len(page.Unreads) != 0 {
				t.Errorf("unread after it was read: %+v", page)
			}
		})
	}
}

// A task stands on the worklist of staff and in the number beside it, and is over by itself when the message is read.
func TestCallTask(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := toCall(t, w)
	list, err := w.Clinic.WorklistShow(ctx, w.Staff, "")
	must(t, err)
	if len(list.Rows) != 1 || list.Rows[0].ID != message || list.Rows[0].Todo != "call" || list.Rows[0].DeliveryWords != "Reminded, and still not read." || list.Waiting != 1 {
		t.Errorf("the worklist of staff: %+v", list)
	}
	if n, err := w.Clinic.WorklistCount(ctx, w.Staff); n != 1 || err != nil {
		t.Errorf("the number beside it is %d, %v", n, err)
	}
	if n, err := w.Clinic.WorklistCount(ctx, w.Doctor); n != 0 || err != nil {
		t.Errorf("the doctor's is %d, %v", n, err)
	}
	w.Clock.Add(time.Hour)
	if n, oldest, err := w.Clinic.CallsDue(ctx); n != 1 || oldest != time.Hour || err != nil {
		t.Errorf("the alarm counts %d, for %s, %v", n, oldest, err)
	}
	if n, err := w.Clinic.WorklistCount(ctx, w.Ops); n != 0 || err != nil {
		t.Errorf("that of operations is %d, %v", n, err)
	}
	_, err = prove(w, w.Unseal(t, w.Patient, "pages", "token", pageOf(t, w, message)), rightDate)
	must(t, err)
	wantCount(t, w, 0, "call tasks after it was read", callsOpen)
	if n, oldest, err := w.Clinic.CallsDue(ctx); n != 0 || oldest != 0 || err != nil {
		t.Errorf("the alarm counts %d, for %s, %v", n, oldest, err)
	}
	if n, err := w.Clinic.WorklistCount(ctx, w.Staff); n != 0 || err != nil {
		t.Errorf("after that the number is %d, %v", n, err)
	}
	wantCode(t, w.Clinic.CallRecord(ctx, w.Staff, message, 0, "reached"), "opened", "a call about what was read")
}

// What came of a call is on the trail with who made it; nobody answered comes back by itself, and who was reached is over.
func TestCallRecord(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := toCall(t, w)
	wantKind(t, w.Clinic.CallRecord(ctx, w.Staff, message, 0, "maybe"), clinic.Invalid, "no outcome of ours")
	wantKind(t, w.Clinic.CallRecord(ctx, w.Doctor2, message, 0, "reached"), clinic.NotFound, "a doctor of another team")
	must(t, w.Clinic.CallRecord(ctx, w.Staff, message, 0, "no_answer"))
	wantCode(t, w.Clinic.CallRecord(ctx, w.Staff2, message, 0, "reached"), "called", "who did not know of the first call")
	if page := callsOf(t, w, w.Staff2, false); len(page.Rows) != 0 {
		t.Errorf("to call at once again: %+v", page)
	}
	w.Clock.Add(4 * time.Hour)
	page := callsOf(t, w, w.Staff2, false)
	if len(page.Rows) != 1 || page.Rows[0].Calls != 1 || page.Rows[0].CalledBy != "Tom Reyes" || page.Rows[0].Outcome != "no_answer" {
		t.Fatalf("four hours later: %+v", page)
	}
	must(t, w.Clinic.CallRecord(ctx, w.Staff2, message, 1, "wrong_number"))
	if page := callsOf(t, w, w.Staff2, false); len(page.Rows) != 1 {
		t.Errorf("after a wrong number: %+v", page)
	}
	must(t, w.Clinic.CallRecord(ctx, w.Doctor, message, 2, "reached"))
	for _, unread := range []bool{false, true} {
		if page := callsOf(t, w, w.Staff, unread); len(page.Rows) != 0 || page.Calls+page.Unreads != "" {
			t.Errorf("after the patient was reached: %+v", page)
		}
	}
	wantCode(t, w.Clinic.CallRecord(ctx, w.Staff, message, 3, "reached"), "called", "a call after that")
	wantCount(t, w, 3, "calls on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'call.record' AND outcome = 'done' AND patient_id = $1", w.Patient)
	if got := w.Strings(t, "SELECT detail->>'outcome' FROM audit_events WHERE deed = 'call.record' AND outcome = 'done' ORDER BY at, id"); len(got) != 3 || got[1] != "wrong_number" {
		t.Errorf("the trail says %q", got)
	}
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	titles := map[string]string{}
	for _, s := range v.Steps {
		titles[s.Title] = s.By
	}
	if titles["Called, no answer"] != "Tom Reyes" || titles["Called, and reached"] != "Dr Amara Osei" || titles["Reminder queued"] != "e-mail" || titles["Accepted by the provider"] != "reminder by e-mail" || v.Call != nil {
		t.Errorf("the message's life is %v, and then %+v", titles, v.Call)
	}
}

// Of two people who call at the same moment one is told of the other.
func TestCallRecordTogether(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := toCall(t, w)
	told := 0
	for _, err := range together(4, func(i int) error {
		return w.Clinic.CallRecord(ctx, []clinic.Actor{w.Staff, w.Staff2, w.Doctor, w.Reviewer}[i], message, 0, "no_answer")
	}) {
		if err != nil {
			wantCode(t, err, "called", "the later ones")
			told++
		}
	}
	if told != 3 {
		t.Errorf("%d of four were told", told)
	}
	wantCount(t, w, 1, "calls", "SELECT calls FROM follow_ups")
}

// A message that is withdrawn, or signed anew, leaves nobody to call.
func TestCallTaskEndsWithItsMessage(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := toCall(t, w)
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
	wantCount(t, w, 0, "call tasks", callsOpen)
	wantCode(t, w.Clinic.CallRecord(ctx, w.Staff, message, 0, "reached"), "no_call", "a call about what was withdrawn")
}

// Pages follow each other without a row lost or twice: the urgent first, then who has waited longest.
func TestCallListPages(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	sent(t, w, "email", "x1")
	must(t, w.Exec(t, `INSERT INTO messages SELECT (jsonb_populate_record(m, jsonb_build_object('id', gen_random_uuid(), 'priority', n % 4))).* FROM messages m, generate_series(1, 119) n`))
	must(t, w.Exec(t, `INSERT INTO follow_ups (message_id, clinic_id, patient_id, priority, unread_at, call_at, call_reason)
		SELECT id, clinic_id, patient_id, priority, now() - interval '2 days', now() - priority * interval '1 hour' - interval '1 day', 'unread' FROM messages
		ON CONFLICT (message_id, clinic_id) DO UPDATE SET unread_at = excluded.unread_at, call_at = excluded.call_at`))
	for _, unread := range []bool{false, true} {
		seen, after, last := map[uuid.UUID]bool{}, "", 4
		for pages := 1; ; pages++ {
			page, err := w.Clinic.CallList(ctx, w.Staff, unread, after)
			must(t, err)
			for _, r := range page.Rows {
				rank := map[string]int{"low": 0, "normal": 1, "high": 2, "urgent": 3}[r.Priority]
				if seen[r.MessageID] || rank > last {
					t.Fatalf("%s is there twice, or out of its order", r.MessageID)
				}
				seen[r.MessageID], last = true, rank
			}
			if after = page.Next; after == "" {
				if pages != 3 || page.Calls != "120" {
					t.Errorf("%d pages, of %s", pages, page.Calls)
				}
				break
			}
		}
		if len(seen) != 120 {
			t.Errorf("%d of 120", len(seen))
		}
	}
}
