package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinictest"
)

var versionField = regexp.MustCompile(`name="version"[^>]* value="(\d+)"`)

// versionOn is the version that a page's form would send.
func versionOn(t testing.TB, got *httptest.ResponseRecorder) string {
	t.Helper()
	m := versionField.FindStringSubmatch(got.Body.String())
	if m == nil {
		t.Fatalf("no version on the page: %d\n%s", got.Code, got.Body)
	}
	return m[1]
}

func briefFields(s *site, id string, more ...string) []string {
	return append([]string{"id", id, "patient_id", s.world.Patient.String(), "doctor_id", s.world.Doctor.ID.String(),
		"inquiry", "My new blood pressure pill makes me cough all night. Can I stop it?",
		"points", "Stop lisinopril 10 mg tonight\r\nStart losartan 50 mg once a day tomorrow\r\n\r\nBook a blood test",
		"fact_kind", "drug", "fact_text", "losartan 50 mg once a day", "fact_kind", "instruction", "fact_text", "stop lisinopril 10 mg", "fact_kind", "drug", "fact_text", "",
		"priority", "normal", "kind", "clinical", "channel", "email"}, more...)
}

// The whole road by plain forms and links, as a browser with scripts off goes it.
func TestRoadWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff, doctor := s.as(t, s.world.Staff), s.as(t, s.world.Doctor)
	staff.wants(staff.get("/"), 200, "Nothing waits for you", "<!doctype html>", "Local")
	staff.wants(staff.post("/patients/search", "term", "delg"), 200, "Rosa Delgado", "1 patient found")
	staff.wants(staff.get("/patients/"+s.world.Patient.String()), 200, "Rosa Delgado", "penicillin")
	staff.wants(staff.get("/briefs/new?patient="+s.world.Patient.String()), 200, "Save and ask for a draft", "penicillin")
	id := uuid.NewString()
	staff.goes(staff.post("/briefs", briefFields(s, id, "next", "hand")...), "/drafts/"+id)
	draft := staff.get("/drafts/" + id)
	staff.wants(draft, 200, "Submit for review", "losartan 50 mg once a day")
	staff.goes(staff.post("/drafts/"+id+"/edit", "version", versionOn(t, draft), "text", strings.ReplaceAll(clinictest.Letter, "\n", "\r\n")), "/drafts/"+id)
	draft = staff.get("/drafts/" + id)
	staff.wants(draft, 200, "Saved.", "Please book a blood test")
	if strings.Contains(staff.get("/drafts/"+id).Body.String(), "Saved.") {
		t.Error("the sentence is said twice")
	}
	staff.goes(staff.post("/drafts/"+id+"/submit", "version", versionOn(t, draft), "text", clinictest.Letter), "/messages/"+id)
	staff.wants(staff.get("/messages/"+id), 200, "It is on the doctor&#39;s worklist now", "in review")

	doctor.wants(doctor.get("/"), 200, "Rosa Delgado", "/reviews/"+id)
	review := doctor.get("/reviews/" + id)
	doctor.wants(review, 200, "Please book a blood test", "Countersign", "Return with a note")
	for _, f := range s.world.Show(t, s.world.Doctor, uuid.MustParse(id)).Findings {
		if f.Level == "ask" && !f.Answered {
			doctor.goes(doctor.post("/reviews/"+id+"/findings", "key", f.Key), "/reviews/"+id)
		}
	}
	doctor.goes(doctor.post("/reviews/"+id+"/approve", "version", versionOn(t, doctor.get("/reviews/"+id))), "/reviews/"+id)
	doctor.wants(doctor.get("/reviews/"+id), 200, "Signed.")
	chicago, err := time.LoadLocation("America/Chicago") // where the clinic is
	if err != nil {
		t.Fatal(err)
	}
	doctor.wants(doctor.get("/messages/"+id), 200, "as signed, word for word", s.world.Clock.Now().In(chicago).Format("Mon 2 Jan 2006, 15:04"))
	if got := doctor.get("/"); !strings.Contains(got.Body.String(), "Nothing waits for you") {
		t.Error("the worklist still holds it")
	}
}

// Mistakes: what was typed comes back, with a sentence, and the status says so.
func TestFormsKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff := s.as(t, s.world.Staff)
	patient := []string{"id", uuid.NewString(), "name", "", "birth_date", "1968-13-27", "mrn", "77", "language", "en", "email", "not-an-address",
		"summary", "Typed <with> care", "doctor_id", s.world.Doctor.ID.String()}
	staff.wants(staff.post("/patients/new", patient...), 422, "The name is missing", "1968-13-27", "not-an-address", "Typed &lt;with&gt; care", "<!doctype html>")
	if got := staff.htmx("main").post("/patients/new", patient...); got.Code != 422 || strings.Contains(got.Body.String(), "<!doctype") || !strings.Contains(got.Body.String(), "The name is missing") {
		t.Error("htmx gets the content only", got.Code)
	}

	id := uuid.NewString()
	staff.wants(staff.post("/briefs", briefFields(s, id, "add", "fact")...), 200, "losartan 50 mg once a day", "fk-3") // one more than was sent
	broken := briefFields(s, id)
	broken[7] = ""
	staff.wants(staff.post("/briefs", broken...), 422, "is missing", "losartan 50 mg once a day", "Book a blood test")
	flags := staff.htmx("brief-flags").post("/briefs/flags", "patient_id", s.world.Patient.String(), "inquiry", "I have crushing chest pain, chest pain all day, and cannot breathe")
	staff.wants(flags, 200, "Call first", `id="brief-flags"`)
	if strings.Count(flags.Body.String(), "<b>chest pain.") > 1 {
		t.Error("a red flag is said twice")
	}
	if strings.Contains(flags.Body.String(), "<form") {
		t.Error("the flags are not alone")
	}

	staff.goes(staff.post("/briefs", briefFields(s, id, "next", "hand")...), "/drafts/"+id)
	version := versionOn(t, staff.get("/drafts/"+id))
	staff.wants(staff.post("/drafts/"+id+"/edit", "version", version, "text", ""), 422, "is missing")
	staff.goes(staff.post("/drafts/"+id+"/edit", "version", version, "text", clinictest.Letter), "/drafts/"+id)
	staff.wants(staff.post("/drafts/"+id+"/edit", "version", version, "text", "Dear Rosa, mine & only"), 409, "Dear Rosa, mine &amp; only", "changed this message")
	saved := staff.htmx("draft-saved").post("/drafts/"+id+"/edit", "version", version, "text", "Dear Rosa, late", "save", "auto")
	staff.wants(saved, 409, "Not saved.")
	n, err := strconv.Atoi(version)
	if err != nil {
		t.Fatal(err)
	}
	saved = staff.htmx("draft-saved").post("/drafts/"+id+"/edit", "version", strconv.Itoa(n+1), "text", clinictest.Letter+" ", "save", "auto")
	staff.wants(saved, 200, "saved", `id="draft-saved"`)
	staff.wants(staff.htmx("draft-checks").post("/drafts/"+id+"/check", "text", "Dear [name], take losartan 500 mg."), 200, `id="draft-checks"`, "to fix")
	staff.wants(staff.post("/drafts/"+id+"/submit", "version", strconv.Itoa(n+1), "text", "Dear [name], take this."), 422, "Dear [name], take this.", "marked in the text")
}

func TestTwoDoctorsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Submitted(t, s.world.Patient, "email")
	s.world.Answer(t, s.world.Doctor, id)
	first, second := s.as(t, s.world.Doctor), s.as(t, s.world.Doctor)
	version := versionOn(t, first.get("/reviews/"+id.String()))
	got := first.htmx("review-panel").post("/reviews/"+id.String()+"/approve", "version", version)
	first.wants(got, 200, `id="review-panel"`, "Signed.")
	if strings.Contains(got.Body.String(), "<!doctype") || !strings.Contains(strings.Join(got.Header().Values("Vary"), ","), "HX-Target") {
		t.Error("not a partial of its own")
	}
	second.wants(second.htmx("review-panel").post("/reviews/"+id.String()+"/approve", "version", version), 409, "Dr Amara Osei", "Your click changed nothing")
	second.wants(second.post("/reviews/"+id.String()+"/return", "version", version, "note", "Too late, <sorry>"), 409, "Your click changed nothing")
}

func TestReturnAndRecall(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff, doctor := s.as(t, s.world.Staff), s.as(t, s.world.Doctor)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	doctor.wants(doctor.get("/reviews/"+id+"?return=1"), 200, "What should change?")
	doctor.wants(doctor.get("/reviews/"+id+"?edit=1"), 200, "Countersign with these edits", "<textarea")
	version := versionOn(t, doctor.get("/reviews/"+id))
	doctor.wants(doctor.htmx("review-panel").post("/reviews/"+id+"/return", "version", version, "note", " "), 422, "The note is missing", "What should change?")
	got := doctor.htmx("review-panel").post("/reviews/"+id+"/return", "version", version, "note", "Say the date first.")
	if got.Code != 200 || got.Header().Get("HX-Redirect") != "/reviews" {
		t.Fatal(got.Code, got.Header())
	}
	staff.wants(staff.get("/drafts/"+id), 200, "Say the date first.")
	version = versionOn(t, staff.get("/drafts/"+id))
	staff.goes(staff.post("/drafts/"+id+"/submit", "version", version, "text", clinictest.Letter+"\r\n\r\nBest wishes."), "/messages/"+id)
	version = versionOn(t, staff.get("/drafts/"+id))
	staff.goes(staff.post("/reviews/"+id+"/recall", "version", version), "/drafts/"+id)
	staff.wants(staff.get("/drafts/"+id), 200, "You took it back", "Best wishes.")
}

// Out of scope looks like not there, and what is not an id is no page.
func TestOutOfScope(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	other := s.as(t, s.world.Doctor2)
	for _, path := range []string{"/patients/" + s.world.Patient.String(), "/patients/" + s.world.Patient.String() + "/edit", "/drafts/" + id, "/drafts/" + id + "/card",
		"/reviews/" + id, "/messages/" + id, "/briefs/" + id + "/edit", "/briefs/new?patient=" + s.world.Patient.String(), "/drafts/" + id + "/diff?from=1&to=2"} {
		other.wants(other.get(path), 404, "There is nothing here that you may see")
	}
	for _, path := range []string{"/patients/42", "/drafts/" + strings.ToUpper(id) + "x", "/nowhere", "/drafts/" + id + "/diff?from=x"} {
		other.wants(other.get(path), 404, "no page at this address")
	}
	notice := other.htmx("main").get("/drafts/" + id)
	if notice.Code != 404 || notice.Header().Get("HX-Retarget") != "#notice" || strings.Contains(notice.Body.String(), "<html") {
		t.Error(notice.Code, notice.Header())
	}
	auditor := s.as(t, s.world.Auditor)
	for _, path := range []string{"/patients", "/patients/new", "/reviews", "/settings"} {
		auditor.wants(auditor.get(path), 403, "Your role does not include")
	}
	if got := other.get("/sign-out"); got.Code != http.StatusMethodNotAllowed || got.Header().Get("Allow") == "" {
		t.Error(got.Code, got.Header())
	}
}
