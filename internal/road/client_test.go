package road

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// client is a person at a browser without scripts, over plain HTTP: quicker than a real one where no page is looked at.
type client struct {
	h    *house
	http *http.Client
}

// jar keeps cookies by host name, as browsers do; like Chromium it gives Secure ones back on http://localhost.
type jar struct {
	mu      sync.Mutex
	cookies map[string]*http.Cookie
}

func (j *jar) SetCookies(_ *url.URL, set []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range set {
		if c.MaxAge < 0 || c.Value == "" {
			delete(j.cookies, c.Name)
			continue
		}
		j.cookies[c.Name] = &http.Cookie{Name: c.Name, Value: c.Value}
	}
}

func (j *jar) Cookies(*url.URL) (all []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.cookies {
		all = append(all, c)
	}
	return all
}

func (h *house) client() *client {
	return &client{h: h, http: &http.Client{Jar: &jar{cookies: map[string]*http.Cookie{}}, Timeout: 20 * time.Second}}
}

// as signs a person in through the sandbox's Access page.
func (h *house) as(subject string) *client {
	h.t.Helper()
	c := h.client()
	status, body := c.get(h.outside + "/sign-in/" + subject + "?redirect_url=/")
	if status != http.StatusOK || !strings.Contains(body, "Sign out") {
		h.t.Fatalf("signing in as %s: %d %.500s", subject, status, body)
	}
	return c
}

func (c *client) get(address string) (int, string) {
	c.h.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = c.h.web + address
	}
	resp, err := c.http.Get(address)
	must(c.h.t, err)
	return c.read(resp)
}

func (c *client) post(path string, form url.Values) (int, string) {
	c.h.t.Helper()
	resp, err := c.http.PostForm(c.h.web+path, form)
	must(c.h.t, err)
	return c.read(resp)
}

func (c *client) read(resp *http.Response) (int, string) {
	c.h.t.Helper()
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(c.h.t, err)
	return resp.StatusCode, string(raw)
}

// actor is a person of the demo clinic, for setting a scene by deeds.
func (h *house) actor(subject string) clinic.Actor {
	h.t.Helper()
	a := clinic.Actor{Kind: clinic.ActorPerson}
	var role string
	h.one(&a.ID, "SELECT id FROM staff WHERE subject = $1", subject)
	h.one(&a.ClinicID, "SELECT clinic_id FROM staff WHERE subject = $1", subject)
	h.one(&a.Name, "SELECT name FROM staff WHERE subject = $1", subject)
	h.one(&role, "SELECT role FROM staff WHERE subject = $1", subject)
	a.Role = clinic.Role(role)
	return a
}

func (h *house) brief(patient uuid.UUID, channel string) clinic.BriefForm {
	return clinic.BriefForm{PatientID: patient, DoctorID: h.actor("amara-osei").ID, Inquiry: "My new blood pressure pill makes me cough all night. Can I stop it?",
		Points:   []string{"Stop lisinopril 10 mg tonight", "Start losartan 50 mg once a day tomorrow", "Book a blood test"},
		Facts:    []clinic.FactForm{{Kind: "drug", Text: "losartan 50 mg once a day"}, {Kind: "instruction", Text: "stop lisinopril 10 mg"}},
		Priority: "normal", Kind: "clinical", Channel: channel}
}

// patient adds a patient of Dr Osei and Tom Reyes.
func (h *house) patient(name, birth, mrn, email, phone string) uuid.UUID {
	h.t.Helper()
	id, err := h.app.Clinic().PatientCreate(context.Background(), h.actor("tom-reyes"), clinic.PatientForm{Name: name, BirthDate: birth, MRN: mrn,
		Language: "en", Email: email, Phone: phone, DoctorID: h.actor("amara-osei").ID})
	must(h.t, err)
	return id
}

// submitted takes a message by hand to the doctor's table, with every finding answered by the doctor.
func (h *house) submitted(patient uuid.UUID, name, channel string) uuid.UUID {
	h.t.Helper()
	ctx, c, staff, doctor := context.Background(), h.app.Clinic(), h.actor("tom-reyes"), h.actor("amara-osei")
	id, err := c.BriefCreate(ctx, staff, h.brief(patient, channel))
	must(h.t, err)
	must(h.t, c.DraftByHand(ctx, staff, id))
	v, err := c.DraftShow(ctx, staff, id)
	must(h.t, err)
	v, err = c.DraftEdit(ctx, staff, id, v.Message.Version, strings.Replace(clinictest.Letter, "Rosa Delgado", name, 1))
	must(h.t, err)
	must(h.t, c.ReviewSubmit(ctx, staff, id, v.Message.Version))
	v, err = c.ReviewShow(ctx, doctor, id)
	must(h.t, err)
	for _, f := range v.Findings {
		if f.Level == "ask" && !f.Answered {
			must(h.t, c.FindingAnswer(ctx, doctor, id, f.Key))
		}
	}
	return id
}

func (h *house) version(id uuid.UUID) string {
	var v string
	h.one(&v, "SELECT version::text FROM messages WHERE id = $1", id)
	return v
}

func (h *house) state(message uuid.UUID) string {
	var s string
	h.one(&s, "SELECT coalesce((SELECT state FROM deliveries WHERE message_id = $1 ORDER BY round DESC LIMIT 1), '')", message)
	return s
}

// proxy stands between the house and a server, so that a test can cut the line without stopping anybody's server.
type proxy struct {
	addr   string
	target string
	mu     sync.Mutex
	cut    bool
	still  chan struct{} // while it is there and open, nothing passes: the server hangs
	live   map[net.Conn]bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{addr: l.Addr().String(), target: target, live: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); p.set(true) })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go p.carry(in)
		}
	}()
	return p
}

func (p *proxy) carry(in net.Conn) {
	defer in.Close()
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer out.Close()
	p.mu.Lock()
	if p.cut {
		p.mu.Unlock()
		return
	}
	p.live[in], p.live[out] = true, true
	p.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
		go func() { _, _ = io.Copy(pair[0], slow{pair[1], p}); done <- struct{}{} }()
	}
	<-done
	p.mu.Lock()
	delete(p.live, in)
	delete(p.live, out)
	p.mu.Unlock()
}

// slow reads when the proxy lets it.
type slow struct {
	net.Conn
	p *proxy
}

func (s slow) Read(b []byte) (int, error) {
	n, err := s.Conn.Read(b)
	s.p.mu.Lock()
	still := s.p.still
	s.p.mu.Unlock()
	if still != nil {
		<-still
	}
	return n, err
}

// hang lets nothing pass any more, without a word to either side, until the function it returns is called.
func (p *proxy) hang() (release func()) {
	still := make(chan struct{})
	p.mu.Lock()
	p.still = still
	p.mu.Unlock()
	return sync.OnceFunc(func() {
		p.mu.Lock()
		p.still = nil
		p.mu.Unlock()
		close(still)
	})
}

// set cuts the line or mends it.
func (p *proxy) set(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.live {
			_ = c.Close()
		}
	}
}

// through makes the house use an address by way of a proxy.
func through(t testing.TB, p **proxy, name string) option {
	return func(env map[string]string) {
		u, err := url.Parse(env[name])
		must(t, err)
		*p = newProxy(t, u.Host)
		u.Host = (*p).addr
		env[name] = u.String()
	}
}
