package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// Everything but the open pages asks who is there: a page is sent to sign in, a partial or a form is told 401.
func TestNobodyGetsIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Rates = Rates{Address: 10_000, Unverified: 10_000} }) // there are more than a hundred
	v := s.visitor(t)
	id := "0190a5b4-0000-7000-8000-000000000001"
	for _, r := range s.routes() {
		path := strings.NewReplacer(":id", id, "/*", "/x").Replace(r.path)
		if r.door != doorStaff && r.door != doorPerson {
			continue
		}
		var got *httptest.ResponseRecorder
		if r.method == http.MethodGet {
			got = v.get(path)
		} else {
			got = v.post(path)
		}
		if r.method == http.MethodGet && path != pathEvents {
			if got.Code != http.StatusSeeOther || !strings.HasPrefix(got.Header().Get("Location"), "/sign-in?next=") {
				t.Errorf("GET %s: %d %s", r.path, got.Code, got.Header().Get("Location"))
			}
		} else if got.Code != http.StatusUnauthorized && r.method != http.MethodDelete {
			t.Errorf("%s %s: %d", r.method, r.path, got.Code)
		}
	}
	got := v.htmx("draft-card").get("/drafts/" + id + "/card")
	if got.Code != http.StatusUnauthorized || got.Header().Get("HX-Trigger") != "signed-out" || strings.Contains(got.Body.String(), "<html") {
		t.Errorf("htmx: %d %v", got.Code, got.Header())
	}
	if n := s.world.Count(t, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.goes(v.get("/patients?after=x"), "/sign-in?next=%2Fpatients%3Fafter%3Dx&reason=none")
	v.wants(v.get("/sign-in?next=%2Fpatients&reason=idle"), 200, "no activity for 15 minutes", "/cdn-cgi/access/login/localhost:8080?kid=the-audience")

	// With an assertion and no session the browser goes through /signed-in by itself, and comes back.
	v.cookies["CF_Authorization"] = assertion(t, s.world.Staff.Name, s.world.Clock.Now())
	v.goes(v.get("/patients"), "/signed-in?next=%2Fpatients")
	got := v.get("/signed-in?next=%2Fpatients")
	v.goes(got, "/patients")
	c := got.Result().Cookies()[0]
	if c.Name != "__Host-session" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || len(c.Value) < 43 {
		t.Errorf("the cookie is %+v", c)
	}
	v.wants(v.get("/patients"), 200, "Tom Reyes", "Rosa Delgado")
	v.goes(v.get("/signed-in?next=%2F%2Fevil.example"), "/") // a second time: the session is there; and own paths only

	// The same assertion does not open another session.
	other := s.visitor(t)
	other.cookies["CF_Authorization"] = v.cookies["CF_Authorization"]
	other.goes(other.get("/patients"), "/signed-in?next=%2Fpatients")
	other.wants(other.get("/signed-in?next=%2Fpatients"), 401, "/cdn-cgi/access/logout", "/cdn-cgi/access/login/")

	// Signing out ends the session on the server and clears the browser.
	stolen := *v
	stolen.cookies = map[string]string{"CF_Authorization": v.cookies["CF_Authorization"], sessionCookie: v.cookies[sessionCookie]}
	got = v.post("/sign-out")
	v.goes(got, "/signed-out")
	if got.Header().Get("Clear-Site-Data") == "" || v.cookies[sessionCookie] != "" {
		t.Error("the browser keeps something", got.Header(), v.cookies)
	}
	v.wants(v.get("/signed-out"), 200, "/cdn-cgi/access/logout")
	stolen.goes(stolen.get("/patients"), "/sign-in?next=%2Fpatients&reason=ended")
}

func TestAssertionMustBeOfTheSessionsPerson(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Staff)
	v.cookies["CF_Authorization"] = assertion(t, s.world.Doctor.Name, s.world.Clock.Now())
	v.goes(v.get("/patients"), "/sign-in?next=%2Fpatients&reason=mismatch")
	v.cookies["CF_Authorization"] = assertion(t, s.world.Staff.Name, s.world.Clock.Now().Add(-48*time.Hour))
	v.goes(v.get("/patients"), "/sign-in?next=%2Fpatients&reason=refused")
	delete(v.cookies, "CF_Authorization")
	v.goes(v.get("/patients"), "/sign-in?next=%2Fpatients&reason=none")
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND reason = 'assertion'"); n != 1 {
		t.Errorf("%d refused assertions on the trail", n)
	}
	if strings.Contains(s.log.String(), "eyJ") {
		t.Error("a token is in the log")
	}
}

// 15 minutes without an act end the session; live refreshes are no acts.
func TestIdle(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Staff)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	for range 3 {
		s.world.Clock.Add(10 * time.Minute)
		v.wants(v.get("/messages/"+id), 200)
	}
	events := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'message.show'")
	live := v.htmx("message-timeline")
	for range 3 {
		s.world.Clock.Add(4 * time.Minute)
		live.wants(live.get("/messages/"+id+"/timeline"), 200, `id="message-timeline"`)
	}
	if now := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'message.show'"); now != events {
		t.Errorf("live refreshes made %d audit events", now-events)
	}
	s.world.Clock.Add(4 * time.Minute)
	live.wants(live.get("/messages/"+id+"/timeline"), 401)
	v.goes(v.get("/messages/"+id), "/sign-in?next=%2Fmessages%2F"+id+"&reason=idle")
}

func TestNoRole(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	stranger := s.as(t, clinic.Actor{Name: "Casey Stranger"})
	stranger.wants(stranger.get("/"), 403, "no role here yet", "someone@riverside.example")
	stranger.wants(stranger.htmx("main").get("/patients"), 403)
	stranger.goes(stranger.post("/sign-out"), "/signed-out")
}

func TestClientAddress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ask := func(remote, forwarded, header string) {
		r := httptest.NewRequest(http.MethodGet, "/patients", nil)
		r.Host, r.RemoteAddr = "localhost:8080", remote
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Cf-Access-Jwt-Assertion", header)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	bad := "a.b.c"
	ask("10.0.0.1:1", "203.0.113.9, 198.51.100.4, 10.0.0.2", bad)
	ask("192.0.2.1:1", "203.0.113.9", bad) // not a proxy of ours: neither address nor assertion is looked at
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE reason = 'assertion' AND ip = '198.51.100.4'"); n != 1 {
		t.Errorf("%d", n)
	}
	if n := s.world.Count(t, "SELECT count(*) FROM audit_events WHERE reason = 'assertion'"); n != 1 {
		t.Errorf("the header of a stranger was looked at: %d", n)
	}
}

func TestLocalhost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ask := func(path, host string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Host = host
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		return rec
	}
	if got := ask("/patients?after=1", "127.0.0.1:8080"); got.Code != 307 || got.Header().Get("Location") != "http://localhost:8080/patients?after=1" {
		t.Error(got.Code, got.Header().Get("Location"))
	}
	if got := ask("/healthz", "127.0.0.1:8080"); got.Code != 200 {
		t.Error(got.Code)
	}
	s.cfg.Env = "production"
	if got := ask("/sign-in", "127.0.0.1:8080"); got.Code != 200 {
		t.Error(got.Code)
	}
}
