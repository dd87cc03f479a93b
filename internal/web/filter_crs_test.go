package web

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// answered is the answer to bytes on a connection of their own.
func answered(t *testing.T, address, bytes string) (status int, body string) {
	t.Helper()
	conn := dial(t, address, bytes)
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%.300q: %v", bytes, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%.300q: %v", bytes, err)
	}
	return resp.StatusCode, string(text)
}

// unlimited is a filter that blocks, and no limit of rate before it.
func unlimited(c *Config) {
	var err error
	if c.Filter, err = blocking(); err != nil {
		panic(err) // it compiles, or TestBlockAndDetect says why not
	}
	c.Rates = Rates{Address: 1_000_000, Person: 1_000_000, SignIn: 1_000_000, Unverified: 1_000_000}
}

// isStopped says whether an answer off a socket is the filter's refusal.
func isStopped(status int, body string) bool {
	return status == http.StatusForbidden && strings.Contains(body, "looks like an attack")
}

// notLookedAt are the samples that the filter lets pass on purpose, and why.
var notLookedAt = map[string]string{
	"941120-12.1": "the attack stands in Authorization, whose secret is compared or verified, and never shown",
}

// stoppedAtTheDoor are rules of the class 920 that stop some samples before the rule of their class is asked.
var stoppedAtTheDoor = map[int]string{920170: "a GET with a body", 920420: "a content type that no form has", 920480: "a charset that no form has"}

// Every request in the core rule set's own regression tests in which a rule of paranoia level 1 has to find SQL injection,
// cross-site scripting, traversal or commands is stopped on a real socket, by that rule.
func TestCoreRuleSetsOwnSamples(t *testing.T) {
	t.Parallel()
	s, address := served(t, defaultPatience, unlimited)
	var stops []crsSample
	count := map[int]int{}
	for _, sample := range crsSamples(t) {
		count[sample.class]++
		status, body := answered(t, address, sample.bytes())
		switch reason := notLookedAt[sample.name]; {
		case sample.kind() == "application/json": // as fields below
			if isStopped(status, body) {
				t.Errorf("%s: JSON was looked at; say so in the list", sample.name)
			}
			sample.Input.Data = fieldsOfJSON(t, sample.Input.Data)
			sample.Input.Headers = map[string]string{"Host": "localhost"}
			if status, body = answered(t, address, sample.bytes()); !isStopped(status, body) {
				t.Errorf("%s as a form: not stopped (%d)", sample.name, status)
				continue
			}
			stops = append(stops, sample)
		case reason != "" && isStopped(status, body):
			t.Errorf("%s is stopped, and is excused: %s", sample.name, reason)
		case reason == "" && !isStopped(status, body):
			t.Errorf("%s: not stopped (%d): %.300q", sample.name, status, sample.bytes())
		case reason == "":
			stops = append(stops, sample)
		}
	}
	atTheDoor := foundByTheirRules(t, s.found(t), stops)
	for class, least := range map[int]int{930: 50, 932: 350, 941: 150, 942: 290} {
		if count[class] < least {
			t.Errorf("%s: %d samples, want %d or more", crsClasses[class], count[class], least)
		}
		t.Logf("%d %s: %d samples", class, crsClasses[class], count[class])
	}
	t.Logf("%d stopped, %d of them at the door; %d let pass on purpose", len(stops), atTheDoor, len(notLookedAt))
}

// foundByTheirRules holds what the filter told of against what should have been found, and counts what was stopped before.
func foundByTheirRules(t *testing.T, lines []filterLine, stops []crsSample) (atTheDoor int) {
	t.Helper()
	if len(lines) != len(stops) {
		t.Fatalf("%d were stopped, and %d told of", len(stops), len(lines))
	}
	for i, sample := range stops {
		for _, rule := range sample.rules {
			if slices.Contains(lines[i].Rules, rule) {
				continue
			}
			if len(lines[i].Rules) == 0 || stoppedAtTheDoor[lines[i].Rules[0]] == "" {
				t.Errorf("%s: found by %v, want %d", sample.name, lines[i].Rules, rule)
			}
			atTheDoor++
		}
	}
	return atTheDoor
}

// fieldsOfJSON is a flat object as the form with the same names and values.
func fieldsOfJSON(t *testing.T, text string) string {
	t.Helper()
	var object map[string]string
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	form := url.Values{}
	for name, value := range object {
		form.Set(name, value)
	}
	return form.Encode()
}

// A body that is JSON is not looked at because nobody reads it: each form of ours refuses it.
func TestNoFormTakesJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t, unlimited)
	v := s.as(t, s.world.Doctor)
	for _, sample := range crsSamples(t) {
		if sample.kind() != "application/json" {
			continue
		}
		r := httptest.NewRequest(post, crsForm, strings.NewReader(sample.Input.Data))
		r.Header.Set("Content-Type", "application/json")
		if got := v.do(r); got.Code != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d", sample.name, got.Code)
		}
	}
}

// saysNothing are the samples whose query and form hold no attack: it stands in a header, or in the path.
var saysNothing = []string{"930130-6.1", "941120-10.1", "941120-13.1"}

// What those samples say in queries and forms is stopped in the fields of a form of ours that the filter looks at, too.
func TestCoreRuleSetsOwnSamplesInOurFields(t *testing.T) {
	t.Parallel()
	s := newSite(t, unlimited)
	v, tried := s.visitor(t), 0
	names := []string{"code", "channel", "show", "age", "all"}
	for _, sample := range crsSamples(t) {
		said := sample.said()
		if len(said) == 0 {
			continue
		}
		var fields []string
		for i, text := range said {
			fields = append(fields, names[min(i, len(names)-1)], text)
		}
		tried++
		if got, want := stopped(v.post(crsForm, fields...)), !slices.Contains(saysNothing, sample.name); got != want {
			t.Errorf("%s: stopped %v, want %v: %q", sample.name, got, want, fields)
		}
	}
	if tried < 650 {
		t.Errorf("only %d samples were tried", tried)
	}
	t.Logf("%d samples in %v of %s", tried, names, crsForm)
}
