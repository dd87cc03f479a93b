package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/sandbox"
)

// activity asks the Email Activity API.
func (w *world) activity(key, query, limit string) (status int, messages []map[string]any, text string, header http.Header) {
	w.t.Helper()
	address := w.url + "/v3/messages?" + url.Values{"query": {query}, "limit": {limit}}.Encode()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct {
		Messages []map[string]any
		Errors   []struct{ Message string }
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		w.t.Fatal(err)
	}
	for _, e := range answer.Errors {
		text += e.Message
	}
	return resp.StatusCode, answer.Messages, text, resp.Header
}

func newActivityWorld(t *testing.T, delay time.Duration) *world {
	t.Helper()
	w := &world{t: t}
	server := httptest.NewUnstartedServer(nil)
	w.url = "http://" + server.Listener.Addr().String()
	s, err := sandbox.Open(sandbox.Options{BaseURL: "http://127.0.0.1:9", PublicURL: w.url, Dir: t.TempDir(), CallbackDelay: time.Hour, ActivityDelay: delay})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = s.Handler()
	server.Start()
	w.sandbox, w.settings = s, s.Settings()
	t.Cleanup(func() {
		server.Close()
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(gone)
	})
	return w
}

func TestActivity(t *testing.T) {
	t.Parallel()
	w := newActivityWorld(t, -1)
	id, key := w.mail("rosa@home.example", "d-1"), w.settings["SENDGRID_API_KEY"]
	w.mail("rosa@home.example", "d-2")
	status, found, _, _ := w.activity(key, `unique_args['d']="d-1"`, "10")
	if status != http.StatusOK || len(found) != 1 {
		t.Fatalf("%d, %v", status, found)
	}
	m := found[0]
	if !strings.HasPrefix(m["msg_id"].(string), id+".") || m["status"] != "processed" || m["to_email"] != "rosa@home.example" || len(m) != 8 || m["unique_args"] != nil {
		t.Errorf("found %v", m)
	}
	for query, n := range map[string]int{
		`unique_args="d-1"`: 1, `(unique_args['d']="d-2")`: 1, `unique_args['a']="d-1"`: 0, `to_email="rosa@home.example"`: 2,
		`to_email="rosa@home.example" AND unique_args['d']="d-2"`: 1,
	} {
		w := newActivityWorld(t, -1) // six questions a minute
		w.mail("rosa@home.example", "d-1")
		w.mail("rosa@home.example", "d-2")
		if status, found, text, _ := w.activity(w.settings["SENDGRID_API_KEY"], query, "10"); status != http.StatusOK || len(found) != n {
			t.Errorf("%s: %d %s, %d found, want %d", query, status, text, len(found), n)
		}
	}
}

func TestActivityRefuses(t *testing.T) {
	t.Parallel()
	w := newActivityWorld(t, -1)
	key := w.settings["SENDGRID_API_KEY"]
	for name, c := range map[string]struct {
		key, query, limit string
		status            int
	}{
		"another key":   {"SG.x", `unique_args['d']="d"`, "10", http.StatusUnauthorized},
		"no query":      {key, "", "10", http.StatusBadRequest},
		"a wrong field": {key, `bad_field="d"`, "10", http.StatusBadRequest},
		"too many":      {key, `unique_args['d']="d"`, "1001", http.StatusBadRequest},
	} {
		if status, _, text, _ := w.activity(c.key, c.query, c.limit); status != c.status || text == "" {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	for range 3 {
		w.activity(key, `unique_args['d']="d"`, "10")
	}
	status, _, text, header := w.activity(key, `unique_args['d']="d"`, "10")
	if status != http.StatusTooManyRequests || text != "too many requests" || header.Get("X-RateLimit-Reset") == "" {
		t.Errorf("the seventh in a minute: %d %s %v", status, text, header)
	}
}

func TestActivityShowsLate(t *testing.T) {
	t.Parallel()
	w := newActivityWorld(t, time.Hour)
	w.mail("rosa@home.example", "d-1")
	if status, found, _, _ := w.activity(w.settings["SENDGRID_API_KEY"], `unique_args['d']="d-1"`, "10"); status != http.StatusOK || len(found) != 0 {
		t.Errorf("it shows at once: %d, %v", status, found)
	}
}
