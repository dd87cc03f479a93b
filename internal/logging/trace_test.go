package logging

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// A trace has the pattern of a route or the kind of a task, its status and how many queries it took, and nothing of what was
// planted; one that would be named by a path, or by nothing, is not sent.
func TestTrace(t *testing.T) {
	e := newEnvelopes(t)
	flush := startReports(t, e, io.Discard)
	plantEverywhere(t)
	ctx, done := Trace(WithRequestID(t.Context(), "req-11"), "http.server")
	Capture(ctx, errors.New(marked))
	done("GET /m/:token", 503, 4)
	for name, status := range map[string]int{"delivery.send": 0, "GET /m/marked path": 200, "": 200, "Marguerite": 200} {
		_, done := Trace(t.Context(), "queue.task")
		done(name, status, 0)
	}
	flush()
	e.mustHave(t, `"transaction":"GET /m/:token"`, `"op":"http.server"`, `"status":"internal_error"`, `"status":"503"`, `"queries":"4"`,
		`"transaction":"delivery.send"`, `"op":"queue.task"`, `"source":"route"`)
	got, _ := e.text()
	if n := strings.Count(got, `"type":"transaction"`); n != 2 && n != 4 { // in the item's header, and in some versions in its body
		t.Errorf("%d transactions went out", n)
	}
	trace := between(got, `"trace_id":"`, `"`)
	if trace == "" || strings.Count(got, trace) < 2 {
		t.Error("the error does not name the trace it came up in")
	}
}

func between(text, begin, end string) string {
	_, rest, _ := strings.Cut(text, begin)
	inside, _, _ := strings.Cut(rest, end)
	return inside
}

// Without a share of traces nothing is traced, and without a client nothing happens at all.
func TestNoTraces(t *testing.T) {
	_, done := Trace(t.Context(), "http.server")
	done("GET /", 200, 1)
	CheckIn("alerts", time.Minute, time.Second, true)
	e := newEnvelopes(t)
	_, flush := Setup(io.Discard, "info", "staging", e.dsn(), "v9.9.9", 0)
	t.Cleanup(resetReports)
	_, done = Trace(t.Context(), "http.server")
	done("GET /", 200, 1)
	flush()
	if got, n := e.text(); n != 0 {
		t.Errorf("%d envelopes went out: %s", n, got)
	}
}

// A check-in names the job, how it went, how long it took and when the next one is due.
func TestCheckIn(t *testing.T) {
	e := newEnvelopes(t)
	flush := startReports(t, e, io.Discard)
	plantEverywhere(t)
	CheckIn("alerts", time.Minute, 1500*time.Millisecond, true)
	CheckIn("ledger", 5*time.Minute, time.Second, false)
	CheckIn("Marguerite's job", time.Minute, time.Second, true)
	flush()
	e.mustHave(t, `"type":"check_in"`, `"monitor_slug":"alerts"`, `"status":"ok"`, `"duration":1.5`, `"monitor_slug":"ledger"`, `"status":"error"`,
		`{"type":"interval","value":5,"unit":"minute"}`, "staging")
}
