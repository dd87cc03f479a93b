package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	api "github.com/twilio/twilio-go/rest/api/v2010"

	"countersign/internal/sandbox"
)

// A checker reads on from where it was: /log and /events give the part that a Range header asks for.
func TestLogIsReadOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.mail("rosa@home.example", "d-1")
	_, first := w.get("/log")
	w.mail("rosa@home.example", "d-2")
	part := func(path string, from int) (int, string) {
		req, _ := http.NewRequest(http.MethodGet, w.url+path, nil)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	status, rest := part("/log", len(first))
	var e sandbox.Entry
	if status != http.StatusPartialContent || json.Unmarshal([]byte(rest), &e) != nil || e.Delivery != "d-2" {
		t.Errorf("the rest of the log is %d %q", status, rest)
	}
	if status, _ := part("/log", len(first)+len(rest)); status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("a log with nothing new answers %d", status)
	}
	for range 4 {
		w.next()
	}
	w.until("all answers", func(m []sandbox.Message) bool {
		return len(m) == 2 && len(m[0].Events) == 2 && m[0].Events[1].Answer == 204 && len(m[1].Events) == 2 && m[1].Events[1].Answer == 204
	})
	last := map[string]sandbox.Event{}
	_, events := w.get("/events")
	for line := range strings.Lines(events) {
		var v sandbox.Event
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		last[fmt.Sprint(v.Message, v.N)] = v
	}
	for at, v := range last {
		if v.Answer != http.StatusNoContent || v.Payload == "" {
			t.Errorf("what was told %s is %+v", at, v)
		}
	}
	if len(last) != 4 {
		t.Errorf("%d events were told, want 4", len(last))
	}
}

// Many messages make a look-up by recipient no slower: 300 of them among 40,000 messages take a moment.
func TestLookUpsStayQuick(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var log strings.Builder
	lines := json.NewEncoder(&log)
	for i := range 40_000 {
		if err := lines.Encode(sandbox.Entry{Time: time.Now().UTC(), Provider: "twilio", ID: fmt.Sprintf("SM%032d", i), Recipient: fmt.Sprintf("+1415555%04d", i%4000), Body: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "log.ndjson"), []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w := newWorldIn(t, dir, -1)
	service := w.twilio(w.settings["TWILIO_AUTH_TOKEN"])
	began := time.Now()
	for i := range 300 {
		page, err := service.PageMessage(new(api.ListMessageParams).SetTo(fmt.Sprintf("+1415555%04d", i)).SetDateSentAfter(time.Now().Add(-time.Hour)), "", "")
		if err != nil || len(page.Messages) != 10 {
			t.Fatalf("look-up %d: %v", i, err)
		}
	}
	if took := time.Since(began); took > 5*time.Second { // it takes a quarter of a second, and without an index a minute
		t.Errorf("300 look-ups took %s", took)
	}
}

// How many mails a second the sandbox takes over HTTP, each of them told twice to an app that answers at once.
func BenchmarkMailAccepted(b *testing.B) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer app.Close()
	s, err := sandbox.Open(sandbox.Options{BaseURL: app.URL, PublicURL: "http://127.0.0.1:9", Dir: b.TempDir(), CallbackDelay: -1})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	body, key := mailBody("rosa@home.example", "d-1"), s.Settings()["SENDGRID_API_KEY"]
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			req, _ := http.NewRequest(http.MethodPost, server.URL+"/v3/mail/send", bytes.NewReader(body))
			req.Header.Set("Authorization", "Bearer "+key)
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil || resp.StatusCode != http.StatusAccepted {
				b.Error("a mail was not taken:", err)
				return
			}
			resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	_ = s.Close(b.Context())
}
