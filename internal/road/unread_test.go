package road

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

// soon has reminders, and the call after them, within seconds.
func soon(env map[string]string) {
	for name, wait := range map[string]string{"REMIND_EVERY": "300ms", "REMIND_FIRST": "1s", "REMIND_SECOND": "3s", "REMIND_URGENT": "1s", "CALL_AFTER": "1s", "CALL_URGENT": "1s"} {
		env["TIME_"+name] = wait
	}
}

// reminder is what the patient of a message was sent last, as the sandbox's log has it.
func (h *house) reminder(message uuid.UUID) accepted {
	h.t.Helper()
	var id uuid.UUID
	h.one(&id, "SELECT id FROM deliveries WHERE message_id = $1 AND kind = 'reminder' ORDER BY round DESC LIMIT 1", message)
	for _, e := range h.accepted() {
		if e.Delivery == id.String() {
			return e
		}
	}
	h.t.Fatalf("no reminder of %s in the sandbox's log", message)
	return accepted{}
}

// A message that nobody opens, in a real browser: reminders go by themselves, staff are asked to call and say what came of it, and
// when the patient reads it by a reminder's link all of that is over by itself.
func TestUnread(t *testing.T) {
	t.Parallel()
	h := open(t, soon)
	h.exec("UPDATE follow_ups SET due_at = NULL") // the demo's own are not looked at
	staff, doctor := newBrowser(t, true), newBrowser(t, true)
	staff.desk()
	staff.signIn(h, "tom-reyes")
	staff.visit(h.web + "/calls")
	staff.pictures("calls-empty")
	staff.visit(h.web + "/calls/unread")
	staff.pictures("calls-unread-empty")

	ada, _ := h.signed("Ada Winter", "77001", "email", "normal", "")
	bela, _ := h.signed("Bela Castro", "77002", "sms", "high", "")
	h.waitFor("the reminders, and then the tasks to call", 60*time.Second, func() bool {
		var n int
		h.one(&n, "SELECT count(*) FROM follow_ups WHERE message_id IN ($1, $2) AND reminders = 2 AND call_at IS NOT NULL", ada, bela)
		return n == 2
	})
	h.exec("UPDATE follow_ups SET unread_at = now(), handed_at = now() - interval '4 days' WHERE message_id IN ($1, $2)", ada, bela)
	staff.visit(h.web + "/")
	staff.until("both are on the worklist", func() bool { return strings.Count(staff.text("#worklist-list"), "Reminded, and still not read.") == 2 })
	staff.pictures("worklist-call")
	staff.visit(h.web + "/calls")
	staff.pictures("calls")
	staff.click("#unread-"+bela.String()+" button[value=no_answer]", "/calls")
	staff.until("one is left to call", func() bool { return staff.count("#calls li") == 1 })
	staff.visit(h.web + "/calls/unread")
	staff.until("what came of the call", func() bool { return strings.Contains(staff.text("#unread-"+bela.String()), "No answer") })
	staff.pictures("calls-unread")

	doctor.desk()
	doctor.signIn(h, "amara-osei")
	doctor.pictures("home-doctor-unread")
	doctor.visit(h.web + "/messages/" + ada.String())
	doctor.until("the doctor sees it", func() bool {
		return strings.Contains(doctor.text("#message-timeline"), "Call the patient") && strings.Contains(doctor.text("#message-timeline"), "Reminder")
	})
	doctor.pictures("message-unread")

	patient := newBrowser(t, true)
	sent := h.reminder(ada)
	if !strings.HasPrefix(sent.Body, "Reminder: ") || strings.Contains(sent.Body, "losartan") {
		t.Errorf("the reminder is %q", sent.Body)
	}
	patient.visit(link.FindString(sent.Body))
	patient.do(chromedp.SetValue("[name=month]", "1", chromedp.ByQuery), chromedp.SetValue("[name=day]", "2", chromedp.ByQuery), chromedp.SetValue("[name=year]", "1950", chromedp.ByQuery))
	patient.click("main button", "/read")
	doctor.until("it is opened, and there is nobody to call", func() bool {
		return strings.Contains(doctor.text("#message-timeline"), "Opened by the patient") && !doctor.has("#call-task")
	})
	doctor.pictures("message-read-at-last")
	staff.until("it has left the list by itself", func() bool { return !staff.has("#unread-" + ada.String()) })
}
