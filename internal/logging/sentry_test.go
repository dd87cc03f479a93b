package logging

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getsentry/sentry-go"
)

// envelopes plays Sentry's ingest address and keeps what was sent.
type envelopes struct {
	*httptest.Server
	mu   sync.Mutex
	sent bytes.Buffer
	n    int
}

func newEnvelopes(t *testing.T) *envelopes {
	t.Helper()
	e := &envelopes{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		fmt.Fprintln(&e.sent, r.Method, r.URL, r.Header)
		if _, err := io.Copy(&e.sent, body); err != nil {
			t.Error(err)
		}
		e.n++
		_, _ = w.Write([]byte(`{"id":"fc6d8c0c43fc4630ad850ee518f1b9d0"}`))
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *envelopes) dsn() string {
	return strings.Replace(e.URL, "http://", "http://public-key@", 1) + "/42"
}

func (e *envelopes) text() (string, int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sent.String(), e.n
}

// plantEverywhere puts marked text into each part of a scope that an
// integration, or a careless line, might fill.
func plantEverywhere(t *testing.T) {
	t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/m/marked-page-token?q=marked-query", strings.NewReader("marked-body"))
	request.Header.Set("Cookie", "CF_Authorization=marked-cookie")
	request.Header.Set("X-Note", "marked-header")
	sentry.CurrentHub().ConfigureScope(func(scope *sentry.Scope) {
		scope.SetRequest(request)
		scope.SetRequestBody([]byte("marked-body"))
		scope.SetUser(sentry.User{ID: "marked-user", Email: "marked@riverside.example", IPAddress: "198.51.100.77", Name: "marked-person"})
		scope.SetTag("note", "marked-tag")
		scope.SetTag("route", "/m/:token")
		scope.SetContext("patient", sentry.Context{"name": "marked-context"})
		scope.SetContext("runtime", sentry.Context{"extra": "marked-runtime"})
		scope.SetFingerprint([]string{"marked-fingerprint"})
		scope.AddAttachment(&sentry.Attachment{Filename: "marked-file", Payload: []byte("marked-attachment")})
		scope.AddBreadcrumb(&sentry.Breadcrumb{Category: "query", Type: "default", Message: "marked-crumb", Data: map[string]any{"a": "marked-data"}}, 10)
	})
	t.Cleanup(func() { sentry.CurrentHub().ConfigureScope(func(scope *sentry.Scope) { scope.Clear() }) })
}

// mustHave fails unless something was sent and it has each of the words; none
// of what was planted may be in it.
func (e *envelopes) mustHave(t *testing.T, words ...string) {
	t.Helper()
	got, n := e.text()
	if n == 0 {
		t.Fatal("nothing was sent")
	}
	for _, planted := range []string{"marked", "198.51.100.77", "Marguerite", "potassium"} {
		if at := strings.Index(got, planted); at >= 0 {
			t.Errorf("what was sent shows %q", got[max(0, at-80):min(len(got), at+80)])
		}
	}
	for _, word := range words {
		if !strings.Contains(got, word) {
			t.Errorf("what was sent does not have %q", word)
		}
	}
	if strings.Contains(got, "server_name") || strings.Contains(got, `"request"`) || strings.Contains(got, `"user"`) {
		t.Error("what was sent has a server name, a request or a user")
	}
}

// startReports is Setup with a real address; it takes the client away again at
// the end, because sentry-go keeps it in a global.
func startReports(t *testing.T, e *envelopes, log io.Writer) func() {
	t.Helper()
	_, flush := Setup(log, "info", "staging", e.dsn(), "v9.9.9", 1)
	t.Cleanup(resetReports)
	return flush
}

func resetReports() { sentry.CurrentHub().BindClient(nil) }

type plantedError struct{ name string }

func (m *plantedError) Error() string { return "marked error of " + m.name }

func TestCaptureSendsTypesAndStacksOnly(t *testing.T) {
	e := newEnvelopes(t)
	var log bytes.Buffer
	flush := startReports(t, e, &log)
	plantEverywhere(t)
	ctx := WithRequestID(t.Context(), "req-8")
	Capture(ctx, nil)
	Capture(ctx, fmt.Errorf("saving the brief of %s: %w", marked, errors.Join(&plantedError{marked}, promised{}, io.ErrUnexpectedEOF)))
	Capture(ctx, errors.New(marked))
	flush()
	e.mustHave(t, "*logging.plantedError", "*fmt.wrapError", "delivery.refused", "unexpected EOF", "TestCaptureSendsTypesAndStacksOnly",
		"sentry_test.go", `"request_id":"req-8"`, `"route":"/m/:token"`, "staging", "v9.9.9", `"category":"query"`, "/api/42/envelope/")
	if log.Len() != 0 {
		t.Errorf("capturing wrote to the log: %s", log.String())
	}
}

func TestMessagesAndTransactionsAreScrubbed(t *testing.T) {
	e := newEnvelopes(t)
	flush := startReports(t, e, io.Discard)
	plantEverywhere(t)
	hub := sentry.CurrentHub()
	hub.CaptureMessage("marked message")
	for name, source := range map[string]sentry.TransactionSource{"GET /m/marked-path": sentry.SourceURL, "GET /m/:token": sentry.SourceRoute} {
		hub.CaptureEvent(&sentry.Event{
			Type: "transaction", Transaction: name, TransactionInfo: &sentry.TransactionInfo{Source: source},
			Contexts:  map[string]sentry.Context{"trace": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331", "data": map[string]any{"url": "marked-url"}}},
			StartTime: time.Now().Add(-time.Second),
			Spans:     []*sentry.Span{{Op: "db.query", Name: "marked-span", Description: "SELECT 'marked'", Data: map[string]any{"a": "marked"}, Tags: map[string]string{"a": "marked"}}},
		})
	}
	flush()
	e.mustHave(t, "GET /m/:token", "db.query", "trace_id")
}

func causePanic(how string) {
	switch how {
	case "index":
		var none []int
		_ = none[len(how)]
	case "text":
		panic(marked)
	case "error":
		panic(fmt.Errorf("%s: %w", marked, io.EOF))
	case "abort":
		panic(http.ErrAbortHandler)
	}
}

func TestRecoverTellsTheKindAndTheStack(t *testing.T) {
	for how, want := range map[string]string{
		"index": "runtime error: index out of range [5] with length 0",
		"text":  "string",
		"error": "*fmt.wrapError",
		"abort": "",
		"none":  "",
	} {
		t.Run(how, func(t *testing.T) {
			e := newEnvelopes(t)
			var log bytes.Buffer
			flush := startReports(t, e, &log)
			func() {
				defer func() { Recover(WithRequestID(t.Context(), "req-9"), recover()) }()
				causePanic(how)
			}()
			flush()
			if _, n := e.text(); want == "" {
				if n != 0 || log.Len() != 0 {
					t.Errorf("%d reports and the log %q, want none", n, log.String())
				}
				return
			}
			e.mustHave(t, "panic: "+want, "causePanic", "req-9")
			line := lines(t, &log)[0]
			if line["msg"] != "panic" || line["kind"] != want || line["request_id"] != "req-9" || !strings.Contains(fmt.Sprint(line["stack"]), "causePanic") {
				t.Errorf("the log line is %v", line)
			}
			if strings.Contains(log.String(), "Marguerite") {
				t.Error("the log tells the text of the panic")
			}
		})
	}
}

func TestNoReportsWithoutAGoodDSN(t *testing.T) {
	for name, dsn := range map[string]string{"none": "", "broken": "https://no-project.example"} {
		var log bytes.Buffer
		logger, flush := Setup(&log, "info", "local", dsn, "", 0)
		Capture(t.Context(), errors.New(marked))
		flush()
		if said := strings.Contains(log.String(), "sentry is off"); said != (dsn != "") || strings.Contains(log.String(), "no-project") {
			t.Errorf("%s: the log is %q", name, log.String())
		}
		log.Reset()
		logger.Info("with its place")
		if !strings.Contains(log.String(), `"source"`) {
			t.Errorf("a local line does not say where it was written: %s", log.String())
		}
	}
}
