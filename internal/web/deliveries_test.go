package web

import (
	"context"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// failed is a message whose notice a provider refused by this code, and its delivery.
func failed(t testing.TB, s *site, code string) (message, delivery string) {
	t.Helper()
	ctx, c, worker := context.Background(), s.world.Clinic, clinic.WorkerActor("test")
	id := s.world.Approved(t, s.world.Patient, "sms")
	delivery = s.world.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1", id)[0]
	p, err := c.DeliveryClaim(ctx, worker, uuid.MustParse(delivery))
	if err != nil || p == nil {
		t.Fatal(err)
	}
	if err := c.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeFailed, Code: code}); err != nil {
		t.Fatal(err)
	}
	return id.String(), delivery
}

var rowField = regexp.MustCompile(`name="row" value="([^"]+)"`)

// confirmed are the fields that a preview's form would send.
func confirmed(got *httptest.ResponseRecorder) (fields []string) {
	for _, m := range rowField.FindAllStringSubmatch(got.Body.String(), -1) {
		fields = append(fields, "row", m[1])
	}
	return fields
}

// The screen tells the trouble in words, keeps its filter wherever it leads, and says what to do when it is empty.
func TestDeliveryList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	doctor, staff := s.as(t, s.world.Doctor), s.as(t, s.world.Staff)
	doctor.wants(doctor.get("/deliveries"), 200, "Nothing is in trouble", `aria-current="page" data-tab="trouble"`)
	message, delivery := failed(t, s, "21614")
	got := doctor.get("/deliveries?show=trouble&channel=sms&code=21614&after=nonsense")
	doctor.wants(got, 200, "Rosa Delgado", "/messages/"+message, ">The number is not a mobile number.", `name="pick" value="`+delivery+`"`, `<span class="count">1</span>`,
		`hx-get="/deliveries/rows?age=any&amp;channel=sms&amp;code=21614&amp;show=trouble"`, `data-live="worklist-`+s.world.ClinicID.String()+`"`)
	doctor.wants(doctor.get("/deliveries?channel=email"), 200, "No notice matches", "Show the whole list")
	for show, words := range map[string]string{"unknown": "Everything is known", "way": "Nothing is on its way", "arrived": "No notice matches", "ended": "No notice matches"} {
		doctor.wants(doctor.get("/deliveries?show="+show), 200, words)
	}
	// The message itself says so first, with what to do: the signer may take it back, staff look at the address.
	shown := doctor.get("/messages/" + message)
	doctor.wants(shown, 200, `data-trouble="failed"`, "The patient has not got this message.", `href="#undo"`, "/patients/"+s.world.Patient.String()+"/edit", ">not sent</span>")
	if strings.Index(shown.Body.String(), "data-trouble") > strings.Index(shown.Body.String(), "as signed, word for word") {
		t.Error("the trouble stands below the letter")
	}
	staff.wants(staff.get("/messages/"+message), 200, `data-trouble="failed"`, "Check the address")
	doctor.wants(doctor.htmx("message-timeline").get("/messages/"+message+"/timeline"), 200, `id="message-trouble" hx-swap-oob="true"`, `data-trouble="failed"`)
	page := staff.get("/deliveries")
	staff.wants(page, 200, "Rosa Delgado")
	if strings.Contains(page.Body.String(), "retry-form") {
		t.Error("staff are offered to send once more")
	}
	auditor := s.as(t, s.world.Auditor)
	auditor.wants(auditor.get("/deliveries"), 403, "Your role does not include")
	if strings.Contains(auditor.get("/").Body.String(), `href="/deliveries"`) {
		t.Error("the auditor is led there")
	}
	stranger := s.as(t, s.world.Doctor2)
	stranger.wants(stranger.get("/deliveries"), 200, "Nothing is in trouble")
}

// A list that refreshes itself, filter and all, is no activity.
func TestDeliveryRowsAreNoActivity(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	doctor := s.as(t, s.world.Doctor)
	live := doctor.htmx("deliveries")
	part := live.get("/deliveries/rows?show=way&age=any")
	live.wants(part, 200, `id="deliveries"`, `id="delivery-tabs" class="tabs" aria-label="Lists of deliveries" hx-swap-oob="true"`)
	if strings.Contains(part.Body.String(), "<h1") {
		t.Error("the part is the page")
	}
	for range 4 {
		s.world.Clock.Add(5 * time.Minute)
		part = live.get("/deliveries/rows?show=way&age=any")
	}
	if part.Code != 401 {
		t.Errorf("polling kept the session alive: %d", part.Code)
	}
}

// Choosing, looking and confirming: the preview changes nothing, what can go goes, and what moved meanwhile is told.
func TestDeliveryRetry(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	doctor := s.as(t, s.world.Doctor)
	_, first := failed(t, s, "400")
	second, withdrawn := failed(t, s, "400")
	_, dead := failed(t, s, "21614")
	doctor.wants(doctor.post("/deliveries/preview", "show", "trouble"), 422, "Choose at least one notice")
	doctor.wants(doctor.post("/deliveries/preview", "pick", "nonsense"), 422, "not as the page gave it")
	doctor.wants(doctor.post("/deliveries/preview", "pick", uuid.NewString()), 404)
	preview := doctor.post("/deliveries/preview", "all", "1", "show", "trouble")
	doctor.wants(preview, 200, "2 notices can go", "1 notice cannot go", "The number is not a mobile number.", "The same address would fail again", first, withdrawn)
	if n := s.world.Count(t, "SELECT count(*) FROM deliveries"); n != 3 || strings.Contains(preview.Body.String(), `value="`+dead) {
		t.Errorf("a look wrote %d deliveries, or offers what cannot go", n-3)
	}
	doctor.wants(doctor.get("/messages/"+second), 200, "Send once more …", `name="pick" value="`+withdrawn+`"`)
	version := s.world.Count(t, "SELECT version FROM messages WHERE id = $1", second)
	if err := s.world.Clinic.MessageWithdraw(ctx(), s.world.Doctor, uuid.MustParse(second), version); err != nil {
		t.Fatal(err)
	}
	done := doctor.post("/deliveries/retry", confirmed(preview)...)
	doctor.wants(done, 200, "1 notice is on the way once more", "1 notice had changed", "The message was withdrawn.")
	doctor.wants(doctor.post("/deliveries/retry", confirmed(preview)...), 409, "Nothing was sent.", "It was sent once more already.")
	if n := s.world.Count(t, "SELECT count(*) FROM deliveries"); n != 4 {
		t.Errorf("%d deliveries after two confirmations", n)
	}
	doctor.wants(doctor.post("/deliveries/retry"), 422, "No notice was chosen")
	doctor.wants(doctor.post("/deliveries/retry", "row", "nonsense"), 400)

	_, third := failed(t, s, "400")
	only := doctor.post("/deliveries/preview", "pick", third)
	doctor.goes(doctor.post("/deliveries/retry", confirmed(only)...), "/deliveries?show=way")
	doctor.wants(doctor.get("/deliveries?show=way"), 200, "On their way once more.", "round 2")
	staff, stranger := s.as(t, s.world.Staff), s.as(t, s.world.Doctor2)
	staff.wants(staff.post("/deliveries/preview", "pick", third), 403)
	staff.wants(staff.post("/deliveries/retry", "row", third+" 1"), 403)
	stranger.wants(stranger.post("/deliveries/preview", "pick", third), 404)
	stranger.wants(stranger.post("/deliveries/retry", "row", third+" 1"), 404)
}

// The two buttons stand in the list, too, and lead back to it.
func TestDeliverySettleFromTheList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, delivery, rev := undecided(t, s)
	staff := s.as(t, s.world.Staff)
	staff.wants(staff.get("/deliveries?show=unknown"), 200, "The provider cannot be asked about it.", "/deliveries/"+delivery+"/resend", "/deliveries/"+delivery+"/mark-sent", `value="`+rev+`"`)
	path := "/deliveries/" + delivery + "/mark-sent"
	staff.wants(staff.post(path, "from", "deliveries"), 409, "Nothing was changed", `data-tab="unknown"`, "Rosa Delgado")
	staff.goes(staff.post(path, "from", "deliveries", "version", rev), "/deliveries?show=unknown")
	staff.wants(staff.get("/deliveries?show=unknown"), 200, "Recorded as sent, on your word.", "Everything is known")
	staff.wants(staff.get("/deliveries?show=way"), 200, "On the word of Tom Reyes.")
}

// A time is set in the brief, changed in review and on the message; mistakes are said beside the field, on the page they
// were made on.
func TestMessageSchedule(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff, doctor := s.as(t, s.world.Staff), s.as(t, s.world.Doctor)
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	at := s.world.Clock.Now().In(chicago).AddDate(0, 0, 20)
	typed, words := at.Format("2006-01-02T15:04"), at.Format("Mon 2 Jan")
	staff.wants(staff.get("/briefs/new?patient="+s.world.Patient.String()), 200, `name="send_at" type="datetime-local"`, "America/Chicago")
	id := uuid.NewString()
	staff.wants(staff.post("/briefs", briefFields(s, id, "send_at", "2020-01-01T09:00")...), 422, "This time has passed.", `value="2020-01-01T09:00"`)
	staff.goes(staff.post("/briefs", briefFields(s, id, "send_at", typed)...), "/drafts/"+id)
	staff.wants(staff.get("/briefs/"+id+"/edit"), 200, `value="`+typed+`"`)

	id = s.world.Submitted(t, s.world.Patient, "email").String()
	path := "/messages/" + id + "/schedule"
	review := doctor.get("/reviews/" + id)
	doctor.wants(review, 200, "as soon as it is signed", `action="`+path+`"`)
	doctor.wants(doctor.post(path, "from", "review", "version", versionOn(t, review), "send_at", "2020-01-01T09:00"), 422, "This time has passed.", `id="review-panel"`, `value="2020-01-01T09:00"`)
	doctor.wants(doctor.post(path, "from", "review", "version", "1", "send_at", typed), 409, "changed this message", `id="review-panel"`)
	doctor.goes(doctor.post(path, "from", "review", "version", versionOn(t, review), "send_at", typed), "/reviews/"+id)
	doctor.wants(doctor.get("/reviews/"+id), 200, "It goes out when you said.", "not before <time", words)
	s.world.Answer(t, s.world.Doctor, uuid.MustParse(id))
	doctor.goes(doctor.post("/reviews/"+id+"/approve", "version", versionOn(t, doctor.get("/reviews/"+id))), "/reviews/"+id)
	doctor.wants(doctor.get("/reviews/"+id), 200, "Signed.", "The notice goes out <time", words, `id="undo"`)
	doctor.wants(doctor.get("/deliveries?show=way"), 200, "Goes out <time", words, "waits")
	message := doctor.get("/messages/" + id)
	doctor.wants(message, 200, "Goes out not before", words, "Undo the signature", `name="seen" value="`+typed+`"`, "Send it now")
	doctor.wants(doctor.post(path, "version", versionOn(t, message), "seen", typed, "send_at", "2020-01-01T09:00"), 422, "This time has passed.", `id="message-timeline"`)
	doctor.goes(doctor.post(path, "version", versionOn(t, message), "seen", typed, "send_at", typed, "when", "now"), "/messages/"+id)
	doctor.wants(doctor.get("/messages/"+id), 200, "To go out as soon as it may", "Goes out as soon as it may")
	if got := staff.get("/messages/" + id); strings.Contains(got.Body.String(), path) {
		t.Error("staff may put off what a doctor signed")
	}
	staff.wants(staff.post(path, "version", versionOn(t, message)), 403, "Only who signed it")
}

// What was not sent in time stands on the worklist with its reason, and on the review, which signs it again.
func TestUnsentIsSaid(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Approved(t, s.world.Patient, "email")
	s.world.Clock.Add(72 * time.Hour)
	delivery := uuid.MustParse(s.world.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1", id)[0])
	if p, err := s.world.Clinic.DeliveryClaim(ctx(), clinic.WorkerActor("test"), delivery); p != nil || err != nil {
		t.Fatal(p, err)
	}
	doctor := s.as(t, s.world.Doctor)
	doctor.wants(doctor.get("/"), 200, "Signed, but not sent in time", "not sent, sign again", "/reviews/"+id.String())
	doctor.wants(doctor.get("/reviews/"+id.String()), 200, "Signed, but not sent in time", "Read it again", "Countersign")
	doctor.wants(doctor.get("/messages/"+id.String()), 200, "Signed, but not sent in time", "Back for review: it was not sent in time")
	doctor.wants(doctor.get("/deliveries"), 200, "It is back with Dr Amara Osei, to be signed again.")
}

// The time to undo is a plain time to the second, which a script may count down.
func TestUndoSaysUntilWhen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.world.UndoWindow(t, 30)
	id := s.world.Approved(t, s.world.Patient, "email").String()
	doctor := s.as(t, s.world.Doctor)
	chicago, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	until := s.world.Clock.Now().Add(30 * time.Second).In(chicago).Format("15:04:05")
	doctor.wants(doctor.get("/messages/"+id), 200, "Undo the signature", `data-left="30">`+until+"<")
	doctor.wants(doctor.get("/reviews/"+id), 200, `id="undo"`, `data-left="30">`+until+"<")
}
