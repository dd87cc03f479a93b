package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"countersign/internal/sandbox"
)

// call is what the app got from a provider.
type call struct {
	path   string
	header http.Header
	body   []byte
}

// world is a sandbox on a real port, and an app that keeps what it is told.
type world struct {
	t        *testing.T
	sandbox  *sandbox.Sandbox
	url, app string
	settings map[string]string
	calls    chan call
	status   atomic.Int64 // what the app answers
}

func newWorld(t *testing.T) *world { return newWorldIn(t, t.TempDir(), -1) }

func newWorldIn(t *testing.T, dir string, late time.Duration) *world {
	t.Helper()
	w := &world{t: t, calls: make(chan call, 100)}
	w.status.Store(http.StatusNoContent)
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		status := int(w.status.Load())
		w.calls <- call{r.URL.Path, r.Header.Clone(), body}
		rw.WriteHeader(status)
	}))
	t.Cleanup(app.Close)
	server := httptest.NewUnstartedServer(nil)
	w.url, w.app = "http://"+server.Listener.Addr().String(), app.URL
	s, err := sandbox.Open(sandbox.Options{
		BaseURL: app.URL, PublicURL: w.url, Dir: dir, ModelDelay: -1, CallbackDelay: -1, LateDelay: late,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.Handler()
	server.Start()
	w.sandbox, w.settings = s, s.Settings()
	t.Cleanup(func() {
		server.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return w
}

// next is the app's next webhook.
func (w *world) next() call {
	w.t.Helper()
	select {
	case c := <-w.calls:
		return c
	case <-time.After(30 * time.Second):
		w.t.Fatal("the app was told nothing")
		return call{}
	}
}

func (w *world) get(path string) (*http.Response, string) {
	w.t.Helper()
	return w.do(http.MethodGet, path, "", "")
}

// do sends a plain request without following redirects.
func (w *world) do(method, path, kind, body string) (*http.Response, string) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(text)
}

func (w *world) faults(list string) {
	w.t.Helper()
	if resp, text := w.do(http.MethodPost, "/faults", "application/json", list); resp.StatusCode != http.StatusOK {
		w.t.Fatalf("faults: %s", text)
	}
}

func (w *world) log() []sandbox.Entry {
	w.t.Helper()
	_, text := w.get("/log")
	var entries []sandbox.Entry
	for line := range strings.Lines(text) {
		var e sandbox.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.t.Fatalf("log line %q: %v", line, err)
		}
		entries = append(entries, e)
	}
	return entries
}

func (w *world) inbox() []sandbox.Message {
	w.t.Helper()
	_, text := w.get("/inbox.json")
	var box struct{ Messages []sandbox.Message }
	if err := json.Unmarshal([]byte(text), &box); err != nil {
		w.t.Fatal(err)
	}
	return box.Messages
}

// until waits for something that the inbox shows.
func (w *world) until(what string, seen func([]sandbox.Message) bool) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !seen(w.inbox()) {
		if time.Now().After(deadline) {
			w.t.Fatalf("never seen: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestOpenRefusesWhatItCannotServe(t *testing.T) {
	t.Parallel()
	good := sandbox.Options{BaseURL: "http://localhost:8080", PublicURL: "http://localhost:8090", Dir: t.TempDir()}
	for name, bend := range map[string]func(*sandbox.Options){
		"no app":       func(o *sandbox.Options) { o.BaseURL = "" },
		"no own":       func(o *sandbox.Options) { o.PublicURL = "localhost:8090" },
		"no folder":    func(o *sandbox.Options) { o.Dir = "" },
		"not a folder": func(o *sandbox.Options) { o.Dir = "/dev/null/x" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := good
			bend(&o)
			if _, err := sandbox.Open(o); err == nil {
				t.Fatal("opened")
			}
		})
	}
}

func TestSettingsAndHealth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	resp, text := w.get("/settings.env")
	if resp.Header.Get("Cache-Control") != "no-store" {
		t.Error("settings may be cached")
	}
	lines := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		lines[name] = value
		if value == "" || strings.ContainsAny(value, " '\"") {
			t.Errorf("%s is %q", name, value)
		}
	}
	if len(lines) != 14 || lines["OPENAI_BASE_URL"] != w.url+"/v1" || lines["ACCESS_ISSUER"] != w.url {
		t.Errorf("settings: %v", lines)
	}
	for name, value := range w.settings {
		if lines[name] != value {
			t.Errorf("%s: the page says %q, Settings %q", name, lines[name], value)
		}
	}
	if dsn, err := url.Parse(lines["SENTRY_DSN"]); err != nil || dsn.User.Username() == "" || dsn.Path != "/1" {
		t.Errorf("dsn %q", lines["SENTRY_DSN"])
	}
	if resp, _ := w.get("/healthz"); resp.StatusCode != http.StatusOK {
		t.Error("not healthy")
	}
	if resp, _ := w.get("/nowhere"); resp.StatusCode != http.StatusNotFound {
		t.Error("an unknown address was found")
	}
}

func TestRestartKeepsKeysAndLog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := newWorldIn(t, dir, -1)
	first.mail("rosa@home.example", "d-1")
	first.next()
	first.next()
	first.until("the answer", func(m []sandbox.Message) bool { return len(m[0].Events) == 2 && m[0].Events[1].Answer == 204 })
	first.sandbox.Close(context.Background())
	appendTo(t, dir+"/log.ndjson", `{"provider":"sendgrid","half`)

	second := newWorldIn(t, dir, -1)
	for _, name := range []string{"SENDGRID_API_KEY", "SENDGRID_WEBHOOK_KEY", "TWILIO_AUTH_TOKEN", "ACCESS_AUD", "OPENAI_API_KEY"} {
		if first.settings[name] != second.settings[name] {
			t.Errorf("%s changed at the restart", name)
		}
	}
	if log := second.log(); len(log) != 1 || log[0].Delivery != "d-1" {
		t.Fatalf("log after the restart: %v", log)
	}
	if box := second.inbox(); len(box) != 1 || len(box[0].Events) != 2 {
		t.Fatalf("inbox after the restart: %v", box)
	}
	second.mail("rosa@home.example", "d-2")
	if log := second.log(); len(log) != 2 {
		t.Fatalf("log after another mail: %v", log)
	}
}

func TestCloseCutsOffWhatDoesNotEnd(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := sandbox.Open(sandbox.Options{BaseURL: "http://127.0.0.1:1", PublicURL: "http://127.0.0.1:2", Dir: dir, CallbackDelay: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, "/v3/mail/send", bytes.NewReader(mailBody("rosa@home.example", "d-1")))
	req.Header.Set("Authorization", "Bearer "+s.Settings()["SENDGRID_API_KEY"])
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	s.Handler().ServeHTTP(rec, req)
	if rec.Code != http.StatusAccepted {
		t.Fatalf("mail: %d %s", rec.Code, rec.Body)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("close said that nothing was cut off")
	}
}
