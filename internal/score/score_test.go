package score

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// good is an answer with nothing to complain of.
var good = map[string]string{
	"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; form-action 'self'; frame-ancestors 'none'",
	"Strict-Transport-Security":    "max-age=63072000; includeSubDomains; preload",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Set-Cookie":                   "__Host-zone=x; Path=/; Secure; HttpOnly; SameSite=Lax",
}

const goodPage = `<!doctype html><script src="/static/app.js" integrity="sha384-x" defer></script>`

// at serves an answer at an address of its own.
func at(t *testing.T, headers map[string]string, status int, page string) Page {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range headers {
			if value != "" {
				w.Header().Set(name, value)
			}
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(page))
	}))
	t.Cleanup(server.Close)
	return Page{Public: "https://messages.riverside.test", Path: "/sign-in", Dial: strings.TrimPrefix(server.URL, "http://")}
}

func TestAllBonuses(t *testing.T) {
	t.Parallel()
	points, lines := at(t, good, 200, goodPage).observe(t.Context())
	if points != 140 || len(lines) != 10 { // 145 are to be had by whoever is on the preload list
		t.Errorf("%d points: %+v", points, lines)
	}
	for _, l := range lines {
		if !l.OK || l.Todo != "" || l.Found == "" || l.Looked == "" {
			t.Errorf("%+v", l)
		}
	}
}

// Each control that is taken away costs its points: the published ones, and below 90 all bonuses, too.
func TestEachHeaderCounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		header, value string
		line          string
		points        int // of that line
	}{
		"no policy":           {"Content-Security-Policy", "", "Content-Security-Policy", -25},
		"inline scripts":      {"Content-Security-Policy", "default-src 'none'; script-src 'self' 'unsafe-inline'", "Content-Security-Policy", -20},
		"scripts of anybody":  {"Content-Security-Policy", "default-src 'none'; script-src https:", "Content-Security-Policy", -20},
		"no default":          {"Content-Security-Policy", "img-src 'self'", "Content-Security-Policy", -20},
		"plain styles":        {"Content-Security-Policy", "default-src 'none'; style-src http://cdn.test", "Content-Security-Policy", -20},
		"eval":                {"Content-Security-Policy", "default-src 'none'; script-src 'self' 'unsafe-eval'", "Content-Security-Policy", -10},
		"plain images":        {"Content-Security-Policy", "default-src 'none'; img-src http:", "Content-Security-Policy", -10},
		"inline styles":       {"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'", "Content-Security-Policy", 0},
		"not none by default": {"Content-Security-Policy", "default-src 'self'", "Content-Security-Policy", 5},
		"no transport":        {"Strict-Transport-Security", "", "Strict-Transport-Security", -20},
		"short transport":     {"Strict-Transport-Security", "max-age=3600", "Strict-Transport-Security", -10},
		"sniffing":            {"X-Content-Type-Options", "", "X-Content-Type-Options", -5},
		"no referrer policy":  {"Referrer-Policy", "", "Referrer-Policy", 0},
		"a telling referrer":  {"Referrer-Policy", "unsafe-url", "Referrer-Policy", -5},
		"no resource policy":  {"Cross-Origin-Resource-Policy", "", "Cross-Origin-Resource-Policy", 0},
		"a wrong one":         {"Cross-Origin-Resource-Policy", "nobody", "Cross-Origin-Resource-Policy", -5},
		"a readable cookie":   {"Set-Cookie", "s=1; Secure; SameSite=Lax", "Cookies", -30},
		"a plain cookie":      {"Set-Cookie", "s=1; HttpOnly; SameSite=Lax", "Cookies", -40},
		"a cookie for all":    {"Set-Cookie", "s=1; Secure; HttpOnly", "Cookies", 0},
		"no cookie":           {"Set-Cookie", "", "Cookies", 0},
		"shared with one":     {"Access-Control-Allow-Origin", "https://a.test", "Cross-origin sharing", 0},
		"frames by policy":    {"X-Frame-Options", "", "Framing", 5},
	} {
		headers := maps.Clone(good)
		headers[c.header] = c.value
		points, lines := at(t, headers, 200, goodPage).observe(t.Context())
		for _, l := range lines {
			if l.Name == c.line && l.Points != c.points {
				t.Errorf("%s: %+v, want %d points", name, l, c.points)
			}
		}
		if want := 140 + c.points - map[string]int{"Content-Security-Policy": 10, "Cookies": 5, "Referrer-Policy": 5, "Framing": 5, "Cross-Origin-Resource-Policy": 10}[c.line]; c.points >= 0 && c.header != "Content-Security-Policy" && points != want {
			t.Errorf("%s: %d points in all, want %d", name, points, want)
		}
		if c.points < 0 && points >= 140 {
			t.Errorf("%s: nothing is lost", name)
		}
		if c.points <= -20 && points > 80 {
			t.Errorf("%s: %d points; bonuses count from 90 on", name, points)
		}
	}
}

func TestSharedWithCookiesAndFramedByAnybody(t *testing.T) {
	t.Parallel()
	headers := maps.Clone(good)
	headers["Access-Control-Allow-Origin"], headers["Access-Control-Allow-Credentials"] = "https://a.test", "true"
	headers["X-Frame-Options"], headers["Content-Security-Policy"] = "", "default-src 'none'; form-action 'self'"
	if points, _ := at(t, headers, 200, goodPage).observe(t.Context()); points != 100-50-20 {
		t.Errorf("%d points", points)
	}
}

func TestScripts(t *testing.T) {
	t.Parallel()
	for page, points := range map[string]int{
		`<script src="/a.js"></script>`:                                          0,
		`<script src="/a.js" integrity="x"></script><script src=/b.js></script>`: 0,
		`<script src="https://cdn.test/a.js"></script>`:                          -5,
		`<script src="http://cdn.test/a.js" integrity="x"></script>`:             -50,
		`<script>1</script>`: 0,
		``:                   0,
		`<script src="https://messages.riverside.test/a.js"></script>`: 0,
	} {
		_, lines := at(t, good, 200, page).observe(t.Context())
		for _, l := range lines {
			if l.Name == "Subresource integrity" && l.Points != points {
				t.Errorf("%s: %+v, want %d", page, l, points)
			}
		}
	}
}

// A page that does not answer has no points, and one over plain http loses those of the transport.
func TestNoPage(t *testing.T) {
	t.Parallel()
	if points, lines := at(t, good, 500, goodPage).observe(t.Context()); points != 0 || len(lines) != 1 || lines[0].Todo == "" {
		t.Errorf("%d: %+v", points, lines)
	}
	if points, _ := (Page{Public: "http://127.0.0.1:1", Path: "/"}).observe(t.Context()); points != 0 {
		t.Errorf("nobody is there, and that makes %d points", points)
	}
	plain := at(t, good, 200, goodPage)
	plain.Public = "http://messages.riverside.test"
	if points, _ := plain.observe(t.Context()); points != 60 {
		t.Errorf("plain http has %d points", points)
	}
	plain.Public = "http://localhost"
	if points, _ := plain.observe(t.Context()); points != 140 {
		t.Errorf("this machine has %d points", points)
	}
}

// The score is the mean of both, falls with each check, and what cannot be tried has failed.
func TestScoreIsTheMean(t *testing.T) {
	t.Parallel()
	yes := Check{Name: "yes", Try: func(context.Context) (string, error) { return "so it is", nil }}
	no := Check{Name: "no", Todo: "do it", Try: func(context.Context) (string, error) { return "", errors.New("it is not so") }}
	page := at(t, good, 200, goodPage)
	for want, checks := range map[int][]Check{100: {yes}, 75: {yes, no}, 50: {no}} {
		if s := Compute(t.Context(), page, checks); s.Percent() != want {
			t.Errorf("%d %%, want %d: %+v", s.Percent(), want, s)
		}
	}
	if (Score{Observatory: 100}).Percent() != 50 {
		t.Error("no checks count as passed")
	}
	l := Compute(t.Context(), page, []Check{no}).Checks[0]
	if l.OK || l.Found != "it is not so" || l.Todo != "do it" {
		t.Errorf("%+v", l)
	}
}
