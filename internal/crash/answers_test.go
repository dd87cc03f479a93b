package crash

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/sandbox"
)

// answer is one way in which a provider answers the first request to send, and the first look-up; afterwards it behaves.
type answer struct {
	name    string
	channel string
	fault   string // of the sandbox; empty: it behaves
	lost    bool   // what becomes of the message is never told
	taken   bool   // the provider takes the request, whatever it says
	class   string // what the answer means
	silent  bool   // there is no answer to speak of
	phone   string // another number than the patient's own
}

const (
	accepted = "accepted"
	notSent  = "not_sent"
	failed   = "failed"
	unknown  = "unknown"
)

// answers are the rows of «What one answer means» that a provider can act out, each by e-mail, by SMS or by both.
var answers = []answer{
	{name: "email takes it", channel: "email", taken: true, class: accepted},
	{name: "email takes it, tells nothing", channel: "email", lost: true, taken: true, class: accepted},
	{name: "email 500", channel: "email", fault: `{"kind":"500"}`, class: unknown},
	{name: "email 500, taken", channel: "email", fault: `{"kind":"500","accept":true}`, lost: true, taken: true, class: unknown},
	{name: "email 503", channel: "email", fault: `{"kind":"503"}`, class: unknown},
	{name: "email silence", channel: "email", fault: `{"kind":"timeout","accept":false}`, class: unknown, silent: true},
	{name: "email silence, taken", channel: "email", fault: `{"kind":"timeout"}`, lost: true, taken: true, class: unknown, silent: true},
	{name: "email reset", channel: "email", fault: `{"kind":"reset-before-headers"}`, class: unknown, silent: true},
	{name: "email reset, taken and told", channel: "email", fault: `{"kind":"reset-after-headers"}`, taken: true, class: unknown, silent: true},
	{name: "email unreadable", channel: "email", fault: `{"kind":"unreadable-2xx"}`, lost: true, taken: true, class: unknown},
	{name: "email closes the door", channel: "email", fault: `{"kind":"refuse"}`, class: unknown, silent: true},
	{name: "sms takes it", channel: "sms", taken: true, class: accepted},
	{name: "sms 500", channel: "sms", fault: `{"kind":"500"}`, class: unknown},
	{name: "sms 500, taken", channel: "sms", fault: `{"kind":"500","accept":true}`, lost: true, taken: true, class: unknown},
	{name: "sms silence, taken", channel: "sms", fault: `{"kind":"timeout"}`, lost: true, taken: true, class: unknown, silent: true},
	{name: "sms reset, taken", channel: "sms", fault: `{"kind":"reset-after-headers"}`, lost: true, taken: true, class: unknown, silent: true},
	{name: "sms unreadable", channel: "sms", fault: `{"kind":"unreadable-2xx"}`, lost: true, taken: true, class: unknown},
	{name: "sms bad number", channel: "sms", phone: "+15005550001", class: failed},
	{name: "sms 429", channel: "sms", fault: `{"kind":"429","retry_after":1}`, class: notSent},
	{name: "email 429", channel: "email", fault: `{"kind":"429","retry_after":1}`, class: notSent},
	{name: "email 401", channel: "email", fault: `{"kind":"401"}`, class: notSent},
}

// faults is what the sandbox is told: the answer, while it has not been given, and what is not told of it.
func (a answer) faults(again bool) string {
	var list []string
	if a.fault != "" && !again {
		list = append(list, strings.TrimSuffix(a.fault, "}")+`,"probability":1}`)
	}
	if a.lost {
		list = append(list, `{"kind":"lost","probability":1}`)
	}
	provider := map[string]string{"email": "sendgrid", "sms": "twilio"}[a.channel]
	return `{"` + provider + `":[` + strings.Join(list, ",") + `]}`
}

// outside is the providers as the house sees them: one address, and behind it a sandbox for each recipient, so that each
// is answered in a way of their own.
type outside struct {
	t        testing.TB
	address  string
	keys     []byte // of the account, the same behind every recipient
	template sandbox.Options
	front    *sandbox.Sandbox
	mu       sync.Mutex
	played   map[string]*played // by recipient
	holding  chan struct{}      // while it is there and open, no request goes on to its sandbox
}

// played is the provider of one recipient.
type played struct {
	answer   answer
	sandbox  *sandbox.Sandbox
	requests int // to send
	asked    int // look-ups
}

func openOutside(t testing.TB, app string) *outside {
	t.Helper()
	listener, port := listen(t)
	o := &outside{t: t, address: "http://localhost:" + port, played: map[string]*played{}}
	o.template = sandbox.Options{BaseURL: app, PublicURL: o.address, ModelDelay: -1, CallbackDelay: 50 * time.Millisecond}
	o.keys = accountKeys(t)
	o.front = o.open()
	server := &http.Server{Handler: o, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

// accounts makes the account's keys once per run.
var accounts = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "crash-keys")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := sandbox.Open(sandbox.Options{BaseURL: "http://localhost:1", PublicURL: "http://localhost:1", Dir: dir}); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "keys.json"))
})

func accountKeys(t testing.TB) []byte {
	t.Helper()
	keys, err := accounts()
	must(t, err)
	return keys
}

func (o *outside) open() *sandbox.Sandbox {
	o.t.Helper()
	options := o.template
	options.Dir = o.t.TempDir()
	must(o.t, os.WriteFile(filepath.Join(options.Dir, "keys.json"), o.keys, 0o600))
	s, err := sandbox.Open(options)
	must(o.t, err)
	o.t.Cleanup(func() { _ = s.Close(gone) })
	return s
}

// play answers a recipient in this way.
func (o *outside) play(recipient string, a answer) *played {
	o.t.Helper()
	p := &played{answer: a, sandbox: o.open()}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.played[recipient] = p
	return p
}

func (p *played) tell(faults string) {
	p.sandbox.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/faults", strings.NewReader(faults)))
}

// accepted is what the provider took: the sandbox's own log.
func (p *played) accepted(t testing.TB) (all []sandbox.Entry) {
	t.Helper()
	answer := httptest.NewRecorder()
	p.sandbox.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/log", nil))
	for line := range strings.Lines(answer.Body.String()) {
		var e sandbox.Entry
		must(t, json.Unmarshal([]byte(line), &e))
		all = append(all, e)
	}
	return all
}

// ServeHTTP reads a whole request before it lets it go on, as a provider's own front does: what the caller has written
// counts, even if the caller dies now.
func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // cut off in the middle: no request
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	o.mu.Lock()
	p, holding := o.played[recipient(r, body)], o.holding
	if p != nil {
		times := &p.asked
		if r.Method == http.MethodPost {
			times = &p.requests
		}
		*times++
		p.tell(p.answer.faults(*times > 1))
	}
	o.mu.Unlock()
	if holding != nil {
		<-holding
	}
	if p != nil {
		p.sandbox.Handler().ServeHTTP(w, r)
		return
	}
	o.front.Handler().ServeHTTP(w, r)
}

// hold keeps every request after it was read and before it is answered, until the function it returns is called.
func (o *outside) hold() (release func()) {
	holding := make(chan struct{})
	o.mu.Lock()
	o.holding = holding
	o.mu.Unlock()
	return sync.OnceFunc(func() {
		o.mu.Lock()
		o.holding = nil
		o.mu.Unlock()
		close(holding)
	})
}

func (o *outside) requests(p *played) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return p.requests
}

// recipient is whom a request is about.
func recipient(r *http.Request, body []byte) string {
	if r.URL.Path == "/v3/mail/send" {
		var mail struct {
			Personalizations []struct{ To []struct{ Email string } }
		}
		if json.Unmarshal(body, &mail) == nil && len(mail.Personalizations) == 1 && len(mail.Personalizations[0].To) == 1 {
			return mail.Personalizations[0].To[0].Email
		}
	}
	if strings.HasPrefix(r.URL.Path, "/2010-04-01/") {
		if form, err := url.ParseQuery(string(body)); err == nil && form.Get("To") != "" {
			return form.Get("To")
		}
		return r.URL.Query().Get("To")
	}
	return ""
}

func (o *outside) settings() map[string]string { return maps.Clone(o.front.Settings()) }
