package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/drafting"
	"countersign/internal/sandbox"
)

var quick = Times{Connect: time.Second, FirstByte: time.Second, Total: 3 * time.Second, Pause: time.Millisecond}

func assignment() *clinic.Assignment {
	return &clinic.Assignment{RequestID: uuid.Must(uuid.NewV7()), MessageID: uuid.Must(uuid.NewV7()), Attempt: 1, Schema: drafting.Schema(),
		Prompt: drafting.Prompt{System: "You write short messages.",
			Settings: "Tone: warm\nReading level: grade 6\nMaximum words: 150\nSpecialty: cardiology\nLanguage: en",
			Brief: "<<<BRIEF-0123456789abcdef\nPatient: [[P1]]\nKind: clinical\nUrgency: normal\nWhat happened: The pill makes me cough.\n" +
				"What to say:\n- Start losartan tomorrow\nFacts:\n- f1 drug: losartan 50 mg daily\n0123456789abcdef-BRIEF>>>"}}
}

// sandboxed is an account at a sandbox on a real socket, with the faults given.
func sandboxed(t *testing.T, faults string, delay time.Duration) *Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://" + listener.Addr().String()
	s, err := sandbox.Open(sandbox.Options{BaseURL: "http://localhost", PublicURL: address, Dir: t.TempDir(), ModelDelay: delay})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.Handler()}
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Close()
		s.Close(context.Background())
	})
	if faults != "" {
		resp, err := http.Post(address+"/faults", "application/json", strings.NewReader(`{"openai":[`+faults+`]}`))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal("faults were not taken:", err)
		}
		resp.Body.Close()
	}
	settings := s.Settings()
	c, err := New(Config{BaseURL: settings["OPENAI_BASE_URL"], APIKey: settings["OPENAI_API_KEY"], Model: "gpt-4.1-mini-2025-04-14", Times: quick})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestDraftIsStreamedWhole(t *testing.T) {
	t.Parallel()
	var counts []int
	began := time.Now()
	got := sandboxed(t, "", 12*time.Millisecond).Draft(context.Background(), assignment(), func(n int) { counts = append(counts, n) })
	if got.Code != "" || got.PromptTokens == 0 || got.CompletionTokens == 0 || got.Model != "gpt-4.1-mini-2025-04-14" {
		t.Fatalf("got %+v", got)
	}
	d, err := drafting.Parse(got.Raw)
	if err != nil || len(d.Sentences) == 0 || !strings.Contains(got.Raw, "[[P1]]") || !strings.Contains(got.Raw, "losartan") {
		t.Errorf("%v: not a draft of this brief", err)
	}
	for i, n := range counts {
		if i > 0 && n <= counts[i-1] {
			t.Errorf("progress is %v", counts)
		}
	}
	if most := int(time.Since(began)/beat) + 1; len(counts) == 0 || len(counts) > most {
		t.Errorf("%d reports of progress, want 1 to %d", len(counts), most)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults string
		code   string
		retry  bool
		spent  bool
	}{
		"credentials":      {`{"kind":"401","probability":1}`, "http_401", false, false},
		"slow down":        {`{"kind":"429","probability":1,"retry_after":1}`, CodeRateLimited, true, false},
		"their error":      {`{"kind":"500","probability":1}`, "http_500", true, false},
		"busy":             {`{"kind":"503","probability":1}`, "http_503", true, false},
		"no first byte":    {`{"kind":"timeout","probability":1}`, CodeTimeout, true, true},
		"cut in mid-word":  {`{"kind":"reset-after-headers","probability":1}`, CodeBroken, true, true},
		"closed at once":   {`{"kind":"refuse","probability":1}`, CodeUnreachable, true, false},
		"will not":         {`{"kind":"refusal","probability":1}`, CodeRefused, false, true},
		"out of room":      {`{"kind":"truncated","probability":1}`, CodeTruncated, true, true},
		"not JSON, but ok": {`{"kind":"bad-json","probability":1}`, "", false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := sandboxed(t, tt.faults, -1).Draft(context.Background(), assignment(), nil)
			if got.Code != tt.code || got.Retry != tt.retry || (got.Raw != "") != (tt.code == "") {
				t.Errorf("got %q retry %v", got.Code, got.Retry)
			}
			if spent := got.PromptTokens > 0; spent != tt.spent || got.Model == "" {
				t.Errorf("%d tokens of %q", got.PromptTokens, got.Model)
			}
		})
	}
}

// scripted is a server that answers each request with the next of the answers, and keeps what it was sent.
func scripted(t *testing.T, answers ...http.HandlerFunc) (*Client, *atomic.Int32, *[]byte) {
	t.Helper()
	var asked atomic.Int32
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		answers[min(int(asked.Add(1)), len(answers))-1](w, r)
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{BaseURL: server.URL + "/v1", APIKey: "key", Model: "pinned", Times: quick})
	if err != nil {
		t.Fatal(err)
	}
	return c, &asked, &body
}

func stream(pieces ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, piece := range pieces {
			fmt.Fprintf(w, "data: %s\n\n", piece)
		}
	}
}

func fails(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const (
	said  = `{"choices":[{"index":0,"delta":{"content":"{}"}}]}`
	ended = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	usage = `{"choices":[],"usage":{"prompt_tokens":70,"completion_tokens":7}}`
	done  = `[DONE]`
)

func TestOneRetryOfItsOwn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answers []http.HandlerFunc
		code    string
		asked   int32
	}{
		"busy, then well":         {[]http.HandlerFunc{fails(503, "{}"), stream(said, ended, usage, done)}, "", 2},
		"busy, and again":         {[]http.HandlerFunc{fails(503, "{}"), fails(500, "{}")}, "http_500", 2},
		"a bad request":           {[]http.HandlerFunc{fails(400, `{"error":{"message":"x"}}`)}, "http_400", 1},
		"a content filter":        {[]http.HandlerFunc{fails(400, `{"error":{"message":"x","code":"content_filter"}}`)}, CodeRefused, 1},
		"closed in the middle":    {[]http.HandlerFunc{stream(said)}, CodeBroken, 1},
		"closed before any piece": {[]http.HandlerFunc{stream()}, CodeUnreachable, 1},
		"nothing said":            {[]http.HandlerFunc{stream(ended, usage, done)}, CodeEmpty, 1},
		"an error in the stream":  {[]http.HandlerFunc{stream(said, `{"error":{"message":"x","type":"server_error"}}`)}, CodeBroken, 1},
		"not JSON in the stream":  {[]http.HandlerFunc{stream(said, `<html>`)}, CodeBroken, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, asked, _ := scripted(t, tt.answers...)
			if got := c.Draft(context.Background(), assignment(), nil); got.Code != tt.code || asked.Load() != tt.asked {
				t.Errorf("got %q after %d requests, want %q after %d", got.Code, asked.Load(), tt.code, tt.asked)
			}
		})
	}
}

// What leaves the house: the three messages, the shape of the answer, store: false said aloud, and nothing besides.
func TestWhatIsSent(t *testing.T) {
	t.Parallel()
	c, _, body := scripted(t, stream(said, ended, usage, done))
	if got := c.Draft(context.Background(), assignment(), nil); got.PromptTokens != 70 || got.CompletionTokens != 7 {
		t.Errorf("tokens are not the provider's: %+v", got)
	}
	var sent map[string]any
	if err := json.Unmarshal(*body, &sent); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"model": true, "messages": true, "stream": true, "stream_options": true, "store": true, "response_format": true, "max_completion_tokens": true}
	for name := range sent {
		if !want[name] {
			t.Errorf("%s was sent", name)
		}
	}
	if sent["store"] != false || sent["stream"] != true || sent["stream_options"].(map[string]any)["include_usage"] != true {
		t.Errorf("store %v, stream %v, %v", sent["store"], sent["stream"], sent["stream_options"])
	}
	format := sent["response_format"].(map[string]any)["json_schema"].(map[string]any)
	if format["name"] != "draft" || format["strict"] != true || format["schema"] == nil {
		t.Errorf("the answer's shape is %v", format)
	}
	roles := ""
	for _, m := range sent["messages"].([]any) {
		roles += m.(map[string]any)["role"].(string) + " "
	}
	if roles != "system user user " {
		t.Errorf("messages are %s", roles)
	}
}

// A caller that stops is told so at once, and what may have been read is counted.
func TestStop(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	c, _, _ := scripted(t, func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if got := c.Draft(ctx, assignment(), nil); got.Code != CodeStopped || !got.Retry || got.PromptTokens == 0 {
		t.Errorf("got %+v", got)
	}
}

func TestCountWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		``: 0, `{"sentences":[{"te`: 0, `{"sentences":[{"text":"Dear`: 1, `{"sentences":[{"text":"Dear [[P1]],","facts":[]},{"text":"Start it`: 4,
		`{"sentences":[{"text":"Say \"yes\" now","facts":["f1"]}]}`: 3, `{"sentences":[{"text": "a\`: 1, `{"text":""}`: 0,
	} {
		if got := countWords(text); got != want {
			t.Errorf("%s has %d words, want %d", text, got, want)
		}
	}
}
