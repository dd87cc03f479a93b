package web

import (
	_ "embed"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/waf"
)

// Each filter is compiled once for all tests.
var (
	blocking  = sync.OnceValues(func() (*waf.Filter, error) { return waf.New(true) })
	detecting = sync.OnceValues(func() (*waf.Filter, error) { return waf.New(false) })
)

// behind is a site with a filter before it, and with no limits of rate in the way.
func behind(t testing.TB, filter func() (*waf.Filter, error)) *site {
	t.Helper()
	return newSite(t, func(c *Config) {
		var err error
		if filter != nil {
			if c.Filter, err = filter(); err != nil {
				t.Fatal(err)
			}
		}
		c.SendGrid, c.Twilio, c.Inbound, c.MetricsToken = stamp{}, stamp{}, stamp{}, "a-token-of-the-test"
		c.Queues, c.QueuesReadOnly = sign("the board"), sign("look only")
		c.Rates = Rates{Address: 1_000_000, Person: 1_000_000, SignIn: 1_000_000, Unverified: 1_000_000}
	})
}

// found are the filter's lines in a site's log.
func (s *site) found(t testing.TB) (lines []filterLine) {
	t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var one filterLine
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatal(err)
		}
		if one.Msg == "the filter found an attack" {
			lines = append(lines, one)
		}
	}
	return lines
}

type filterLine struct {
	Msg, Route string
	Rules      []int
	Refused    bool
}

// stopped says whether an answer is the filter's refusal.
func stopped(got *httptest.ResponseRecorder) bool {
	return got.Code == http.StatusForbidden && strings.Contains(got.Body.String(), "looks like an attack")
}

//go:embed testdata/clinical.txt
var clinical string

// paragraphs are ordinary ones, of made-up people, in all of which something could be taken for code.
func paragraphs(t testing.TB) []string {
	t.Helper()
	all := strings.Split(strings.TrimSpace(clinical), "\n\n")
	if len(all) < 60 {
		t.Fatalf("%d paragraphs, want 60 or more", len(all))
	}
	return all
}

// What people write is left out, whatever form it stands in, and what is looked at of what is typed is in this list. A field
// that is new is left out until it is declared and written here.
func TestWhatTheFilterSees(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for path, form := range forms() {
		for name, f := range form {
			switch f.kind {
			case fieldArea:
				if !f.leftOut() || f.coded {
					t.Errorf("%s of %s is text, and the filter sees it", name, path)
				}
			case fieldLine:
				if !f.leftOut() {
					seen[name] = true
				}
			case fieldChoice, fieldNumber, fieldID:
				if f.leftOut() {
					t.Errorf("%s of %s is not typed, and is left out", name, path)
				}
			}
		}
	}
	want := strings.Fields(`CLS INP LCP TTFB address day doctor_drafts doctor_stop_day doctor_warn_day doctor_warn_month emergency_line from max_words month page_days phone
		retention_seen retention_years reviewer_drafts reviewer_stop_day reviewer_warn_day reviewer_warn_month send_at staff_drafts staff_stop_day staff_warn_day staff_warn_month time_zone to undo_seconds what year zone`)
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) {
		t.Errorf("of what is typed the filter sees %v, want %v", got, want)
	}
}

// Each paragraph, in each field that people write in, of each form there is, passes a filter that blocks.
func TestClinicalTextPasses(t *testing.T) {
	t.Parallel()
	s := behind(t, blocking)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	all, v, tried := paragraphs(t), s.as(t, s.world.Doctor), 0
	for path, form := range s.forms {
		names := slices.Sorted(maps.Keys(form))
		names = slices.DeleteFunc(names, func(name string) bool { return !form[name].leftOut() })
		if len(names) == 0 {
			continue
		}
		for i := range all {
			fields := []string{"version", "1"}
			if _, ok := form["version"]; !ok {
				fields = nil
			}
			for j, name := range names {
				fields = append(fields, name, all[(i+j)%len(all)]) // so that each comes to stand in each
				tried++
			}
			if got := v.post(addressed(path, id), fields...); stopped(got) {
				t.Errorf("%s, from paragraph %d on: stopped", path, i)
			}
		}
	}
	if lines := s.found(t); len(lines) > 0 || tried < 40*len(all) {
		t.Errorf("of %d texts these were found: %v", tried, lines)
	}
}

// What is written through the filter is what is read afterwards.
func TestTextGoesThroughWhole(t *testing.T) {
	t.Parallel()
	s := behind(t, blocking)
	reason := strings.Join(paragraphs(t)[:6], "\r\n")
	v := s.as(t, s.world.Doctor2)
	got := v.post("/glass/break", "mrn", "no such number", "reason", reason)
	if got.Code == http.StatusForbidden || !strings.Contains(strings.ReplaceAll(got.Body.String(), "&#34;", `"`), "5.9") {
		t.Errorf("%d: the reason is not on the page again:\n%s", got.Code, got.Body)
	}
}

// The corpus is one that a filter without exceptions stumbles over: else the test above would show nothing.
func TestClinicalTextWouldBeStopped(t *testing.T) {
	t.Parallel()
	filter, err := blocking()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, text := range paragraphs(t) {
		v, err := filter.Look(waf.Request{Method: post, URI: "/", Proto: "HTTP/1.1", Host: "localhost", Form: url.Values{"text": {text}},
			Header: map[string][]string{"Content-Type": {urlEncoded}}})
		if err != nil {
			t.Fatal(err)
		}
		if v.Refused {
			n++
		}
	}
	t.Logf("%d of %d paragraphs look like an attack to the rules", n, len(paragraphs(t)))
	if n < 10 {
		t.Errorf("only %d paragraphs look like an attack to the rules", n)
	}
}

// Every page there is, every machine's route and every answer of an OpenID provider passes: a filter that nobody attacks is
// not noticed.
func TestOrdinaryRequestsPass(t *testing.T) {
	t.Parallel()
	s := behind(t, blocking)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	people := []*visitor{s.as(t, s.world.Doctor), s.as(t, s.world.Admin), s.visitor(t)}
	for _, v := range people {
		v.header.Set("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36")
		v.header.Set("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
		v.header.Set("Accept-Language", "en-US,en;q=0.9,es;q=0.8")
		v.header.Set("Referer", "http://localhost:8080/messages/"+id)
		for _, r := range s.routes() {
			if r.path == pathEvents {
				continue
			}
			path := strings.NewReplacer(":id", id, ":delivery", uuid.NewString(), ":token", strings.Repeat("a-_9", 10)+"abc", ":channel", "sms", "/*", "/app.js").Replace(r.path)
			if got := v.do(httptest.NewRequest(r.method, path, nil)); stopped(got) {
				t.Errorf("%s %s: stopped", r.method, r.path)
			}
		}
	}
	stranger := s.visitor(t)
	for _, path := range []string{"/signed-in?code=4%2F0AX4XfWh-Zb_9&state=Zm9vYmFy.c2VsZWN0&scope=email+openid+https%3A%2F%2Fwww.accounts.example%2Fauth%2Fprofile&iss=https%3A%2F%2Faccounts.example",
		"/sign-in?next=%2Fmessages%2F" + id + "%3Fseen%3D1", "/deliveries?show=trouble&channel=sms&code=30003&age=day"} {
		if got := stranger.get(path); stopped(got) {
			t.Errorf("%s: stopped", path)
		}
	}
	if lines := s.found(t); len(lines) > 0 {
		t.Error(lines)
	}
}
