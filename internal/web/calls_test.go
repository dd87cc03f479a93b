package web

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// unread is a message that was sent and that nobody has opened; call: so long that somebody is to call.
func unread(t *testing.T, s *site, call bool) string {
	t.Helper()
	id := s.world.Approved(t, s.world.Patient, "sms")
	worker := clinic.WorkerActor("task")
	p, err := s.world.Clinic.DeliveryClaim(ctx(), worker, uuid.MustParse(s.world.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1", id)[0]))
	if err != nil || p == nil {
		t.Fatal("nothing to claim:", err)
	}
	fine(t, s.world.Clinic.DeliveryRecord(ctx(), worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "SM" + id.String()}))
	_, err = s.world.Clinic.ReminderMake(ctx(), worker, 10)
	fine(t, err)
	now := s.world.Clock.Now()
	fine(t, s.world.Exec(t, "UPDATE follow_ups SET handed_at = $2, unread_at = $3, reminders = 2, due_at = NULL WHERE message_id = $1", id, now.Add(-97*time.Hour), now.Add(-25*time.Hour)))
	if call {
		fine(t, s.world.Exec(t, "UPDATE follow_ups SET call_at = $2, call_reason = 'unread' WHERE message_id = $1", id, now.Add(-time.Minute)))
	}
	return id.String()
}

// Whom to call is on the worklist of staff and on a list of its own, with the number; what came of a call is said by one button, and
// every state of the list has its words.
func TestCalls(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	doctor, staff := s.as(t, s.world.Doctor), s.as(t, s.world.Staff)
	staff.wants(staff.get("/calls"), 200, "Nobody to call", `id="tab-calls" href="/calls" aria-current="page"`)
	staff.wants(staff.get("/calls/unread"), 200, "Everything has been read")
	id := unread(t, s, false)
	staff.wants(staff.get("/calls"), 200, "Nobody to call")
	staff.wants(staff.get("/calls/unread"), 200, "Rosa Delgado", "Not read yet.", "2 reminders since", "14155550441", "/calls/"+id+"/record")
	doctor.wants(doctor.get("/"), 200, `<span class="what">Unread</span>`, `href="/calls/unread"`)
	doctor.wants(doctor.get("/messages/"+id), 200, `<span class="chip ask">unread</span>`, "/calls/"+id+"/record")
	doctor.wants(doctor.get("/deliveries?show=way&age=any"), 200, `<span class="chip ask">unread</span>`)
	doctor.wants(doctor.get("/patients/"+s.world.Patient.String()), 200, `<span class="chip ask">unread</span>`)
	if strings.Contains(staff.get("/").Body.String(), `href="/messages/`+id+`"`) {
		t.Error("a message that is unread, and not to be called about, waits on the worklist")
	}

	fine(t, s.world.Exec(t, "UPDATE follow_ups SET call_at = $1, call_reason = 'unread'", s.world.Clock.Now()))
	staff.wants(staff.get("/"), 200, "Reminded, and still not read.", `href="/messages/`+id+`"`, "1 to call", "To call")
	staff.wants(staff.get("/calls"), 200, "Reminded, and still not read.", `data-call="due"`, "14155550441")
	staff.wants(staff.get("/messages/"+id), 200, "Call the patient", "Ask for the date of birth")
	path := "/calls/" + id + "/record"
	staff.wants(staff.post(path, "version", "0", "from", "calls"), 422, "Rosa Delgado")
	staff.goes(staff.post(path, "version", "0", "from", "calls", "outcome", "no_answer"), "/calls")
	staff.wants(staff.get("/calls"), 200, "Recorded, with your name.", "Nobody to call")
	staff.wants(staff.get("/calls/unread"), 200, "To be called again", "No answer", "Tom Reyes")
	doctor.wants(doctor.post(path, "version", "0", "outcome", "reached"), 409, "Somebody else has called meanwhile", "Called, no answer")
	doctor.goes(doctor.post(path, "version", "1", "outcome", "wrong_number"), "/messages/"+id)
	doctor.wants(doctor.get("/messages/"+id), 200, "Correct the number", "Wrong number", "Called, wrong number")
	staff.goes(staff.post(path, "version", "2", "from", "unread", "outcome", "reached"), "/calls/unread")
	staff.wants(staff.get("/calls/unread"), 200, "Everything has been read")
	doctor.wants(doctor.get("/messages/"+id), 200, "Called, and reached", "Tom Reyes")
	staff.wants(staff.post(path, "version", "3", "outcome", "reached"), 409, "Somebody has reached the patient meanwhile")

	auditor, stranger := s.as(t, s.world.Auditor), s.as(t, s.world.Doctor2)
	auditor.wants(auditor.get("/calls"), 403)
	stranger.wants(stranger.get("/calls/unread"), 200, "Everything has been read")
	stranger.wants(stranger.post(path, "version", "0", "outcome", "reached"), 404)
}

// A patient without a number is shown as that, with the way to put one in; and the list alone is what an open page asks for.
func TestCallsWithoutANumber(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff := s.as(t, s.world.Staff)
	unread(t, s, true)
	fine(t, s.world.Exec(t, "UPDATE contacts SET retired_at = now() WHERE channel = 'sms'"))
	staff.wants(staff.get("/calls"), 200, "No phone number on file.", "/patients/"+s.world.Patient.String()+"/edit")
	live := staff.htmx("calls")
	part := live.get("/calls")
	live.wants(part, 200, `id="calls"`, "Rosa Delgado")
	if strings.Contains(part.Body.String(), "<html") || strings.Contains(part.Body.String(), "<h1") {
		t.Error("the list alone is a whole page")
	}
}

func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
