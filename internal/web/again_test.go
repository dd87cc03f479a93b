package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// A plain form that could not be taken comes back whole: when the session had ended, and when the records are away.
func TestFormsCanBeSentAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Staff)
	id := uuid.NewString()
	v.goes(v.post("/briefs", briefFields(s, id, "next", "hand")...), "/drafts/"+id)
	version := versionOn(t, v.get("/drafts/"+id))
	s.world.Clock.Add(20 * time.Minute)
	words := "Dear Rosa,\r\n\r\ntyped <late> & \"kept\"."
	got := v.post("/drafts/"+id+"/edit", "version", version, "text", words)
	v.wants(got, http.StatusUnauthorized, `action="/drafts/`+id+`/edit"`, "typed &lt;late&gt; &amp; &#34;kept&#34;.", "Send it again", `target="_blank"`)
	if body := v.htmx("main").post("/drafts/"+id+"/edit", "version", version, "text", words).Body.String(); strings.Contains(body, "Send it again") {
		t.Error("htmx keeps the words in its own page")
	}
	if body := v.get("/drafts/" + id).Body.String(); strings.Contains(body, "Send it again") {
		t.Error("nothing was sent")
	}
	back := s.as(t, s.world.Staff)
	back.goes(back.post("/drafts/"+id+"/edit", "version", version, "text", words), "/drafts/"+id)

	away, err := clinic.Open(context.Background(), clinic.Config{DatabaseURL: "postgres://nobody@127.0.0.1:1/nothing?connect_timeout=1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	s.cfg.Clinic = away
	back.wants(back.post("/briefs", briefFields(s, id)...), http.StatusServiceUnavailable, `action="/briefs"`, "Book a blood test", "Send it again")
}

// A plain form that the filter stops comes back to be copied, with what was typed into every field of it, however it was typed;
// what only a program can have sent stays dead text. A form of another site's page comes back never.
func TestTypedWordsOutliveTheFilter(t *testing.T) {
	t.Parallel()
	s := behind(t, blocking)
	v := s.as(t, s.world.Doctor)
	attack := "1' OR '1'='1"
	id := uuid.NewString()
	fields := briefFields(s, id, "send_at", attack, "inquiry", "Asked <twice> about her knee.")
	got := v.post("/briefs", fields...)
	if !stopped(got) {
		t.Fatal(got.Code, got.Body)
	}
	v.wants(got, http.StatusForbidden, "copy what you still need", "Asked &lt;twice&gt; about her knee.", "1&#39; OR &#39;1&#39;=&#39;1", "Book a blood test")
	if body := got.Body.String(); strings.Contains(body, id) || strings.Contains(body, "Send it again") {
		t.Error("what nobody typed is shown, or what was stopped is offered to be sent again")
	}
	for name, got := range map[string]string{"htmx": v.htmx("main").post("/briefs", fields...).Body.String(), "a query": v.get("/deliveries?code=" + url.QueryEscape(attack)).Body.String(),
		"a patient": v.post("/m/"+plantedToken, "lang", "en", "month", attack, "day", "2", "year", "1950").Body.String()} {
		if strings.Contains(got, "copy what you still need") || !strings.Contains(got, "looks like an attack") {
			t.Errorf("%s reads %s", name, got)
		}
	}
	other := httptest.NewRequest(post, "/briefs", strings.NewReader(url.Values{"inquiry": {"planted by another site"}, "send_at": {attack}}.Encode()))
	other.Header.Set("Content-Type", urlEncoded)
	other.Header.Set("Sec-Fetch-Site", "cross-site")
	if got := v.do(other); got.Code != http.StatusForbidden || strings.Contains(got.Body.String(), "planted by") {
		t.Errorf("another site's form: %d %s", got.Code, got.Body)
	}
}

// When the message has moved on, what was typed is shown beside how it stands now.
func TestTypedWordsOutliveAMove(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff, doctor := s.as(t, s.world.Staff), s.as(t, s.world.Doctor)
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	version := versionOn(t, staff.get("/drafts/"+id))
	got := staff.post("/drafts/"+id+"/edit", "version", "1", "text", "Words of the slower one.")
	staff.wants(got, http.StatusConflict, "What you typed", "Words of the slower one.")
	staff.goes(staff.post("/reviews/"+id+"/recall", "version", version), "/drafts/"+id)
	panel := doctor.htmx("review-panel")
	got = panel.post("/reviews/"+id+"/return", "version", version, "note", "A note worth keeping.")
	panel.wants(got, http.StatusConflict, "What you typed", "A note worth keeping.")
	if strings.Contains(got.Body.String(), "data-live") {
		t.Error("the next live refresh would take the words away")
	}
	got = panel.post("/reviews/"+id+"/approve", "version", version, "text", "An edit worth keeping.")
	panel.wants(got, http.StatusConflict, "What you typed", "An edit worth keeping.")
}

// With scripts off, answering a finding saves the words in the editor first.
func TestFindingTakesTheWordsAlong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff := s.as(t, s.world.Staff)
	id := uuid.NewString()
	staff.goes(staff.post("/briefs", briefFields(s, id, "next", "hand")...), "/drafts/"+id)
	version := versionOn(t, staff.get("/drafts/"+id))
	staff.wants(staff.get("/drafts/"+id), 200, `form="edit-form" formaction="/drafts/`+id+`/findings"`)
	key := s.world.Show(t, s.world.Staff, uuid.MustParse(id)).Findings[0].Key
	staff.goes(staff.post("/drafts/"+id+"/findings", "key", key, "version", version, "text", clinictest.Letter), "/drafts/"+id)
	staff.wants(staff.get("/drafts/"+id), 200, "Please book a blood test")
	stale := staff.post("/drafts/"+id+"/findings", "key", key, "version", version, "text", "Dear Rosa, stale.")
	staff.wants(stale, http.StatusConflict, "Dear Rosa, stale.", "See the newer one in a new tab")
}

// Who is lost is led back: by a link to the worklist if somebody is signed in.
func TestLost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Doctor)
	v.wants(v.get("/nowhere"), 404, "Go to the worklist", "no page at this address")
	v.wants(v.get("/patients/"+uuid.NewString()), 404, "Go to the worklist")
	for name, got := range map[string]string{"nobody": s.visitor(t).get("/nowhere").Body.String(), "a patient": v.get("/m/x/y").Body.String()} {
		if strings.Contains(got, "worklist") || !strings.Contains(got, "no page at this address") {
			t.Errorf("%s reads %s", name, got)
		}
	}
}
