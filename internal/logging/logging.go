// Package logging writes the log and reports faults to Sentry, and keeps
// people's text out of both.
//
// The log is slog JSON with ids only. The package knows request ids, levels,
// and which attribute keys and error kinds tend to carry text that people
// typed; it redacts those as a net under everyone else's care, not in place of
// it. It is the only importer of sentry-go. It does not know HTTP frameworks,
// the domain, or who the caller is.
package logging

import (
	"context"
	"io"
	"log/slog"
	"strings"
)

// Notice is the level between info and warn: what is nobody's fault and still worth a line in production, such as a start.
const Notice = slog.LevelInfo + 2

// Record is a notice that no level leaves out: a log without the ledger's checkpoints would prove nothing.
const Record = slog.LevelError + 92

type requestIDKey struct{}

// WithRequestID returns a context whose log lines and reports carry the id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// RequestID returns the id in the context, or nothing.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

// Setup makes the process's logger, which writes JSON lines to w, and makes it
// slog's default. The level is debug, info, notice, warn or error; anything else is
// info. With a DSN, Capture and Recover report to Sentry under this env and
// release, as does Trace with this share of all traces; a DSN that cannot be used is an error line and no reports. Call flush
// once before the process ends: it waits up to 2 seconds for what is being
// sent.
func Setup(w io.Writer, level, env string, sentryDSN, release string, traces float64) (logger *slog.Logger, flush func()) {
	logger = slog.New(withRequestID{slog.NewJSONHandler(w, &slog.HandlerOptions{
		Level:       levelOf(level),
		AddSource:   env == "local" || env == "dev",
		ReplaceAttr: redact,
	})}).With(slog.String("env", env))
	if release != "" {
		logger = logger.With(slog.String("release", release))
	}
	slog.SetDefault(logger)
	if sentryDSN == "" {
		return logger, func() {}
	}
	flush, err := startSentry(sentryDSN, env, release, traces)
	if err != nil {
		logger.Error("sentry is off: its DSN cannot be used")
		return logger, func() {}
	}
	return logger, flush
}

func levelOf(name string) slog.Level {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug
	case "notice":
		return Notice
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

// withRequestID adds the context's request id to each line.
type withRequestID struct{ slog.Handler }

func (h withRequestID) Handle(ctx context.Context, record slog.Record) error {
	if id := RequestID(ctx); id != "" {
		record.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, record)
}

func (h withRequestID) WithAttrs(attrs []slog.Attr) slog.Handler {
	return withRequestID{h.Handler.WithAttrs(attrs)}
}

func (h withRequestID) WithGroup(name string) slog.Handler {
	return withRequestID{h.Handler.WithGroup(name)}
}
