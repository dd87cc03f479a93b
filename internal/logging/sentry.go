package logging

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/getsentry/sentry-go"
)

const flushTimeout = 2 * time.Second

// startSentry makes the client of sentry-go's own current hub, so that Capture
// and Recover need nothing but a context.
func startSentry(dsn, env, release string, traces float64) (flush func(), err error) {
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn:                   dsn,
		Environment:           env,
		Release:               release,
		AttachStacktrace:      true,
		EnableTracing:         traces > 0,
		TracesSampleRate:      traces,
		BeforeSend:            scrubEvent,
		BeforeSendTransaction: scrubEvent,
		BeforeSendLog:         func(*sentry.Log) *sentry.Log { return nil },
		BeforeSendMetric:      func(*sentry.Metric) *sentry.Metric { return nil },
	})
	if err != nil {
		return nil, err
	}
	sentry.CurrentHub().BindClient(client)
	return func() { client.Flush(flushTimeout) }, nil
}

// Capture reports an error to Sentry: its types, its stack, the request id and
// the tags of WithTags. Its text is reported only where the error promises that it is safe. Without a
// DSN, and for nil, it does nothing.
func Capture(ctx context.Context, err error) {
	if err == nil {
		return
	}
	hub := sentry.GetHubFromContext(ctx)
	if hub == nil {
		hub = sentry.CurrentHub()
	}
	hub = hub.Clone()
	if id := RequestID(ctx); id != "" {
		hub.Scope().SetTag("request_id", id)
	}
	hub.Scope().SetTags(tagsOf(ctx))
	hub.CaptureException(err)
}

// Recover takes what recover() returned, in the deferred function itself: it
// logs the kind of panic with its stack and reports it to Sentry. The text of
// the panic is told only for faults of the runtime, such as an index out of
// range. For nil, and for http.ErrAbortHandler, it does nothing.
func Recover(ctx context.Context, v any) {
	if err, ok := v.(error); v == nil || ok && errors.Is(err, http.ErrAbortHandler) {
		return
	}
	fault := &panicked{kind: typeName(v)}
	var atRuntime runtime.Error
	if err, ok := v.(error); ok && errors.As(err, &atRuntime) {
		fault.kind = atRuntime.Error()
	}
	slog.ErrorContext(ctx, "panic", slog.String("kind", fault.kind), slog.String("stack", string(debug.Stack())))
	Capture(ctx, fault)
}

// panicked is a panic as it may be reported.
type panicked struct{ kind string }

func (p *panicked) Error() string     { return "panic: " + p.kind }
func (p *panicked) SafeError() string { return p.Error() }

// tagsToldOut are the tags that hold ids, codes or route patterns.
var tagsToldOut = []string{"request_id", "route", "deed", "code", "task", "status", "queries"}

// scrubEvent makes a new event of what may leave the house. It is a list of
// what stays, so that what a later sentry-go adds does not leave by itself.
// Requests, bodies, query strings, people, server names, messages, attachments
// and the data of breadcrumbs are not on it.
func scrubEvent(event *sentry.Event, hint *sentry.EventHint) *sentry.Event {
	out := &sentry.Event{
		EventID: event.EventID, Timestamp: event.Timestamp, StartTime: event.StartTime, Type: event.Type, Level: event.Level,
		Platform: event.Platform, Sdk: event.Sdk, Environment: event.Environment, Release: event.Release, Modules: event.Modules,
		Exception: scrubExceptions(event.Exception, hint),
		Contexts:  scrubContexts(event.Contexts),
		Tags:      map[string]string{},
	}
	if event.TransactionInfo != nil && event.TransactionInfo.Source == sentry.SourceRoute {
		out.Transaction, out.TransactionInfo = event.Transaction, event.TransactionInfo
	}
	for _, name := range tagsToldOut {
		if value, ok := event.Tags[name]; ok {
			out.Tags[name] = value
		}
	}
	out.Fingerprint = fingerprint(hint, out.Tags)
	for _, crumb := range event.Breadcrumbs {
		out.Breadcrumbs = append(out.Breadcrumbs, &sentry.Breadcrumb{
			Type: crumb.Type, Category: crumb.Category, Level: crumb.Level, Timestamp: crumb.Timestamp,
		})
	}
	for _, span := range event.Spans {
		out.Spans = append(out.Spans, &sentry.Span{
			TraceID: span.TraceID, SpanID: span.SpanID, ParentSpanID: span.ParentSpanID, Op: span.Op, Status: span.Status,
			StartTime: span.StartTime, EndTime: span.EndTime, Origin: span.Origin,
		})
	}
	return out
}

// scrubExceptions keeps types and stacks. The text of an exception stays only
// where it is known to be safe; elsewhere it becomes the type.
func scrubExceptions(exceptions []sentry.Exception, hint *sentry.EventHint) []sentry.Exception {
	safe := map[string]string{}
	if hint != nil {
		for each := range chain(hint.OriginalException) {
			if text, ok := known(each); ok {
				safe[each.Error()] = text
			}
		}
	}
	out := make([]sentry.Exception, 0, len(exceptions))
	for _, exception := range exceptions {
		text, ok := safe[exception.Value]
		if !ok {
			text = exception.Type
		}
		kept := sentry.Exception{Type: exception.Type, Value: text, Module: exception.Module, ThreadID: exception.ThreadID}
		if m := exception.Mechanism; m != nil {
			kept.Mechanism = &sentry.Mechanism{Type: m.Type, Handled: m.Handled, ParentID: m.ParentID, ExceptionID: m.ExceptionID, IsExceptionGroup: m.IsExceptionGroup}
		}
		if stack := exception.Stacktrace; stack != nil {
			kept.Stacktrace = &sentry.Stacktrace{FramesOmitted: stack.FramesOmitted, Frames: scrubFrames(stack.Frames)}
		}
		out = append(out, kept)
	}
	return out
}

func scrubFrames(frames []sentry.Frame) []sentry.Frame {
	out := make([]sentry.Frame, 0, len(frames))
	for _, frame := range frames {
		frame.Vars = nil
		out = append(out, frame)
	}
	return out
}

// scrubContexts keeps what describes the machine's kind and the trace's ids.
func scrubContexts(contexts map[string]sentry.Context) map[string]sentry.Context {
	keep := map[string][]string{
		"trace":   {"trace_id", "span_id", "parent_span_id", "op", "status"},
		"runtime": {"name", "version"},
		"os":      {"name"},
	}
	out := map[string]sentry.Context{}
	for name, fields := range keep {
		for _, field := range fields {
			if value, ok := contexts[name][field]; ok {
				if out[name] == nil {
					out[name] = sentry.Context{}
				}
				out[name][field] = value
			}
		}
	}
	return out
}
