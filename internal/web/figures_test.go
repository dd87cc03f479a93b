package web

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/metrics"
	"countersign/internal/slo"
)

// askOver asks over a real socket, as a browser with these cookies does.
func askOver(t *testing.T, address, path string, cookies map[string]string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "localhost:8080"
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// Server-Timing tells signed-in people what a page cost. Patients and strangers are told nothing: a link that exists
// costs other queries than one that does not.
func TestServerTiming(t *testing.T) {
	t.Parallel()
	s, address := served(t, defaultPatience)
	staff := s.as(t, s.world.Staff)
	shape := regexp.MustCompile(`^total;dur=(\d+\.\d), db;dur=(\d+\.\d);desc="(\d+) quer(?:y|ies)", render;dur=(\d+\.\d)$`)
	for _, path := range []string{"/patients", "/patients/" + s.world.Patient.String(), "/nowhere/" + uuid.NewString()} {
		got := askOver(t, address, path, staff.cookies)
		header := got.Header.Get("Server-Timing")
		if strings.HasPrefix(path, "/nowhere") {
			if header != "" {
				t.Errorf("%s: %q", path, header)
			}
			continue
		}
		m := shape.FindStringSubmatch(header)
		if got.StatusCode != http.StatusOK || m == nil {
			t.Fatalf("%s: %d %q", path, got.StatusCode, header)
		}
		if total, _ := strconv.ParseFloat(m[1], 64); total <= 0 {
			t.Errorf("%s took no time: %q", path, header)
		}
	}
	s.world.Approved(t, s.world.Patient, "email")
	link := linkOf(t, s)
	for _, path := range []string{link, "/m/" + strings.Repeat("x", 43), "/sign-in", "/patients", "/healthz", "/metrics"} {
		if header := askOver(t, address, path, nil).Header.Get("Server-Timing"); header != "" {
			t.Errorf("%s tells strangers %q", path, header)
		}
	}
}

// A figure that goes bad says so on the page, in words and by a sign, with what is left of its budget.
func TestStatusShowsTheSixFigures(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ops, doctor := s.as(t, s.world.Ops), s.as(t, s.world.Doctor)
	got := ops.get("/status")
	ops.wants(got, 200, "First response", "Database query", "Queue processing", "Error rate", "Uptime", "Security score", "under 50 ms", "under 10 ms",
		"under 5 s", "under 0.1 %", "over 99.9 %", "over 95 %", `data-live="figures"`)
	if n := strings.Count(got.Body.String(), ">Quiet<"); n != 6 {
		t.Errorf("%d of 6 are quiet before anything is measured", n)
	}
	keep := func(seconds float64, errors int64) {
		h := slo.Histogram{}
		for range 20 {
			h.Observe(slo.Bounds, seconds)
		}
		first := slo.Seen{Count: 20, Good: h.Under(slo.Bounds, .05), Histogram: h}
		err := s.world.Clinic.FiguresKeep(ctx(), uuid.New(), s.world.Clock.Now(), []clinic.Counted{{Figure: slo.FirstResponse, Seen: first},
			{Figure: slo.ErrorRate, Seen: slo.Seen{Count: 1000, Good: 1000 - errors}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	keep(.004, 0)
	part := ops.htmx("status-figures").get("/status/figures")
	ops.wants(part, 200, ">Good<", "100 % left: 0 of 20 pages missed, 1 allowed", `class="spark"`, "polyline points=")
	if strings.Contains(part.Body.String(), "<html") || strings.Contains(part.Body.String(), "Misses its target") {
		t.Errorf("%s", part.Body)
	}
	keep(.3, 5)
	ops.wants(ops.get("/status"), 200, "Misses its target", "overspent: 20 of 40 pages missed", "0.25 %", "overspent: 5 of 2000 requests missed, 2 allowed")
	doctor.wants(doctor.get("/status/figures"), 403)
	doctor.wants(doctor.get("/events?names=figures"), 404)
}

// Every answer but a probe's counts for the error rate, and pages alone for the first response.
func TestFiguresCountRequests(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	s := newSite(t, func(c *Config) { c.Metrics = m })
	s.echo.GET("/boom", s.enter(&route{method: get, path: "/boom", door: doorOpen, do: func(*call) error { panic("boom") }}))
	v := s.visitor(t)
	v.get("/sign-in")
	v.get("/healthz")
	v.get("/readyz")
	v.get("/static/nothing.css")
	v.post("/m/" + strings.Repeat("x", 43))
	v.get("/boom")
	got := m.Take()
	if got[slo.ErrorRate].Count != 4 || got[slo.ErrorRate].Good != 3 || got[slo.FirstResponse].Count != 2 {
		t.Errorf("%+v", got)
	}
	if again := m.Take(); len(again) != 0 {
		t.Errorf("told twice: %+v", again)
	}
}

// A clinic's people share one address, so it may send 600 beacons a minute, and more of them are refused and not counted.
func TestVitalsAreLimited(t *testing.T) {
	t.Parallel()
	told := 0
	s := newSite(t, func(c *Config) {
		c.Vital = func(string, string, float64) bool { told++; return true }
	})
	v := s.visitor(t)
	for i := range 601 {
		if got := v.post("/vitals", "page", "/patients/:id", "LCP", "0.4"); (got.Code == http.StatusNoContent) != (i < 600) {
			t.Fatalf("beacon %d: %d", i+1, got.Code)
		}
	}
	if told != 600 {
		t.Errorf("%d were counted", told)
	}
}

// A beacon holds a route pattern and numbers, and nothing else is taken.
func TestVitalsTake(t *testing.T) {
	t.Parallel()
	var told []string
	s := newSite(t, func(c *Config) {
		c.Vital = func(route, vital string, value float64) bool {
			told = append(told, route+" "+vital)
			return value < 600
		}
	})
	v := s.visitor(t)
	v.wants(v.post("/vitals", "page", "/patients/:id", "LCP", "0.41200", "CLS", "0.00000"), 204)
	if strings.Join(told, ",") != "/patients/:id LCP,/patients/:id CLS" {
		t.Errorf("%v", told)
	}
	for name, fields := range map[string][]string{
		"a path":             {"page", "/patients/" + uuid.NewString(), "LCP", "1"},
		"a patient's page":   {"page", "/m/:token", "LCP", "1"},
		"no page":            {"LCP", "1"},
		"no number":          {"page", "/patients", "LCP", "fast"},
		"not a number":       {"page", "/patients", "LCP", "NaN"},
		"too much":           {"page", "/patients", "LCP", "1e9"},
		"another field":      {"page", "/patients", "FID", "1"},
		"twice":              {"page", "/patients", "LCP", "1", "LCP", "2"},
		"longer than it may": {"page", "/patients", "LCP", strings.Repeat("1", 600)},
	} {
		told = nil
		if got := v.post("/vitals", fields...); got.Code < 400 || got.Code >= 500 {
			t.Errorf("%s: %d (%v)", name, got.Code, told)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/vitals", strings.NewReader("page=%2Fpatients&LCP=1"))
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Origin", "https://elsewhere.example")
	if got := v.do(r); got.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", got.Code)
	}
	staff := s.as(t, s.world.Staff)
	staff.wants(staff.get("/patients/"+s.world.Patient.String()), 200, `data-page="/patients/:id"`, "/static/web-vitals.iife.")
	s.world.Approved(t, s.world.Patient, "email")
	for _, path := range []string{linkOf(t, s), "/sign-in"} {
		if got := v.get(path).Body; bytes.Contains(got.Bytes(), []byte("vitals")) || bytes.Contains(got.Bytes(), []byte("data-page")) {
			t.Errorf("%s measures", path)
		}
	}
}

// The picture has a gap where nothing was measured, and says in words what it shows.
func TestSpark(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 7, 0, 0, time.UTC)
	m := slo.Measure{Promise: slo.Of(slo.FirstResponse)}
	if got := draw(m, now); got.Lines != nil || got.Said != "Nothing was measured in the last 24 hours." {
		t.Errorf("%+v", got)
	}
	for _, quarters := range []int{8, 7, 2} {
		m.Trend = append(m.Trend, slo.Point{At: now.Truncate(slo.Quarter).Add(-time.Duration(quarters) * slo.Quarter), Value: float64(quarters) / 100})
	}
	got := draw(m, now)
	if len(got.Lines) != 2 || got.Said != "The last 24 hours: between 20 ms and 80 ms, target under 50 ms." || got.Limit == "" {
		t.Errorf("%+v", got)
	}
	for value, want := range map[float64]string{.9999: "99.99 %", .99996: "99.99 %", 1: "100 %", 0: "0 %", .001: "0.1 %", -3.5: "-350 %"} {
		if said := percent(value); said != want {
			t.Errorf("%v is %s, want %s", value, said, want)
		}
	}
	for value, want := range map[float64]string{.0004: "0.4 ms", .05: "50 ms", 5: "5 s", 1.25: "1.2 s", 300: "5 min"} {
		if said := seconds(value); said != want {
			t.Errorf("%v is %s, want %s", value, said, want)
		}
	}
}
