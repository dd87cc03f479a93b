package road

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/web"
)

// shown are the things that pages of the router are about: every patient and every message that there is.
type shown struct {
	patients, messages []string
	events, weeks      []string // of the audit trail, and access reviews
	links              []string // patients' pages, without /m/
}

// hurried lets one person look at everything as fast as a browser can: the limits have tests of their own.
func hurried(env map[string]string) { env["LIMIT_ADDRESS"], env["LIMIT_PERSON"] = "1000000", "1000000" }

// scene makes a message in each state that has a page of its own, beside those of the demo clinic.
func (h *house) scene() shown {
	h.t.Helper()
	ctx, c, staff, doctor := context.Background(), h.app.Clinic(), h.actor("tom-reyes"), h.actor("amara-osei")
	patient := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	s := shown{patients: []string{patient.String()}, weeks: []string{h.week()}, links: []string{strings.Repeat("x", 43)}}
	add := func(id uuid.UUID) uuid.UUID { s.messages = append(s.messages, id.String()); return id }
	version := func(id uuid.UUID) int {
		v, err := c.DraftShow(ctx, staff, id)
		must(h.t, err)
		return v.Message.Version
	}
	empty, err := c.BriefCreate(ctx, staff, h.brief(patient, "sms"))
	must(h.t, err)
	add(empty)
	byHand, err := c.BriefCreate(ctx, staff, h.brief(patient, "sms"))
	must(h.t, err)
	must(h.t, c.DraftByHand(ctx, staff, add(byHand)))
	_, err = c.DraftEdit(ctx, staff, byHand, version(byHand), "Dear Ada Winter,\n\nAs an AI, I say: take XXX 900 mg.")
	must(h.t, err)
	add(h.submitted(patient, "Ada Winter", "email"))
	returned := add(h.submitted(patient, "Ada Winter", "email"))
	must(h.t, c.ReviewReturn(ctx, doctor, returned, version(returned), "Say the date first."))
	withdrawn := add(h.submitted(patient, "Ada Winter", "email"))
	must(h.t, c.ReviewApprove(ctx, doctor, withdrawn, version(withdrawn), nil))
	must(h.t, c.MessageWithdraw(ctx, doctor, withdrawn, version(withdrawn)))
	unknown := add(h.submitted(patient, "Ada Winter", "sms"))
	must(h.t, c.ReviewApprove(ctx, doctor, unknown, version(unknown), nil))
	s.events = h.events()
	h.waitFor("the notice went out", 30*time.Second, func() bool { return h.state(unknown) != "queued" && h.state(unknown) != "sending" })
	h.unread("priya-nair")
	return s
}

// pagesOf is every page of the router that this person may see, with everything that it can be about.
func (s shown) pagesOf(who clinic.Actor) (all []string) {
	for _, r := range web.Routes() {
		if !r.IsPage() || r.SignedIn != who.SignedIn() || r.Deed != "" && who.SignedIn() && !who.Can(r.Deed) {
			continue
		}
		things := s.messages
		switch {
		case strings.Contains(r.Path, ":token"):
			things = s.links
		case strings.HasPrefix(r.Path, "/patients/:id"):
			things = s.patients
		case strings.HasPrefix(r.Path, "/audit/:id"):
			things = s.events
		case strings.HasPrefix(r.Path, "/access/:id"):
			things = s.weeks
		case !strings.Contains(r.Path, ":id"):
			things = []string{""}
		}
		for _, id := range things {
			path := strings.NewReplacer(":id", id, ":token", id).Replace(r.Path)
			all = append(all, path+askedWith(r.Path, s))
		}
		switch r.Path {
		case "/reviews/:id":
			for _, id := range things {
				all = append(all, "/reviews/"+id+"?edit=1", "/reviews/"+id+"?return=1")
			}
		case "/deliveries", "/deliveries/rows":
			for _, show := range clinic.DeliveryShows {
				all = append(all, r.Path+"?show="+show)
			}
		}
	}
	return all
}

// askedWith is the query without which a page has nothing to show.
func askedWith(path string, s shown) string {
	switch path {
	case "/briefs/new":
		return "?patient=" + s.patients[0]
	case "/drafts/:id/diff":
		return "?from=1&to=1"
	}
	return ""
}

// statuses records with what each page itself was answered.
func (b *browser) statuses() map[string]int64 {
	answered := map[string]int64{}
	chromedp.ListenTarget(b.ctx, func(event any) {
		if e, ok := event.(*network.EventResponseReceived); ok && e.Type == network.ResourceTypeDocument {
			b.mu.Lock()
			answered[e.Response.URL] = e.Response.Status
			b.mu.Unlock()
		}
	})
	b.do(network.Enable())
	return answered
}

// Every page of the router, as everybody who may see it: nothing on the console, no report of a broken policy, and none
// that the browser would only have told its own script.
func TestEveryPageIsSilent(t *testing.T) {
	t.Parallel()
	h := open(t, hurried)
	s := h.scene()
	visited := map[string]bool{}
	for subject := range roles {
		who := h.actor(subject)
		b := newBrowser(t, true)
		answered := b.statuses()
		b.signIn(h, subject)
		b.mu.Lock()
		b.console = nil // what the sign-in pages of the outside said is not ours
		b.mu.Unlock()
		for _, path := range s.pagesOf(who) {
			b.visitQuietly(h, path, answered)
			visited[path] = true
		}
	}
	b := newBrowser(t, true)
	answered := b.statuses()
	for _, path := range s.pagesOf(clinic.Nobody("", "", "")) {
		b.visitQuietly(h, path, answered)
		visited[path] = true
	}
	for _, r := range web.Routes() {
		if r.IsPage() && !slices.ContainsFunc(keys(visited), func(path string) bool { return like(r.Path, path) }) {
			t.Errorf("nobody visited %s", r.Path)
		}
	}
	var reports int
	h.one(&reports, "SELECT count(*) FROM csp_reports")
	if reports != 0 {
		var which string
		h.one(&which, "SELECT string_agg(directive || ' on ' || route, ', ') FROM csp_reports")
		t.Errorf("browsers reported %s", which)
	}
}

// roles has a person for each role, and a second doctor who is on nobody's team here.
var roles = map[string]clinic.Role{"tom-reyes": clinic.Staff, "helen-marsh": clinic.Reviewer, "amara-osei": clinic.Doctor,
	"victor-sandoval": clinic.Auditor, "ruth-ebbing": clinic.Admin, "kenji-watts": clinic.Ops}

func keys(of map[string]bool) (all []string) {
	for k := range of {
		all = append(all, k)
	}
	return all
}

// like is true for a path that a pattern of the router takes.
func like(pattern, path string) bool {
	path, _, _ = strings.Cut(path, "?")
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if !strings.HasPrefix(want[i], ":") && want[i] != got[i] {
			return false
		}
	}
	return true
}

// visitQuietly opens a page, lets what moves on it come to rest, and fails for what the page itself did. A page that is an
// answer of 4xx is told of on the console by the browser: that one line, about the page's own address, is not a fault.
func (b *browser) visitQuietly(h *house, path string, answered map[string]int64) {
	b.t.Helper()
	b.do(chromedp.Navigate(h.web+path), chromedp.WaitReady("body", chromedp.ByQuery))
	awaited := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	rest := `new Promise(done => { const until = () => document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling') ? setTimeout(until, 20) : done(true); setTimeout(until, 30) })`
	b.do(chromedp.Evaluate(rest, nil, awaited))
	b.mu.Lock()
	defer b.mu.Unlock()
	if status := answered[h.web+path]; status >= 500 {
		b.t.Errorf("%s: %d", path, status)
	}
	for _, line := range b.console {
		own := strings.Contains(line, "Failed to load resource") && strings.HasSuffix(line, " "+h.web+path)
		if !own || answered[h.web+path] >= 500 {
			b.t.Errorf("%s: %s", path, line)
		}
	}
	b.console = nil
}
