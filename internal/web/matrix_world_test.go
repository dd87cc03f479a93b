package web

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// matrix is a site with two clinics, and in the first: a patient of everybody's team, one whom everybody opened by
// break-glass, and one who is another doctor's alone.
type matrix struct {
	t      *testing.T
	site   *site
	next   *clinictest.World
	server *httptest.Server
	client *http.Client
	people map[string]clinic.Actor
	in     map[string]*visitor
	spare  clinic.Actor // a person whom the deeds of administrators are done to
	second clinic.Actor // the team's other doctor
	made   map[string]things
	// break-glass of somebody else, and of next door
	otherGlass, theirGlass string
	of                     map[relation]uuid.UUID // a patient of each relation
	refused                []refusal
}

// refusal is a request that was answered 403 or 404.
type refusal struct {
	request string
	row     row
	who     string
}

// things are what the requests are about.
type things struct {
	patient, message, delivery uuid.UUID
	version                    int
}

func newMatrix(t *testing.T) *matrix {
	t.Helper()
	s := newSite(t, func(c *Config) {
		c.Queues, c.QueuesReadOnly = sign("the board"), sign("look only")
		c.Rates = Rates{Address: 1_000_000, Person: 1_000_000, SignIn: 1_000_000, Unverified: 1_000_000}
	})
	w := s.world
	m := &matrix{t: t, site: s, next: w.Neighbour(t), server: httptest.NewServer(s), made: map[string]things{}, of: map[relation]uuid.UUID{own: w.Patient, team: w.Patient},
		in: map[string]*visitor{}, client: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(m.server.Close)
	disabled := m.person("Sam Gone", clinic.Doctor)
	m.second, m.spare = m.person("Dr Mina Sato", clinic.Doctor), m.person("Lee Spare", clinic.Staff)
	m.people = map[string]clinic.Actor{"staff": w.Staff, "reviewer": w.Reviewer, "doctor": w.Doctor, "auditor": w.Auditor, "admin": w.Admin, "ops": w.Ops,
		"no role": {Name: "Casey Stranger"}, "disabled": disabled}
	m.must(w.Clinic.TeamJoin(ctx(), w.Operator, w.Patient, m.second.ID))
	m.must(w.Clinic.TeamJoin(ctx(), w.Operator, w.Patient, disabled.ID))
	for rel, mrn := range map[relation]string{glass: "80001", other: "80002"} {
		id, err := w.Clinic.PatientCreate(ctx(), w.Doctor2, clinic.PatientForm{Name: "Ada Winter " + string(rel), BirthDate: "1950-01-02", MRN: mrn, Language: "en", Email: "p" + mrn + "@mail.example"})
		m.must(err)
		m.of[rel] = id
	}
	m.of[nextDoor] = m.next.Patient
	for _, role := range columns[:3] {
		_, err := w.Clinic.GlassBreak(ctx(), m.people[role], clinic.GlassForm{MRN: "80001", Reason: "Collapsed in the waiting room."})
		m.must(err)
	}
	for name, who := range m.people {
		m.in[name] = s.as(t, who)
	}
	m.must(w.Clinic.StaffDisable(ctx(), w.Operator, disabled.ID))
	m.in["nobody"] = s.visitor(t)
	m.otherGlass, m.theirGlass = m.glassOf(w, w.Staff2), m.glassOf(m.next, m.next.Staff)
	return m
}

func (m *matrix) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatalf("%v: %s %v", err, clinic.Sentence(err), clinic.Fields(err))
	}
}

func (m *matrix) person(name string, role clinic.Role) clinic.Actor {
	m.t.Helper()
	w := m.site.world
	a, err := w.Clinic.StaffPut(ctx(), w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: w.Issuer, Subject: name, Email: "someone@riverside.example", Name: name, Role: role})
	m.must(err)
	return a
}

// paper is how a message for the matrix comes about.
type paper struct {
	world          *clinictest.World
	author, doctor clinic.Actor
	patient        uuid.UUID
	name           string
	administrative bool
	state          string       // ready, submitted, signed
	signer         clinic.Actor // for signed
}

func (m *matrix) write(p paper) uuid.UUID {
	m.t.Helper()
	c := p.world.Clinic
	form, letter := p.world.Brief(p.patient, "email"), strings.Replace(clinictest.Letter, "Rosa Delgado", p.name, 1)
	if p.administrative {
		form.Kind, form.Facts, form.Inquiry, form.Points = "administrative", nil, "Where is the front desk now?", []string{"The front desk has moved to the second floor"}
		letter = "Dear " + p.name + ",\n\nOur front desk has moved to the second floor.\n\nCall the clinic if you have questions."
	}
	form.DoctorID = p.doctor.ID
	id, err := c.BriefCreate(ctx(), p.author, form)
	m.must(err)
	m.must(c.DraftByHand(ctx(), p.author, id))
	v, err := c.DraftEdit(ctx(), p.author, id, p.world.Show(m.t, p.author, id).Message.Version, letter)
	m.must(err)
	if p.state == "ready" {
		return id
	}
	m.must(c.ReviewSubmit(ctx(), p.author, id, v.Message.Version))
	if p.state == "signed" {
		p.world.Answer(m.t, p.signer, id)
		m.must(c.ReviewApprove(ctx(), p.signer, id, p.world.Show(m.t, p.signer, id).Message.Version, nil))
	}
	return id
}

// things of a relation as one of the roles has it; fresh ones where an earlier request may have moved them.
func (m *matrix) things(r row, who string) things {
	m.t.Helper()
	state, fresh := map[string]string{"/drafts/:id/submit": "ready", "/reviews/:id/recall": "submitted", "/reviews/:id/approve": "submitted", "/messages/:id/undo": "signed"}[r.route.path], true
	writes := who == "staff" || who == "reviewer" || who == "doctor"
	if state == "" || r.rel != own && r.rel != team || !writes {
		state, fresh = "submitted", false
	}
	if !writes {
		who = "staff"
	}
	key := string(r.rel) + who
	if x, ok := m.made[key]; ok && !fresh {
		return x
	}
	x := m.make(m.paper(r, who, state))
	if !fresh {
		p := m.paper(r, who, "signed")
		p.administrative = false
		p.signer = p.doctor
		signed := m.write(p)
		x.delivery = uuid.MustParse(m.site.world.Strings(m.t, "SELECT id::text FROM deliveries WHERE message_id = $1", signed)[0])
		m.made[key] = x
	}
	return x
}

func (m *matrix) make(p paper) things {
	m.t.Helper()
	x := things{patient: p.patient, message: m.write(p)}
	x.version = m.site.world.Count(m.t, "SELECT version FROM messages WHERE id = $1", x.message)
	return x
}

// paper says who writes what in a relation.
func (m *matrix) paper(r row, who, state string) paper {
	w := m.site.world
	p := paper{world: w, author: w.Staff2, doctor: m.second, patient: m.of[r.rel], name: "Rosa Delgado", administrative: r.kind != "clinical", state: state}
	switch r.rel {
	case own:
		p.author, p.signer = m.people[who], m.people[who]
		if p.signer.Role == clinic.Staff { // who signed as a reviewer, and is one no more
			p.signer.Role = clinic.Reviewer
			p.author = w.Staff2
		}
		if p.signer.Role == clinic.Reviewer && state == "signed" {
			p.author = w.Staff2
		}
		if state != "signed" {
			p.author = m.people[who]
		}
	case team:
		p.signer = m.second
	case glass, other:
		p.author, p.doctor, p.signer, p.name = w.Doctor2, w.Doctor2, w.Doctor2, "Ada Winter "+string(r.rel)
	case nextDoor:
		p.world, p.author, p.doctor, p.signer, p.name = m.next, m.next.Staff, m.next.Doctor, m.next.Doctor, "Nora Whitfield"
	}
	return p
}

// sessionOf opens one more session of a person and returns its id.
func (m *matrix) sessionOf(issuer string, who clinic.Actor) string {
	m.t.Helper()
	id := clinic.Identity{Method: clinic.ByAssertion, Issuer: issuer, Subject: who.Name, Name: who.Name, SignedInAt: time.Now(), TokenHash: [32]byte(append(uuid.New().NodeID(), []byte(uuid.NewString())...))}
	_, a, err := m.site.world.Clinic.SessionOpen(ctx(), clinic.Nobody("", "", ""), id, "")
	m.must(err)
	return a.SessionID.String()
}

// glassOf is a break-glass of a person that is still open.
func (m *matrix) glassOf(w *clinictest.World, who clinic.Actor) string {
	m.t.Helper()
	mrn := strconv.Itoa(60000 + m.site.world.Count(m.t, "SELECT count(*) FROM glass"))
	form := clinic.PatientForm{Name: "Ada Brook", BirthDate: "1980-02-03", MRN: mrn, Language: "en", DoctorID: w.Doctor2.ID}
	_, err := w.Clinic.PatientCreate(ctx(), w.Doctor2, form)
	m.must(err)
	_, err = w.Clinic.GlassBreak(ctx(), who, clinic.GlassForm{MRN: mrn, Reason: "Collapsed in the waiting room."})
	m.must(err)
	return m.site.world.Strings(m.t, "SELECT id::text FROM glass WHERE staff_id = $1 ORDER BY id DESC LIMIT 1", who.ID)[0]
}

// entryOf is an entry of the list of networks, of this clinic or the next one.
func (m *matrix) entryOf(rel relation) string {
	m.t.Helper()
	w, by := m.site.world, m.site.world.Admin
	clinicID := w.ClinicID
	if rel == nextDoor {
		clinicID, by = m.next.ClinicID, m.next.Doctor
	}
	id := uuid.Must(uuid.NewV7())
	m.must(w.Exec(m.t, `INSERT INTO networks (id, clinic_id, kind, network, reason, added_by, added_at)
		SELECT $1, $2, 'block', ('198.51.100.' || count(*) || '/32')::cidr, 'a test', $3, now() FROM networks`, id, clinicID, by.ID))
	return id.String()
}

// alertOf is an alert that fires: ours, or next door's.
func (m *matrix) alertOf(rel relation) string {
	m.t.Helper()
	clinicID := m.site.world.ClinicID
	if rel == nextDoor {
		clinicID = m.next.ClinicID
	}
	id := uuid.Must(uuid.NewV7())
	m.must(m.site.world.Exec(m.t, `INSERT INTO alerts (id, clinic_id, rule, subject, state, value, worst, since, fired_at) VALUES ($1, $2, 'needs_person', $3, 'firing', 1, 1, now(), now())`, id, clinicID, id.String()))
	return id.String()
}

// eventOf is an event of this clinic's trail, sealed, or of the next one's.
func (m *matrix) eventOf(rel relation) string {
	m.t.Helper()
	clinicID := map[bool]uuid.UUID{false: m.site.world.ClinicID, true: m.next.ClinicID}[rel == nextDoor]
	return m.site.world.Strings(m.t, "SELECT id::text FROM audit_events WHERE clinic_id = $1 ORDER BY at, id LIMIT 1", clinicID)[0]
}

// weekOf is an access review that nobody has signed off yet.
func (m *matrix) weekOf(rel relation) string {
	m.t.Helper()
	clinicID := map[bool]uuid.UUID{false: m.site.world.ClinicID, true: m.next.ClinicID}[rel == nextDoor]
	id := uuid.Must(uuid.NewV7())
	m.must(m.site.world.Exec(m.t, `INSERT INTO access_reviews (id, clinic_id, since, until, made_at, facts)
		SELECT $1, $2, 'epoch'::timestamptz + count(*) * interval '7 days', 'epoch'::timestamptz + (count(*) + 1) * interval '7 days', now(), '{}' FROM access_reviews`, id, clinicID))
	return id.String()
}

// id is what stands in an address in place of :id, and what its form says beside it.
func (m *matrix) id(r row, who string) (id string, form url.Values) {
	m.t.Helper()
	id, form = m.idAndWords(r, who)
	maps.DeleteFunc(form, func(field string, _ []string) bool {
		_, declared := m.site.forms[r.route.path][field]
		return r.route.hasForm() && !declared
	})
	return id, form
}

func (m *matrix) idAndWords(r row, who string) (id string, form url.Values) {
	m.t.Helper()
	w := m.site.world
	me := m.people[who]
	switch r.about {
	case nothing:
		return "", url.Values{}
	case sessions:
		if r.rel == own && me.ID != uuid.Nil && who != "disabled" {
			return m.sessionOf(w.Issuer, me), nil
		}
		return map[bool]string{false: m.sessionOf(w.Issuer, m.spare), true: m.sessionOf(m.next.Issuer, m.next.Staff)}[r.rel == nextDoor], nil
	case glasses:
		switch {
		case r.rel == nextDoor:
			return m.theirGlass, nil
		case r.rel == own && r.route.deed == clinic.GlassEnd && r.expected(who) == "yes":
			return m.glassOf(w, me), nil
		}
		return m.otherGlass, nil
	case persons:
		of := map[relation]uuid.UUID{own: me.ID, other: m.spare.ID, nextDoor: m.next.Staff.ID}[r.rel]
		if r.route.deed == clinic.SettingsShow && r.rel != own {
			of = map[relation]uuid.UUID{other: m.second.ID, nextDoor: m.next.Doctor.ID}[r.rel]
		}
		if of == uuid.Nil {
			of = w.Staff2.ID
		}
		return of.String(), url.Values{"role": {"staff"}}
	case teams:
		return m.of[r.rel].String(), url.Values{"staff": {w.Doctor2.ID.String()}}
	case entries:
		return m.entryOf(r.rel), nil
	case warnings:
		return m.alertOf(r.rel), url.Values{"version": {"1"}, "lasts": {"1"}}
	case acts:
		return m.eventOf(r.rel), nil
	case weeks:
		return m.weekOf(r.rel), nil
	}
	x := m.things(r, who)
	form = url.Values{"version": {strconv.Itoa(x.version)}, "text": {clinictest.Letter}, "patient_id": {x.patient.String()}, "doctor_id": {m.second.ID.String()},
		"pick": {x.delivery.String()}, "row": {x.delivery.String() + " 0"}, "inquiry": {"Asks for a form."}, "points": {"It is ready."}, "priority": {"normal"}, "kind": {"administrative"}, "channel": {"email"}}
	switch r.route.path {
	case "/drafts/:id/submit", "/reviews/:id/approve":
		form.Del("text")
	case "/reviews/:id/recall", "/messages/:id/undo":
	default:
		form.Set("version", "0") // passes who may, and stops there
	}
	return map[subject]uuid.UUID{patients: x.patient, messages: x.message, notices: x.delivery}[r.about].String(), form
}

// ask sends one request over a socket and puts the answer into a word.
func (m *matrix) ask(r row, who string) string {
	m.t.Helper()
	id, form := m.id(r, who)
	path := strings.NewReplacer(":id", id, ":channel", "sms", ":job", "nightly", "/*", "/api/queues/deliver:pause").Replace(r.route.path)
	switch r.route.path {
	case "/briefs/new":
		path += "?patient=" + form.Get("patient_id")
	case "/drafts/:id/diff":
		path += "?from=1&to=1"
	case pathEvents:
		path += "?names=message-" + id
	}
	v := m.in[who]
	if r.route.path == "/sign-out" && who != "disabled" && who != "nobody" {
		v = m.site.as(m.t, m.people[who]) // its session is over afterwards
	}
	status, to, request := m.send(v, r.route.method, path, form)
	if status == http.StatusForbidden || status == http.StatusNotFound {
		m.refused = append(m.refused, refusal{request, r, who})
	}
	switch {
	case status == http.StatusUnauthorized, status == http.StatusSeeOther && strings.HasPrefix(to, "/sign-in"):
		return "sign in"
	case status >= 200 && status < 300, status == http.StatusSeeOther, status == http.StatusConflict, status == http.StatusUnprocessableEntity:
		return "yes"
	}
	return strconv.Itoa(status)
}

func (m *matrix) askFree(r route) string {
	m.t.Helper()
	path := strings.NewReplacer(":token", strings.Repeat("x", 43), ":delivery", uuid.NewString(), "*", "app.css").Replace(r.path)
	status, _, _ := m.send(m.in["nobody"], r.method, path, url.Values{})
	return strconv.Itoa(status)
}

func (m *matrix) send(v *visitor, method, path string, form url.Values) (status int, to, request string) {
	m.t.Helper()
	got := m.request(v, method, path, form)
	defer got.Body.Close()
	return got.StatusCode, got.Header.Get("Location"), got.Header.Get("X-Request-Id")
}

func (m *matrix) request(v *visitor, method, path string, form url.Values) *http.Response {
	m.t.Helper()
	var body *strings.Reader
	if body = strings.NewReader(""); method != http.MethodGet {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, m.server.URL+path, body)
	m.must(err)
	r.Host = "localhost:8080"
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := m.client.Do(r)
	m.must(err)
	return got
}
