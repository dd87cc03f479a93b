package web

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// Every answer carries the headers, whatever it is. What it cost is for people who are signed in.
func TestEveryAnswerIsGuarded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	for _, got := range []*httptest.ResponseRecorder{v.get("/"), v.get("/nowhere"), v.get("/static/nothing.css"), v.get("/healthz"), v.get("/readyz"),
		v.get("/metrics"), v.get("/sign-out"), v.post("/drafts/x/edit"), v.htmx("main").get("/worklist"),
		v.do(httptest.NewRequest("PROPFIND", "/", nil)), v.do(crossSite("/sign-out")), v.do(crossSite("/webhooks/sendgrid"))} {
		for _, line := range securityHeaders() {
			if got.Header().Get(line.name) == "" {
				t.Errorf("%d: no %s", got.Code, line.name)
			}
		}
		if got.Header().Get("Server-Timing") != "" || got.Header().Get("X-Request-Id") == "" {
			t.Errorf("%d: Server-Timing for nobody, or no id: %v", got.Code, got.Header())
		}
		if strings.HasPrefix(strings.TrimSpace(got.Body.String()), "{") && got.Header().Get("Content-Type") != "application/json" {
			t.Errorf("JSON for people: %s", got.Body)
		}
	}
}

func crossSite(path string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("a=1"))
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://evil.example")
	return r
}

// Each POST of the table is refused across sites, but for the machines'.
func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	v.header.Set("Cf-Access-Jwt-Assertion", "not looked at")
	machines := 0
	for _, r := range s.routes() {
		if r.method == http.MethodGet {
			continue
		}
		path := strings.NewReplacer(":id", uuid.NewString(), ":delivery", uuid.NewString(), ":token", "abc", "*", "x").Replace(r.path)
		request := crossSite(path)
		request.Method = r.method
		got := v.do(request)
		isRefusal := strings.Contains(got.Body.String(), "another site")
		if r.door == doorMachine {
			machines++
			if isRefusal {
				t.Errorf("%s %s is refused across sites", r.method, r.path)
			}
		} else if got.Code != http.StatusForbidden || !isRefusal {
			t.Errorf("%s %s across sites: %d", r.method, r.path, got.Code)
		}
	}
	if machines != 5 {
		t.Errorf("%d routes are open across sites; every one of them must be known", machines)
	}
	old := httptest.NewRequest(http.MethodPost, "/m/abc", strings.NewReader("day=1"))
	old.Header.Set("Content-Type", urlEncoded)
	old.Header.Set("Origin", "null")
	if got := v.do(old); strings.Contains(got.Body.String(), "another site") {
		t.Error("a patient's old browser is refused its own form")
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.visitor(t)
	read := func() (int, readiness) {
		got := v.get("/readyz")
		var r readiness
		if err := json.Unmarshal(got.Body.Bytes(), &r); err != nil {
			t.Fatal(err, got.Body)
		}
		return got.Code, r
	}
	if code, r := read(); code != 200 || r != (readiness{Status: "ready", Postgres: "ok", Redis: "ok", Fence: "off"}) {
		t.Fatal(code, r)
	}
	s.hub.mu.Lock()
	s.hub.healthy = false
	s.hub.mu.Unlock()
	if code, r := read(); code != 200 || r.Redis != "degraded" || r.Status != "ready" {
		t.Fatal("Redis away is no reason", code, r)
	}
	s.Drain()
	if code, r := read(); code != 503 || r.Status != "draining" {
		t.Fatal(code, r)
	}
	if got := v.get("/healthz"); got.Code != 200 {
		t.Fatal(got.Code)
	}
}

// Postgres away: readyz says so, people get a plain page that needs no database, and machines are asked to come back.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Staff)
	away, err := clinic.Open(context.Background(), clinic.Config{DatabaseURL: "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	s.cfg.Clinic = away
	s.cfg.Twilio, s.cfg.SendGrid = stamp{}, stamp{}
	for _, path := range []string{"/", "/patients", "/m/abc"} {
		got := v.get(path)
		v.wants(got, http.StatusServiceUnavailable, "cannot be reached", "<!doctype html>")
		if got.Header().Get("Retry-After") == "" || strings.Contains(got.Body.String(), "nav aria-label") {
			t.Errorf("%s: not the plain page", path)
		}
	}
	v.wants(v.htmx("main").get("/worklist"), http.StatusServiceUnavailable, "cannot be reached")
	v.wants(v.get("/readyz"), http.StatusServiceUnavailable, `"postgres":"away"`)
	r := httptest.NewRequest(http.MethodPost, "/webhooks/sendgrid", strings.NewReader("[]"))
	r.Header.Set("Stamp", "ok")
	v.wants(v.do(r), http.StatusServiceUnavailable)
	s.cfg.Clinic = s.world.Clinic
	got := v.get("/")
	v.wants(got, http.StatusOK, "Waiting for you")
}

// Asked to stop, it says so and goes on as before until whoever sends requests here can have noticed; then streams end well,
// for their pages to connect anew, and nobody is let in late.
func TestServeDrains(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.DrainDelay = 4 * time.Second })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving, listener) }()
	v := s.as(t, s.world.Staff)
	watch := func() *http.Response {
		r, err := http.NewRequest(http.MethodGet, "http://"+listener.Addr().String()+"/events?names=worklist-"+s.world.ClinicID.String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range v.cookies {
			r.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil || got.StatusCode != 200 {
			t.Fatal(err, got)
		}
		return got
	}
	early := watch()
	stop()
	awaitDraining(t, "http://"+listener.Addr().String()+"/readyz")
	s.hub.ring("worklist-" + s.world.ClinicID.String())
	late := watch()
	for _, stream := range []*http.Response{early, late} {
		if body, err := drainBody(stream); err != nil || stream == early && !strings.Contains(body, "event: worklist-") {
			t.Fatalf("a stream did not go on and end well: %q %v", body, err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if late, err := http.Get("http://" + listener.Addr().String() + "/healthz"); err == nil {
		t.Fatal("somebody was let in late", late.Body.Close())
	}
}

// awaitDraining asks until the answer is that it is on its way out, on a connection that ends with it: whoever keeps
// connections is sent elsewhere. An answer that was begun before does not say both.
func awaitDraining(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		ready, err := http.Get(address)
		if err != nil {
			t.Fatal("it is gone before it said that it is draining:", err)
		}
		body, err := drainBody(ready)
		if err == nil && ready.StatusCode == http.StatusServiceUnavailable && strings.Contains(body, `"draining"`) && ready.Close {
			return
		}
	}
	t.Fatal("it does not say that it is draining, and end the connection")
}
