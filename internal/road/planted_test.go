package road

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/web"
)

// What is planted. Who somebody is never leaves; what is written about them goes to nobody but the model, and there
// without saying about whom.
const (
	plantedName  = "Ottoline Quillfeather"
	plantedWord  = "zorblattine" // a drug that is nowhere else
	plantedMail  = "quillfeather@mail.example"
	plantedPhone = "+14155550193"
	plantedMRN   = "RC-991-QUILL"
	plantedBirth = "1931-03-29"
)

var (
	who  = []string{"quillfeather", "ottoline", plantedPhone, "4155550193", "555-0193", strings.ToLower(plantedMRN), plantedBirth}
	what = []string{plantedWord}
)

// driven is set in the process that drives everything; the other one reads what it printed.
const driven = "COUNTERSIGN_PLANTED"

// Marked patient text is planted in every field, a patient's page is sent and read, every route is called by everybody
// with every field filled, and everything fails once. None of it is in any place outside: not in what the processes
// print, not in a byte that goes to Redis, Postgres or Sentry, not in a figure, an address, a title or a file name; the
// model learns nothing of who it is, and the providers learn the address and the notice.
func TestPlantedTextStaysInside(t *testing.T) {
	if path := os.Getenv(driven); path != "" {
		drivePlanted(t, path)
		return
	}
	t.Parallel()
	secrets := t.TempDir() + "/secrets"
	cmd := exec.Command(os.Args[0], "-test.run=^TestPlantedTextStaysInside$", "-test.count=1", "-test.timeout=9m")
	cmd.Env = append(os.Environ(), driven+"="+secrets)
	printed, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	tokens, err := os.ReadFile(secrets)
	must(t, err)
	if lines := bytes.Count(printed, []byte("\n")); lines < 200 || len(tokens) == 0 {
		t.Fatalf("%d lines were printed; is anything logged?", lines)
	}
	l := &leaks{t: t, secrets: strings.Fields(string(tokens))}
	l.look("what the processes printed", printed, who, what, l.secrets)
	if !bytes.Contains(printed, []byte("the filter found an attack")) {
		t.Error("the filter found nothing: it was not tried")
	}
	t.Log(l.seen)
}

// leaks looks for what was planted.
type leaks struct {
	t       testing.TB
	secrets []string
	seen    []string
}

func (l *leaks) look(place string, text []byte, marks ...[]string) {
	l.t.Helper()
	if len(text) == 0 {
		l.t.Errorf("%s: nothing is there to be looked through", place)
	}
	l.seen = append(l.seen, fmt.Sprintf("%s: %d bytes", place, len(text)))
	lower := bytes.ToLower(text)
	for _, mark := range slices.Concat(marks...) {
		if i := bytes.Index(lower, bytes.ToLower([]byte(mark))); i >= 0 {
			l.t.Errorf("%s holds %q: …%q…", place, mark, text[max(i-80, 0):min(i+80, len(text))])
		}
	}
}

// drivePlanted is the whole of it in a process of its own, so that nothing else is printed there.
func drivePlanted(t *testing.T, secrets string) {
	sinks := newSinks(t)
	h := open(t, hurried, sinks.between, func(env map[string]string) { env["LOG_LEVEL"], env["WAF"] = "debug", "detect" })
	s, token := h.plant(sinks)
	must(t, os.WriteFile(secrets, []byte(token), 0o600))
	p := &planter{h: h, scene: s}
	h.failProviders(s)
	for _, subject := range slices.Sorted(maps.Keys(roles)) {
		p.everyRoute(subject, h.as(subject))
	}
	p.everyRoute("nobody", h.client())
	p.provokeFilter(h.as("amara-osei"))
	h.failServers(sinks, p)
	l := &leaks{t: t, secrets: []string{token}}
	figures := h.figures()
	h.stopWork()
	h.stopWeb()
	must(t, h.app.Close()) // what Sentry is told goes out
	l.look("what went to Redis", sinks.redis.bytes(), who, what, l.secrets)
	l.look("what went to Postgres", sinks.postgres.bytes(), who, what, l.secrets)
	l.look("what went to Sentry", sinks.outside("/api/"), who, what, l.secrets)
	l.look("what went to the model", sinks.outside("/chat/"), who, l.secrets)
	l.look("figures", figures, who, what, l.secrets)
	l.look("addresses, titles and names of files", []byte(strings.Join(p.shown, "\n")), who, what)
	notices := regexp.MustCompile(`(?i)`+regexp.QuoteMeta(plantedMail)+`|(\+|%2B)`+plantedPhone[1:]).ReplaceAll(slices.Concat(sinks.outside("/v3/mail/"), sinks.outside("/Messages")), nil)
	l.look("what went to the providers, beyond the address", notices, who, what)
	if !bytes.Contains(sinks.outside("/chat/"), []byte(plantedWord)) {
		t.Error("the model was not asked about the planted brief: nothing was tried there")
	}
	for _, line := range l.seen {
		fmt.Fprintln(os.Stderr, line)
	}
}

// plant makes a patient of marked text, messages in all their states, and a page that was sent; it returns its secret.
func (h *house) plant(sinks *sinks) (shown, string) {
	h.t.Helper()
	ctx, c, staff, doctor := context.Background(), h.app.Clinic(), h.actor("tom-reyes"), h.actor("amara-osei")
	words := "about " + plantedWord + " for " + plantedName
	patient, err := c.PatientCreate(ctx, staff, clinic.PatientForm{Name: plantedName, BirthDate: plantedBirth, MRN: plantedMRN, Language: "en", Summary: words,
		History: words, Medications: words, Allergies: words, Notes: words, Email: plantedMail, Phone: plantedPhone, DoctorID: doctor.ID})
	must(h.t, err)
	s := shown{patients: []string{patient.String()}}
	letter := "Dear " + plantedName + ",\n\nThank you for asking. Please take " + plantedWord + " as before.\n\nPlease call the clinic if you have questions."
	brief := func(channel string) clinic.BriefForm {
		return clinic.BriefForm{PatientID: patient, DoctorID: doctor.ID, Inquiry: words, Points: []string{"Take " + plantedWord + " as before"},
			Priority: "normal", Kind: "clinical", Channel: channel}
	}
	add := func(channel string) uuid.UUID {
		id, err := c.BriefCreate(ctx, staff, brief(channel))
		must(h.t, err)
		s.messages = append(s.messages, id.String())
		return id
	}
	drafted := add("email")
	must(h.t, c.DraftRequest(ctx, staff, drafted, "say "+plantedWord))
	h.waitFor("the model was asked", 30*time.Second, func() bool { return len(sinks.outside("/chat/")) > 0 })
	var signed []uuid.UUID
	for _, channel := range []string{"email", "sms", "email", "email"} {
		id := add(channel)
		must(h.t, c.DraftByHand(ctx, staff, id))
		v, err := c.DraftShow(ctx, staff, id)
		must(h.t, err)
		v, err = c.DraftEdit(ctx, staff, id, v.Message.Version, letter)
		must(h.t, err)
		must(h.t, c.ReviewSubmit(ctx, staff, id, v.Message.Version))
		signed = append(signed, id)
	}
	v, err := c.ReviewShow(ctx, doctor, signed[3])
	must(h.t, err)
	must(h.t, c.ReviewReturn(ctx, doctor, signed[3], v.Message.Version, "say more "+words))
	for _, id := range signed[:2] { // the third waits for its signature
		h.signs(id)
		h.waitFor("the notice is taken", 30*time.Second, func() bool { return h.state(id) != "queued" && h.state(id) != "sending" })
	}
	_, token, _ := strings.Cut(h.notice(signed[0]), "/m/")
	s.links = []string{token}
	reader := h.client()
	for _, year := range []string{"1932", "1931"} {
		reader.post("/m/"+token, url.Values{"day": {"29"}, "month": {"3"}, "year": {year}})
	}
	if _, body := reader.get("/m/" + token + "/read"); !strings.Contains(body, plantedWord) {
		h.t.Fatalf("the patient cannot read the page: %.400s", body)
	}
	return s, token
}

// planter calls routes and notes what browsers show, keep or pass on by themselves: addresses, titles, names of files.
type planter struct {
	h     *house
	scene shown
	shown []string
}

// everyRoute calls each route about everything there is, each field filled with what was planted.
func (p *planter) everyRoute(subject string, c *client) {
	p.h.t.Helper()
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, r := range web.Routes() {
		if r.Path == "/sign-out" || r.Path == "/events" || strings.HasSuffix(r.Path, "/*") {
			continue // the one ends the walk, the others are streams and files
		}
		for _, id := range p.things(r.Path) {
			path := strings.NewReplacer(":id", id, ":token", id, ":channel", "sms", ":code", "30003").Replace(r.Path)
			form := url.Values{"version": {"1"}, "rev": {"1"}}
			for _, field := range r.Typed {
				form.Set(field, plantedName+" takes "+plantedWord)
			}
			p.call(c, r.Method, path, form)
		}
	}
}

func (p *planter) things(path string) []string {
	switch {
	case strings.Contains(path, ":token"):
		return p.scene.links
	case strings.HasPrefix(path, "/patients/:id"):
		return p.scene.patients
	case strings.Contains(path, ":id"):
		return append(slices.Clone(p.scene.messages), uuid.NewString())
	}
	return []string{""}
}

// provokeFilter attacks with what was planted, in a query and in a field, so that the filter has something to tell of.
func (p *planter) provokeFilter(c *client) {
	attack := "<script>alert('" + plantedName + " takes " + plantedWord + "')</script>"
	p.call(c, http.MethodGet, "/deliveries?code="+url.QueryEscape(attack), nil)
	p.call(c, http.MethodPost, "/patients/search", url.Values{"term": {plantedName}, "colour": {attack}})
}

var title = regexp.MustCompile(`(?s)<title>.*?</title>`)

// call sends one request; that it is refused is as good as that it is done.
func (p *planter) call(c *client, method, path string, form url.Values) {
	p.h.t.Helper()
	req, err := http.NewRequest(method, p.h.web+path, nil)
	if method == http.MethodPost {
		req, err = http.NewRequest(method, p.h.web+path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	must(p.h.t, err)
	resp, err := c.http.Do(req)
	must(p.h.t, err)
	_, body := c.read(resp)
	header := resp.Header.Clone()
	for _, name := range []string{"Location", "HX-Redirect", "HX-Push-Url", "HX-Replace-Url", "HX-Trigger", "Content-Disposition", "Server-Timing"} {
		p.shown = append(p.shown, header.Get(name))
	}
	p.shown = append(p.shown, title.FindString(body))
}

// failProviders has everything that waits for them refused, cut off or answered with nonsense.
func (h *house) failProviders(s shown) {
	h.t.Helper()
	ctx, c, doctor := context.Background(), h.app.Clinic(), h.actor("amara-osei")
	h.faults(`{"sendgrid":[{"kind":"500","probability":1}],"twilio":[{"kind":"reset-after-headers","probability":1}],"openai":[{"kind":"bad-json","probability":1}]}`)
	for i, m := range s.messages {
		id := uuid.MustParse(m)
		if i == 0 {
			_ = c.DraftRequest(ctx, h.actor("tom-reyes"), id, "say "+plantedWord) // it has one, or asks once more: both may be
		}
		if v, err := c.ReviewShow(ctx, doctor, id); err == nil && v.Message.Status == "in_review" {
			h.signs(id)
			h.waitFor("the notice fails", 30*time.Second, func() bool {
				var n int
				h.one(&n, "SELECT count(*) FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery_id WHERE d.message_id = $1 AND a.finished_at IS NOT NULL", id)
				return n > 0
			})
		}
	}
}

// failServers takes Redis and Postgres away, one after the other, spoils what is sealed, and goes on calling.
func (h *house) failServers(sinks *sinks, p *planter) {
	h.t.Helper()
	people := map[string]*client{"tom-reyes": h.as("tom-reyes"), "amara-osei": h.as("amara-osei")}
	for _, sink := range []*tap{sinks.redis, sinks.postgres} {
		sink.cut(true)
		for subject, person := range people {
			p.everyRoute(subject, person)
		}
		sink.cut(false)
		h.waitFor("readyz", 20*time.Second, func() bool { return h.status("/readyz") == http.StatusOK })
	}
	h.exec("UPDATE drafts SET text_sealed = checks_sealed WHERE message_id = ANY($1)", p.scene.messages) // what was moved does not open
	for _, m := range p.scene.messages {
		for _, person := range people {
			p.call(person, http.MethodGet, "/drafts/"+m, nil)
			p.call(person, http.MethodGet, "/reviews/"+m, nil)
		}
	}
}

// figures are what Prometheus would read.
func (h *house) figures() []byte {
	h.t.Helper()
	req, err := http.NewRequest(http.MethodGet, h.web+"/metrics", nil)
	must(h.t, err)
	req.Header.Set("Authorization", "Bearer "+h.env["METRICS_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	must(h.t, err)
	status, body := h.client().read(resp)
	if status != http.StatusOK {
		h.t.Fatalf("the figures answer %d", status)
	}
	return []byte(body)
}
