package web

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/limit"
)

// table is the table of headers once more, by hand: what every answer says, whatever it is.
const table = `Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types default; report-uri /csp-report
Strict-Transport-Security: max-age=63072000; includeSubDomains; preload
X-Content-Type-Options: nosniff
X-Frame-Options: DENY
Referrer-Policy: same-origin
Cross-Origin-Opener-Policy: same-origin
Cross-Origin-Embedder-Policy: require-corp
Cross-Origin-Resource-Policy: same-origin
X-Robots-Tag: noindex
Cache-Control: no-store`

// adder takes answers down under their names, when they are what the name says.
func adder(t *testing.T, names *[]string, answers map[string]http.Header) func(name string, status int, got *httptest.ResponseRecorder) {
	return func(name string, status int, got *httptest.ResponseRecorder) {
		t.Helper()
		if got.Code != status {
			t.Fatalf("%s: %d, want %d: %.200s", name, got.Code, status, got.Body)
		}
		*names, answers[name] = append(*names, name), got.Header()
	}
}

// classes are the kinds of answers there are, each with one that stands for it. A header that is not in the table, or is in
// it otherwise, shows in the golden file.
func classes(t *testing.T, s *site) (names []string, answers map[string]http.Header) {
	t.Helper()
	answers = map[string]http.Header{}
	add := adder(t, &names, answers)
	nobody, staff, admin := s.visitor(t), s.as(t, s.world.Staff), s.as(t, s.world.Admin)
	css, err := s.assets.address("app.css")
	if err != nil {
		t.Fatal(err)
	}
	hook := func(stamped string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "/webhooks/sendgrid", strings.NewReader("[]"))
		r.Header.Set("Stamp", stamped)
		return nobody.do(r)
	}
	add("a page of nobody", 200, nobody.get("/sign-in"))
	add("a page", 200, staff.get("/patients"))
	add("a partial", 200, staff.htmx("worklist").get("/worklist"))
	add("the deliveries", 200, staff.get("/deliveries"))
	add("rows of the deliveries", 200, staff.htmx("deliveries").get("/deliveries/rows"))
	add("a list that nobody chose from", 422, s.as(t, s.world.Doctor).post("/deliveries/preview", "show", "trouble"))
	add("the status", 200, admin.get("/status"))
	add("one's sign-ins", 200, staff.get("/sessions"))
	add("a redirect to sign in", 303, nobody.get("/patients"))
	add("a form that was taken", 303, staff.post("/patients/new", "name", "Ada Brook", "birth_date", "1980-02-03", "mrn", "777", "language", "en", "doctor_id", s.world.Doctor.ID.String()))
	add("a form that was not", 422, staff.post("/patients/new", "name", ""))
	add("signed out by htmx", 401, nobody.htmx("main").get("/worklist"))
	add("not for this role", 403, staff.get("/networks"))
	add("another site's form", 403, nobody.do(crossSite("/sign-out")))
	add("not there", 404, nobody.get("/nowhere"))
	add("not that way", 405, nobody.do(httptest.NewRequest(http.MethodPut, "/patients", nil)))
	add("a patient's page", 200, nobody.get("/m/"+strings.Repeat("a", 43)))
	add("a patient's page, refused", 401, nobody.post("/m/"+strings.Repeat("a", 43), "month", "1", "day", "2", "year", "1990"))
	add("a hashed file", 200, nobody.get(css))
	add("a plain file", 200, nobody.get("/static/fonts/inter-latin-wght-normal.woff2"))
	add("a webhook", 204, hook("ok"))
	add("a forged webhook", 403, hook("no"))
	add("a browser's report", 204, s.report(t, `{"csp-report":{}}`))
	add("a probe", 200, nobody.get("/readyz"))
	add("the queue board", 200, admin.get("/ops/queues"))
	add("a fault of ours", 500, admin.get("/ops/queues/panic"))
	add("signing out", 303, staff.post("/sign-out"))
	s.rules.address = limit.Rule{Name: "address", Most: 1, Within: time.Hour}
	nobody.address = "203.0.113.50:1"
	nobody.get("/sign-in")
	add("too much", 429, nobody.get("/sign-in"))
	s.keepOut(t, "203.0.113.50")
	add("a network kept out", 403, nobody.get("/sign-in"))
	s.Drain()
	add("away", 503, s.visitor(t).get("/readyz"))
	return names, answers
}

// signInClasses are the kinds of answers on the way through an OpenID provider.
func signInClasses(t *testing.T, names *[]string, answers map[string]http.Header) {
	t.Helper()
	p := newOIDCSite(t)
	b, add := p.browser(t), adder(t, names, answers)
	start := b.get("/sign-in/start?next=%2F")
	add("a sign-in that begins", 303, start)
	back, _ := b.atProvider(start, "tom-reyes")
	add("a sign-in that comes back", 303, b.get(back))
	add("an answer that comes back twice", 303, b.get(back))
	add("an answer to nobody's question", 401, p.browser(t).get(back))
	begun := p.browser(t)
	begun.get("/sign-in/start?next=%2F")
	add("an answer to another question", 401, begun.get(back))
}

// board stands for the queue board, which brings a policy of its own; the real one's is held in app.
var board = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/panic") {
		panic("a fault")
	}
	w.Header().Set("Content-Security-Policy", "the board's own")
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("the queues"))
})

// The table of headers, as a browser gets it with each kind of answer: all of the table in every one, and of what differs
// only the differences. UPDATE_GOLDEN=1 writes the file anew.
func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SendGrid, c.Queues = stamp{}, board })
	names, answers := classes(t, s)
	signInClasses(t, &names, answers)
	names, answers["a stream"] = append(names, "a stream"), streamHeaders(t)
	common := map[string]string{}
	for line := range strings.Lines(table) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		common[name] = value
	}
	common["Permissions-Policy"] = permissionsPolicy()
	var out strings.Builder
	out.WriteString("== every answer\n")
	for _, name := range slices.Sorted(maps.Keys(common)) {
		fmt.Fprintf(&out, "%s: %s\n", name, common[name])
	}
	for _, name := range names {
		out.WriteString("== " + name + "\n" + differences(t, name, answers[name], common))
	}
	golden := filepath.Join("testdata", "headers.golden")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || string(want) != out.String() {
		t.Fatalf("the headers changed (%v):\n%s", err, out.String())
	}
}

// cookieValue is where a cookie's name and value stand.
var cookieValue = regexp.MustCompile(`(__Host-[a-z-]+)=[^;]*;`)

// differences are the headers of an answer that are not as in the table, and those of the table that it lacks.
func differences(t *testing.T, name string, h http.Header, common map[string]string) string {
	t.Helper()
	if h.Get("X-Request-Id") == "" {
		t.Errorf("%s: no X-Request-Id", name)
	}
	lines := []string{}
	for n, values := range h {
		value := strings.Join(values, " | ")
		switch {
		case slices.Contains([]string{"X-Request-Id", "Etag", "Date", "Content-Length"}, n) || common[n] == value:
			continue
		case n == "Set-Cookie": // the values are secrets
			value = cookieValue.ReplaceAllString(value, "$1=…;")
		case n == "Location" && strings.Contains(value, "/oidc/authorize?"):
			value = "the provider"
		case n == "Location" && strings.HasPrefix(value, "/patients/"):
			value = "/patients/…"
		case n == "Retry-After" || n == "Ratelimit" || n == "Server-Timing":
			value = "…"
		}
		lines = append(lines, n+": "+value)
	}
	for n := range common {
		if h.Get(n) == "" {
			lines = append(lines, n+" is missing")
		}
	}
	slices.Sort(lines)
	return strings.Join(append(lines, ""), "\n")
}

// streamHeaders are those of an open event stream.
func streamHeaders(t *testing.T) http.Header {
	t.Helper()
	s, address := served(t, defaultPatience)
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/events?names=worklist-"+s.world.ClinicID.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range s.as(t, s.world.Staff).cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil || got.StatusCode != 200 {
		t.Fatal(got, err)
	}
	t.Cleanup(func() { _ = got.Body.Close() })
	return got.Header
}
