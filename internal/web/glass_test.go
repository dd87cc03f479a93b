package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// broken opens the World's patient to a doctor who does not care for them.
func broken(t *testing.T, s *site) *visitor {
	t.Helper()
	doctor := s.as(t, s.world.Doctor2)
	doctor.goes(doctor.post("/glass/break", "mrn", "20441", "reason", "Collapsed in the waiting room."), "/patients/"+s.world.Patient.String())
	return doctor
}

// A banner stands on every page while it lasts, for who has it open and for nobody else, and the hour is the server's.
func TestGlassOnEveryPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	message := s.world.Approved(t, s.world.Patient, "email").String()
	doctor := broken(t, s)
	until := s.world.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	pages := []string{"/patients/" + s.world.Patient.String(), "/messages/" + message, "/drafts/" + message, "/reviews/" + message}
	for _, r := range s.routes() {
		if r.method == http.MethodGet && r.door == doorStaff && !strings.ContainsAny(r.path, ":*") && doctor.site.world.Doctor2.Can(r.deed) && r.path != pathEvents {
			pages = append(pages, r.path)
		}
	}
	for _, path := range pages {
		got := doctor.get(path)
		if got.Code == http.StatusSeeOther {
			continue
		}
		doctor.wants(got, 200, "<b>Emergency access.</b>", "Rosa Delgado</a> until", until)
	}
	if len(pages) < 14 {
		t.Errorf("only %d pages were looked at", len(pages))
	}
	doctor.wants(doctor.get("/patients/"+s.world.Doctor2.ID.String()), 404, "<b>Emergency access.</b>")
	if strings.Contains(s.as(t, s.world.Staff).get("/patients").Body.String(), "Emergency access.</b>") {
		t.Error("a colleague sees the banner")
	}
	for range 6 { // at work for an hour
		doctor.wants(doctor.get(pages[0]), 200, "Rosa Delgado")
		s.world.Clock.Add(10 * time.Minute)
	}
	doctor.wants(doctor.get(pages[0]), 404)
	if strings.Contains(doctor.get("/patients").Body.String(), "Emergency access.</b>") {
		t.Error("the banner outlasts the hour")
	}
}

var leads = regexp.MustCompile(`(?:action|formaction|hx-post)="([^"]+)"`)

// What is open by break-glass offers no form but to end it, whatever state the message is in.
func TestGlassPagesOfferNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	signed, waiting := w.Approved(t, w.Patient, "email").String(), w.Submitted(t, w.Patient, "sms").String()
	empty, err := w.Clinic.BriefCreate(ctx(), w.Staff, w.Brief(w.Patient, "email"))
	if err != nil {
		t.Fatal(err)
	}
	asked, err := w.Clinic.BriefCreate(ctx(), w.Staff, w.Brief(w.Patient, "email"))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Clinic.DraftRequest(ctx(), w.Staff, asked, ""); err != nil {
		t.Fatal(err)
	}
	doctor, own := broken(t, s), s.as(t, w.Doctor)
	paths := []string{"/patients/" + w.Patient.String(), "/drafts/" + waiting + "/diff?from=1&to=1", "/reviews/" + waiting + "?edit=1", "/reviews/" + waiting + "?return=1"}
	for _, id := range []string{signed, waiting, empty.String(), asked.String()} {
		paths = append(paths, "/messages/"+id, "/drafts/"+id, "/reviews/"+id)
	}
	offered := 0
	for _, path := range paths {
		got := doctor.get(path)
		doctor.wants(got, 200, "<b>Emergency access.</b>")
		for _, m := range leads.FindAllStringSubmatch(got.Body.String(), -1) {
			if m[1] != "/sign-out" && !strings.HasPrefix(m[1], "/glass/") {
				t.Errorf("%s offers %s", path, m[1])
			}
		}
		if strings.Contains(got.Body.String(), "/edit\"") || strings.Contains(got.Body.String(), "/briefs/new") {
			t.Errorf("%s leads to an editor", path)
		}
		offered += len(leads.FindAllString(own.get(path).Body.String(), -1))
	}
	if offered < 20 {
		t.Errorf("the care team's own pages offer only %d forms: the pages were not understood", offered)
	}
}

// The form comes back with what was typed and sentences; ending goes back to one's own patients.
func TestGlassForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	doctor := s.as(t, s.world.Doctor2)
	doctor.wants(doctor.get("/glass"), 200, "60 minutes", "an administrator reviews them")
	doctor.wants(doctor.post("/glass/break", "mrn", "99999", "reason", "Collapsed in the waiting room."), 422, "No patient of this clinic has this MRN", "Collapsed in the waiting room.")
	doctor.wants(doctor.post("/glass/break", "mrn", "20441", "reason", "urgent"), 422, "needs at least 20 characters", `value="20441"`)
	doctor.wants(doctor.post("/glass/break", "name", "Rosa Delgado", "reason", "Collapsed in the waiting room."), 422, `id="e-birth_date"`)
	doctor.goes(doctor.post("/glass/break", "name", "rosa delgado", "birth_date", "1967-05-30", "reason", "Collapsed in the waiting room."), "/patients/"+s.world.Patient.String())
	id := s.world.Strings(t, "SELECT id::text FROM glass")[0]
	doctor.goes(doctor.post("/glass/"+id+"/end"), "/patients")
	doctor.wants(doctor.get("/patients"), 200, "Your emergency access is over.")
	doctor.wants(doctor.get("/patients/"+s.world.Patient.String()), 404)
	for range 9 {
		doctor.post("/glass/break", "mrn", "99999", "reason", "Collapsed in the waiting room.")
	}
	got := doctor.post("/glass/break", "mrn", "20441", "reason", "Collapsed in the waiting room.")
	doctor.wants(got, 429, "ten patients in the last hour", "Collapsed in the waiting room.")
	admin := s.as(t, s.world.Admin)
	admin.wants(admin.get("/"), 200, "1<span class=\"vh\"> to review")
	admin.wants(admin.get("/glass/list"), 200, "Dr Jonas Lindqvist", "Rosa Delgado", "Collapsed in the waiting room.", "name and date of birth", "ended by themselves")
	admin.wants(admin.post("/glass/"+id+"/review", "note", ""), 422, "The note is missing.")
	admin.goes(admin.post("/glass/"+id+"/review", "note", "Called the ward."), "/glass/list")
	admin.wants(admin.get("/glass/list"), 200, "Nothing to review")
	admin.wants(admin.get("/glass/list?show=reviewed"), 200, "Called the ward.", "Ruth Ebbing")
	admin.wants(admin.post("/glass/"+id+"/review", "note", "Again."), 409, "reviewed this a moment ago")
}

// An open page hears at once that its person has left the care team of what it shows.
func TestEventsEndWithTheAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	w := s.world
	message := "message-" + w.Submitted(t, w.Patient, "email").String()
	patient := "patient-" + w.Patient.String()
	staff := s.as(t, w.Staff)
	code, lines := staff.stream(server, message+","+patient)
	if code != 200 || !lines.Scan() {
		t.Fatal(code)
	}
	person := "person-" + w.Staff.ID.String()
	next := func() string {
		for lines.Scan() {
			if said, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				return said
			}
		}
		return "the end"
	}
	s.hub.ring(person)
	s.hub.ring(patient)
	if said := next(); said != patient {
		t.Fatalf("still on the team, the stream says %q", said)
	}
	if err := w.Clinic.TeamLeave(ctx(), w.Admin, w.Patient, w.Staff.ID); err != nil {
		t.Fatal(err)
	}
	s.hub.ring(person)
	s.hub.ring(patient) // what a stream that goes on would say
	begun := time.Now()
	if said := next(); said != "gone" || next() != "the end" || time.Since(begun) > streamBeat/2 {
		t.Errorf("the stream says %q after %s", said, time.Since(begun))
	}
	staff.wants(staff.get("/patients/"+w.Patient.String()), 404)
	if code, _ := staff.stream(server, patient); code != 404 {
		t.Error("a new stream is opened:", code)
	}
}

// A stream of what break-glass shows ends at its next beat after the hour, and goes on while that cannot be known.
func TestEventsEndWithTheGlass(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	message := "message-" + w.Submitted(t, w.Patient, "email").String()
	patient := "patient-" + w.Patient.String()
	doctor := broken(t, s)
	c := &call{actor: w.Doctor2}
	r := httptest.NewRequest(http.MethodGet, "/events", nil)
	for name, value := range doctor.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	c.Context = s.echo.NewContext(r, httptest.NewRecorder())
	watch := watch{names: []string{patient, message}}
	if !watch.read(w.ClinicID) || s.over(c, watch) != "" {
		t.Fatal("what break-glass shows may not be watched")
	}
	for range 6 {
		doctor.get("/patients")
		s.world.Clock.Add(10 * time.Minute)
	}
	doctor.get("/patients")
	if over := s.over(c, watch); over != "gone" {
		t.Errorf("after the hour the stream goes on: %q", over)
	}
	s.cfg.Clinic = away(t)
	if over := s.over(c, watch); over != "" {
		t.Errorf("without a database the stream ends: %q", over)
	}
}

// away is a clinic whose database cannot be reached.
func away(t *testing.T) *clinic.Clinic {
	t.Helper()
	c, err := clinic.Open(ctx(), clinic.Config{DatabaseURL: "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// The administrator's screens: teams, people, doctors' settings.
func TestKeepersScreens(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	w := s.world
	admin := s.as(t, w.Admin)
	id := w.Patient.String()
	admin.wants(admin.get("/teams"), 200, "Rosa Delgado", "Helen Marsh")
	admin.wants(admin.post("/teams/search", "term", "20441"), 200, "Rosa Delgado")
	admin.wants(admin.post("/teams/search", "term", "Rosa"), 200, "No patient matches")
	got := admin.get("/teams/" + id)
	admin.wants(got, 200, "Rosa Delgado", "p20441@mail.example", "Tom Reyes", "Dr Jonas Lindqvist, doctor")
	if strings.Contains(got.Body.String(), "lisinopril") || strings.Contains(got.Body.String(), "1967") {
		t.Error("an administrator reads clinical text")
	}
	admin.goes(admin.post("/teams/"+id+"/join", "staff", w.Doctor2.ID.String()), "/teams/"+id)
	doctor := s.as(t, w.Doctor2)
	doctor.wants(doctor.get("/patients/"+id), 200, "Dr Jonas Lindqvist")
	admin.goes(admin.post("/teams/"+id+"/leave", "staff", w.Doctor2.ID.String()), "/teams/"+id)
	doctor.wants(doctor.get("/patients/"+id), 404)
	admin.wants(admin.post("/teams/"+id+"/leave", "staff", w.Doctor.ID.String()), 422, "only doctor")
	admin.wants(admin.post("/teams/"+id+"/join", "staff", w.Admin.ID.String()), 422, "Please choose a doctor")

	admin.wants(admin.get("/staff"), 200, "Tom Reyes", `action="/staff/`+w.Staff.ID.String()+`/assign"`, "/settings/"+w.Doctor.ID.String())
	if strings.Contains(admin.get("/staff").Body.String(), "/staff/"+w.Admin.ID.String()) {
		t.Error("an administrator may take their own role")
	}
	staff := s.as(t, w.Staff)
	admin.goes(admin.post("/staff/"+w.Staff.ID.String()+"/assign", "role", "reviewer"), "/staff")
	staff.goes(staff.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	admin.wants(admin.post("/staff/"+w.Staff.ID.String()+"/assign", "role", "worker"), 422, "Please choose a role.")
	admin.goes(admin.post("/staff/"+w.Staff2.ID.String()+"/disable"), "/staff")
	admin.wants(admin.get("/staff"), 200, "switched off")
	got = admin.get("/settings/" + w.Doctor.ID.String())
	admin.wants(got, 200, "Settings of Dr Amara Osei", "disabled")
	if strings.Contains(got.Body.String(), `<button class="btn primary"`) {
		t.Error("an administrator may save a doctor's settings")
	}
}
