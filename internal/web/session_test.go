package web

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinictest"
)

const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"

// Somebody finds their sign-ins, ends the ones they do not know, and the devices are out with their next request.
func TestOwnSignIns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	here := s.as(t, s.world.Staff)
	there := s.visitor(t)
	there.header.Set("User-Agent", firefox)
	there.cookies["CF_Authorization"] = assertion(t, s.world.Staff.Name, s.world.Clock.Now())
	there.goes(there.get("/signed-in?next=%2F"), "/")
	third, doctor := s.as(t, s.world.Staff), s.as(t, s.world.Doctor)
	page := here.get("/sessions")
	here.wants(page, 200, "Your sign-ins", "this one", "Firefox on Windows", "192.0.2.7", "End all others", `href="/sessions"`)
	if n := strings.Count(page.Body.String(), "/end-other\""); n != 2 || strings.Contains(page.Body.String(), "Everybody") {
		t.Errorf("%d sign-ins can be ended", n)
	}
	firefoxID := s.world.Strings(t, "SELECT id::text FROM sessions WHERE agent = $1", firefox)[0]
	doctorID := s.world.Strings(t, "SELECT se.id::text FROM sessions se JOIN staff s ON s.id = se.staff_id WHERE s.name = $1", s.world.Doctor.Name)[0]
	here.wants(here.post("/sessions/"+doctorID+"/end-other"), 404)
	here.wants(here.post("/sessions/"+firefoxID+"/end-any"), 403)
	here.wants(here.get("/sessions/all"), 403)
	here.goes(here.post("/sessions/"+firefoxID+"/end-other"), "/sessions")
	here.wants(here.get("/sessions"), 200, "Ended. Whoever used it is signed out.")
	there.goes(there.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	third.wants(third.get("/patients"), 200)
	here.goes(here.post("/sessions/end-others"), "/sessions")
	third.goes(third.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	doctor.wants(doctor.get("/patients"), 200)
	here.wants(here.get("/patients"), 200)
}

func TestEverybodysSignIns(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff, admin := s.as(t, s.world.Staff), s.as(t, s.world.Admin)
	s.as(t, s.world.Doctor)
	page := admin.get("/sessions/all")
	admin.wants(page, 200, "Everybody’s sign-ins", "Tom Reyes", "Dr Amara Osei", "this one", "/sessions/all?of="+s.world.Staff.ID.String())
	one := admin.get("/sessions/all?of=" + s.world.Staff.ID.String())
	admin.wants(one, 200, "Tom Reyes", `name="of"`)
	if strings.Contains(one.Body.String(), "Dr Amara Osei") {
		t.Error("narrowed to one person, another is listed")
	}
	id := s.world.Strings(t, "SELECT id::text FROM sessions WHERE staff_id = $1", s.world.Staff.ID)[0]
	admin.goes(admin.post("/sessions/"+id+"/end-any", "of", s.world.Staff.ID.String()), "/sessions/all?of="+s.world.Staff.ID.String())
	staff.goes(staff.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
	admin.wants(admin.get("/sessions/all?of="+s.world.Staff.ID.String()), 200, "Nobody is signed in")
}

// A stream hears at once that its sign-in was ended elsewhere, and goes on through any other change of it.
func TestEventsEndWithTheSession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	staff := s.as(t, s.world.Staff)
	wide := "worklist-" + s.world.ClinicID.String()
	code, lines := staff.stream(server, wide)
	if code != 200 || !lines.Scan() {
		t.Fatal(code)
	}
	next := func() string {
		for lines.Scan() {
			if said, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				return said
			}
		}
		return "the end"
	}
	id := s.world.Strings(t, "SELECT id::text FROM sessions WHERE staff_id = $1", s.world.Staff.ID)[0]
	mine := "session-" + id
	s.hub.mu.Lock()
	if heard := s.hub.names[0]; len(heard) != 2 || heard[1] != mine {
		t.Errorf("the stream listens for %q", heard)
	}
	s.hub.mu.Unlock()
	s.hub.ring(mine)
	s.hub.ring(wide)
	if said := next(); said != wide {
		t.Fatalf("with an open session the stream says %q", said)
	}
	if err := s.world.Clinic.SessionEndAny(ctx(), s.world.Admin, uuid.MustParse(id)); err != nil {
		t.Fatal(err)
	}
	s.hub.ring(mine)
	begun := time.Now()
	if said := next(); said != "signed-out" || next() != "the end" {
		t.Errorf("the stream says %q", said)
	}
	if took := time.Since(begun); took > streamBeat/2 {
		t.Errorf("it took %s: the stream waited for its beat", took)
	}
}

// With Access a signature that needs a fresh sign-in keeps what was typed, leads through Access's own logout, and goes on
// with the newer assertion; the session of the older one is over.
func TestSignInAgainByAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	doctor := s.as(t, s.world.Doctor)
	s.world.Answer(t, s.world.Doctor, uuid.MustParse(id))
	for range 25 { // at work all morning
		s.world.Clock.Add(10 * time.Minute)
		doctor.wants(doctor.get("/reviews/"+id), 200)
	}
	again := "/sign-in?next=%2Freviews%2F" + id
	doctor.wants(doctor.get("/reviews/"+id), 200, "Sign in again before signing", strings.ReplaceAll(again, "&", "&amp;"))
	version := versionOn(t, doctor.get("/reviews/"+id))
	words := clinictest.Letter + "\n\nWe are glad that you asked."
	got := doctor.htmx("review-panel").post("/reviews/"+id+"/approve", "version", version, "text", words)
	doctor.wants(got, 403, "You signed in more than 4 hours ago", "We are glad that you asked.", again+"%3Fedit%3D1&amp;reason=stale", `id="edit-form"`)
	if got.Header().Get("HX-Retarget") != "#review-panel" || got.Header().Get("HX-Reswap") != "outerHTML" || strings.Contains(got.Body.String(), "data-live") {
		t.Errorf("the panel does not keep its place: %v", got.Header())
	}
	plain := doctor.post("/reviews/"+id+"/approve", "version", versionOn(t, doctor.get("/reviews/"+id)))
	doctor.wants(plain, 403, "You signed in more than 4 hours ago", "<!doctype html>")
	doctor.wants(doctor.get(again+"&reason=stale"), 200, "Sign in again to sign", "/cdn-cgi/access/logout", "/cdn-cgi/access/login/")

	before := *doctor
	before.cookies = map[string]string{"CF_Authorization": doctor.cookies["CF_Authorization"], sessionCookie: doctor.cookies[sessionCookie]}
	doctor.goes(doctor.get("/signed-in?next=%2Freviews%2F"+id), "/reviews/"+id) // without a newer assertion nothing changes
	doctor.wants(doctor.get("/reviews/"+id), 200, "Sign in again before signing")
	doctor.cookies["CF_Authorization"] = assertion(t, s.world.Doctor.Name, s.world.Clock.Now())
	doctor.goes(doctor.get("/signed-in?next=%2Freviews%2F"+id), "/reviews/"+id)
	page := doctor.get("/reviews/" + id)
	doctor.wants(page, 200, "We are glad that you asked.", "Yes, countersign")
	if strings.Contains(page.Body.String(), "/findings\"") {
		t.Error("a finding wants to be answered again")
	}
	before.goes(before.get("/reviews/"+id), "/sign-in?next=%2Freviews%2F"+id+"&reason=ended")
	doctor.goes(doctor.post("/reviews/"+id+"/approve", "version", versionOn(t, page)), "/reviews/"+id)
}

func TestDevice(t *testing.T) {
	t.Parallel()
	for agent, want := range map[string]string{
		firefox: "Firefox on Windows",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                      "Safari on Mac",
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36":                                      "Chrome on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0":              "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/140.0.0.0 Mobile/15E148 Safari/604.1": "Chrome on iPhone",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                            "Chrome on Android",
		"<script>alert(1)</script>": "A browser", "": "A browser",
	} {
		if got := device(agent); got != want {
			t.Errorf("%q: %q, want %q", agent, got, want)
		}
	}
}
