package web

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/limit"
)

// offTheTrail are addresses with a deed whose asking is none by itself, and why.
var offTheTrail = map[string]string{
	"GET " + pathEvents:        "a stream of names, for a page whose view is on the trail; what it may not show is refused there",
	"POST " + pathReport:       "a browser's report, kept in a list of its own, of nobody in particular",
	"POST /briefs/flags":       "a form that is being typed, which GET /briefs/new put on the trail; nothing is read of the patient",
	"POST " + pathPreview:      "a form that is being typed, which GET /settings put on the trail; the sample is nobody's",
	"GET /patients/new":        "an empty form",
	"GET /glass":               "an empty form",
	"GET /drafts/:id/progress": "percentages for a page whose view is on the trail",
}

// Everything that the router answers to is done once, by somebody who may, and the trail has it: the route's deed, done, by
// the request that did it. A new address without its way of being done fails here, as does one that leaves no event.
func TestEveryRouteIsOnTheTrail(t *testing.T) {
	t.Parallel()
	about := new(uuid.UUID)
	s := newSite(t, func(c *Config) {
		c.SendGrid, c.Twilio, c.Inbound = reporter{about: about}, stamp{}, stamp{}
		c.Queues, c.QueuesReadOnly = sign("the board"), sign("look only")
	})
	excused, ways := 0, trail{t, s, about}.ways()
	for _, r := range s.routes() {
		name := r.method + " " + r.path
		if r.deed == "" {
			continue
		}
		if offTheTrail[name] != "" {
			excused++
			continue
		}
		way := ways[name]
		if way == nil && r.method == http.MethodGet && r.door == doorStaff {
			way = trail{t, s, about}.look(r)
		}
		if way == nil {
			t.Errorf("%s: nobody says how it is done", name)
			continue
		}
		s.cfg.Limits = limit.New(nil, nil)
		got := way()
		if got.Code >= 400 {
			t.Errorf("%s is not done: %d\n%s", name, got.Code, got.Body)
			continue
		}
		left := s.world.Strings(t, "SELECT deed || ' ' || outcome FROM audit_events WHERE request_id = $1", got.Header().Get("X-Request-Id"))
		if !slices.Contains(left, string(r.deed)+" done") {
			t.Errorf("%s (%s) left %q on the trail", name, r.deed, left)
		}
	}
	if excused != len(offTheTrail) {
		t.Errorf("%d of the excuses are of addresses that are not there", len(offTheTrail)-excused)
	}
}

// trail makes what the deeds are done to.
type trail struct {
	t *testing.T
	*site
	about *uuid.UUID // the delivery that the next report by e-mail is about
}

// reporter is a provider whose reports are about one delivery.
type reporter struct {
	stamp
	about *uuid.UUID
}

func (p reporter) Receipts(r *http.Request, raw []byte, _ uuid.UUID) ([]clinic.Receipt, error) {
	return p.stamp.Receipts(r, raw, *p.about)
}

type way func() *httptest.ResponseRecorder

// look is the way of a page: by the first of the people who may, on something of theirs.
func (s trail) look(r route) way {
	w := s.world
	for _, who := range []clinic.Actor{w.Doctor, w.Admin, w.Auditor, w.Ops} {
		if !who.Can(r.deed) {
			continue
		}
		id := map[subject]func() uuid.UUID{patients: func() uuid.UUID { return w.Patient }, teams: func() uuid.UUID { return w.Patient },
			messages: func() uuid.UUID { return w.Submitted(s.t, w.Patient, "email") }}[subjects[strings.Split(r.path, "/")[1]]]
		if id == nil && strings.Contains(r.path, ":id") {
			return nil
		}
		return func() *httptest.ResponseRecorder {
			path := strings.Replace(r.path, "/*", "/x", 1)
			if before, after, ok := strings.Cut(path, ":id"); ok {
				path = before + id().String() + after
			}
			return s.as(s.t, who).get(path)
		}
	}
	return nil
}

// press is the way of a form: who sends it, where, and the fields, made when it is sent.
func (s trail) press(who clinic.Actor, path string, fields ...string) way {
	return func() *httptest.ResponseRecorder { return s.as(s.t, who).post(path, fields...) }
}

// on is a form on a message that is made for it; VERSION is its version by then.
func (s trail) on(who clinic.Actor, path string, made func() string, fields ...string) way {
	return func() *httptest.ResponseRecorder {
		id := made()
		filled := slices.Clone(fields)
		for i := range filled {
			if filled[i] == "VERSION" {
				filled[i] = s.version(id)
			}
		}
		return s.as(s.t, who).post(strings.Replace(path, ":id", id, 1), filled...)
	}
}

func (s trail) draft() string {
	id := uuid.NewString()
	s.as(s.t, s.world.Staff).post("/briefs", briefFields(s.site, id, "next", "hand")...)
	return id
}

func (s trail) written() string {
	id := s.draft()
	_, err := s.world.Clinic.DraftEdit(ctx(), s.world.Staff, uuid.MustParse(id), s.world.Show(s.t, s.world.Staff, uuid.MustParse(id)).Message.Version, clinictest.Letter)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s trail) submitted() string { return s.world.Submitted(s.t, s.world.Patient, "email").String() }
func (s trail) answered() string {
	id := s.submitted()
	s.world.Answer(s.t, s.world.Doctor, uuid.MustParse(id))
	return id
}
func (s trail) signed() string { return s.world.Approved(s.t, s.world.Patient, "email").String() }

// finding is the key of a question that a message still asks.
func (s trail) finding(id string) string {
	for _, f := range s.world.Show(s.t, s.world.Doctor, uuid.MustParse(id)).Findings {
		if f.Level == "ask" && !f.Answered {
			return f.Key
		}
	}
	s.t.Fatal("nothing is asked")
	return ""
}
