package logging

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/getsentry/sentry-go"
)

// Done ends a trace: under the name of what was done, which is a route's pattern
// with its method or a task's kind, never a path or an id; with the status of an
// answer, or 0; and with how many queries it took. Without a name, or under one
// that does not look like a pattern or a code, nothing is sent.
type Done func(name string, status, queries int)

// Trace begins one, of an operation such as http.server or queue.task. Reports of
// errors from the context it returns name the same trace. Without SENTRY_TRACES
// it does nothing. What a caller says of a trace of its own is not believed.
func Trace(ctx context.Context, op string) (context.Context, Done) {
	client := sentry.CurrentHub().Client()
	if client == nil || client.Options().TracesSampleRate == 0 {
		return ctx, func(string, int, int) {}
	}
	hub := sentry.CurrentHub().Clone()
	span := sentry.StartTransaction(sentry.SetHubOnContext(ctx, hub), "unnamed", sentry.WithOpName(op), sentry.WithTransactionSource(sentry.SourceRoute))
	return span.Context(), func(name string, status, queries int) {
		if !routeShape.MatchString(name) && !codeShape.MatchString(name) {
			span.Sampled = sentry.SampledFalse
		}
		span.Name, span.Status = name, spanStatus(status)
		if status != 0 {
			span.SetTag("status", strconv.Itoa(status))
		}
		span.SetTag("queries", strconv.Itoa(queries))
		span.Finish()
	}
}

func spanStatus(status int) sentry.SpanStatus {
	switch {
	case status >= http.StatusInternalServerError:
		return sentry.SpanStatusInternalError
	case status == 0:
		return sentry.SpanStatusOK
	default:
		return sentry.HTTPtoSpanStatus(status)
	}
}

// CheckIn tells Sentry that a scheduled job has run, how long it took and whether
// it went well. Sentry knows by itself when the next one is missing; that it comes
// two minutes late, or by a twelfth of its time (the night's work when the clocks
// change), is not missing. A job's name is a code.
func CheckIn(job string, every, took time.Duration, ok bool) {
	client := sentry.CurrentHub().Client()
	if client == nil || !codeShape.MatchString(job) {
		return
	}
	status := sentry.CheckInStatusOK
	if !ok {
		status = sentry.CheckInStatusError
	}
	minutes := max(int64(every/time.Minute), 1)
	// A scope of its own: check-ins are not asked about before they are sent, and would take along what hangs on the shared one.
	sentry.NewHub(client, sentry.NewScope()).CaptureCheckIn(&sentry.CheckIn{MonitorSlug: job, Status: status, Duration: took}, &sentry.MonitorConfig{
		Schedule: sentry.IntervalSchedule(minutes, sentry.MonitorScheduleUnitMinute), CheckInMargin: max(2, minutes/12), MaxRuntime: minutes, Timezone: "UTC",
		FailureIssueThreshold: 2, RecoveryThreshold: 1})
}
