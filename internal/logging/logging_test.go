package logging

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const marked = "Marguerite Olander, potassium 5.9"

// lines reads the JSON lines of a log.
func lines(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(log.String()) {
		var one map[string]any
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			t.Fatalf("not a JSON line: %q", line)
		}
		all = append(all, one)
	}
	return all
}

func TestLogLines(t *testing.T) {
	var out bytes.Buffer
	logger, flush := Setup(&out, "warn", "production", "", "v1.2.3")
	defer flush()
	ctx := WithRequestID(t.Context(), "req-7")
	logger.InfoContext(ctx, "not shown at this level")
	logger.WarnContext(ctx, "slow", "route", "/m/:token", "took", 1500*time.Millisecond)
	logger.With("delivery", "d-1").WithGroup("try").ErrorContext(ctx, "failed", "attempt", 2)
	slog.Error("through the default")
	got := lines(t, &out)
	if len(got) != 3 {
		t.Fatalf("%d lines, want 3:\n%s", len(got), out.String())
	}
	first := got[0]
	if first["msg"] != "slow" || first["level"] != "WARN" || first["request_id"] != "req-7" || first["env"] != "production" ||
		first["release"] != "v1.2.3" || first["route"] != "/m/:token" || first["source"] != nil {
		t.Errorf("the first line is %v", first)
	}
	try, _ := got[1]["try"].(map[string]any)
	if got[1]["delivery"] != "d-1" || try["attempt"] != 2.0 || try["request_id"] != "req-7" {
		t.Errorf("the second line is %v", got[1])
	}
	if got[2]["request_id"] != nil {
		t.Errorf("a line without a request has an id: %v", got[2])
	}
	if RequestID(t.Context()) != "" {
		t.Error("an id out of nowhere")
	}
}

// Whatever somebody sends, a line of the log stays one line, and its fields stay their own.
func TestNobodyWritesALineOfTheirOwn(t *testing.T) {
	for _, bad := range []string{"a\nb", "a\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}", `","level":"ERROR","x":"`, "a\u2028b", "a\x00\x1b[2Jb", "a\xffb"} {
		var out bytes.Buffer
		logger, flush := Setup(&out, "info", "production", "", "")
		logger.Info("asked", "agent", bad, "code", bad)
		flush()
		if got := lines(t, &out); len(got) != 1 || len(got[0]) != 6 || got[0]["level"] != "INFO" || got[0]["msg"] != "asked" {
			t.Errorf("%q wrote %q", bad, out.String())
		}
		if strings.ContainsAny(strings.TrimSuffix(out.String(), "\n"), "\n\r\x00\x1b\u2028") {
			t.Errorf("%q is in the log as it came: %q", bad, out.String())
		}
	}
}

func TestLevelsAndDetail(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "WARN": slog.LevelWarn, "notice": Notice,
		"error": slog.LevelError, "": slog.LevelInfo, "loud": slog.LevelInfo} {
		if got := levelOf(name); got != want {
			t.Errorf("%q is %v, want %v", name, got, want)
		}
	}
}

func discard(out io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{ReplaceAttr: redact}))
}

func TestDangerousAttributesAreRedacted(t *testing.T) {
	t.Parallel()
	_, parseErr := strconv.Atoi(marked)
	jsonErr := json.Unmarshal([]byte(`{"a":"`+marked+`"}`), &struct{ A int }{})
	request, err := http.NewRequest(http.MethodPost, "https://x.example/m/"+url.PathEscape(marked), strings.NewReader(marked))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Marked", marked)
	for name, attr := range map[string]slog.Attr{
		"name":             slog.String("name", marked),
		"spelt otherwise":  slog.String("Patient-Name", marked),
		"e-mail":           slog.String("contact_email", marked),
		"camel case":       slog.String("requestBody", marked),
		"a page token":     slog.String("page_token", marked),
		"a path":           slog.String("path", marked),
		"any value":        slog.Any("body", []string{marked}),
		"in a group":       slog.Group("http", slog.String("query", marked)),
		"a whole group":    slog.Group("headers", slog.String("x", marked)),
		"bytes":            slog.Any("raw", []byte(marked)),
		"a request":        slog.Any("r", request),
		"headers":          slog.Any("h", request.Header),
		"an address":       slog.Any("u", request.URL),
		"a form":           slog.Any("f", url.Values{"a": {marked}}),
		"a number's error": slog.Any("err", fmt.Errorf("read the dose: %w", parseErr)),
		"an address error": slog.Any("err", &url.Error{Op: "Get", URL: marked, Err: io.EOF}),
		"a database error": slog.Any("err", errors.Join(io.EOF, &pgconn.PgError{Severity: "ERROR", Code: "22P02", Message: marked, Detail: marked})),
		"a JSON error":     slog.Any("err", jsonErr),
	} {
		var out bytes.Buffer
		discard(&out).Info("x", attr)
		for _, shape := range []string{"Marguerite", "TWFyZ3Vlcml0"} {
			if strings.Contains(out.String(), shape) {
				t.Errorf("%s shows it: %s", name, out.String())
			}
		}
	}
}

func TestUsefulAttributesStay(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	discard(&out).Info("send", "delivery", "0193-a", "draft_request", "0193-b", "route", "/m/:token", "prompt_tokens", 412, "phone", 3, "took", time.Second,
		"err", fmt.Errorf("claim: %w", &pgconn.PgError{Severity: "ERROR", Code: "23505", Message: "duplicate"}),
		"cause", &url.Error{Op: "Post", URL: "https://api.example/x", Err: context.DeadlineExceeded})
	got := lines(t, &out)[0]
	for key, want := range map[string]any{"msg": "send", "delivery": "0193-a", "draft_request": "0193-b", "route": "/m/:token", "prompt_tokens": 412.0, "phone": 3.0,
		"took": float64(time.Second), "err": "claim: database error 23505", "cause": "post: context deadline exceeded"} {
		if got[key] != want {
			t.Errorf("%s is %v, want %v", key, got[key], want)
		}
	}
}

type promised struct{}

func (promised) Error() string     { return marked }
func (promised) SafeError() string { return "delivery.refused" }

func TestKnownErrors(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want string
		ok   bool
	}{
		{promised{}, "delivery.refused", true},
		{context.Canceled, "context canceled", true},
		{context.DeadlineExceeded, "context deadline exceeded", true},
		{&pgconn.PgError{Code: "40001", Message: marked}, "database error 40001", true},
		{syscall.ECONNREFUSED, "connection refused", true},
		{errors.New(marked), "", false},
		{fmt.Errorf("%s: %w", marked, io.EOF), "", false},
	} {
		if got, ok := known(tt.err); got != tt.want || ok != tt.ok {
			t.Errorf("%T is %q, %v, want %q, %v", tt.err, got, ok, tt.want, tt.ok)
		}
	}
}
