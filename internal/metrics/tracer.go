package metrics

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
)

// Tracer feeds the queries of a pgx connection to the request's Timing and to
// Prometheus. It looks at a query's sqlc name and never at its arguments.
type Tracer struct {
	queries *prometheus.HistogramVec
	all     prometheus.Histogram
}

var (
	_ pgx.QueryTracer    = (*Tracer)(nil)
	_ pgx.BatchTracer    = (*Tracer)(nil)
	_ pgx.CopyFromTracer = (*Tracer)(nil)
)

// Tracer returns a tracer for pgx.ConnConfig.Tracer. One serves every
// connection.
func (m *Metrics) Tracer() *Tracer { return &Tracer{m.queries, m.figures.query} }

type spanKey struct{}

// span is one call to the database under way.
type span struct {
	name    string
	started time.Time

	mu      sync.Mutex
	queries int
	failed  bool
}

func start(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, spanKey{}, &span{name: name, started: time.Now()})
}

// end closes the span of a context. A batch that ran no query counts for its
// time alone.
func (t *Tracer) end(ctx context.Context, queries int, err error) {
	s, ok := ctx.Value(spanKey{}).(*span)
	if !ok {
		return
	}
	took := time.Since(s.started)
	s.mu.Lock()
	queries += s.queries
	failed := s.failed || err != nil && !errors.Is(err, pgx.ErrNoRows)
	s.mu.Unlock()
	FromContext(ctx).AddDB(queries, took)
	label := "ok"
	if failed {
		label = "error"
	}
	t.queries.WithLabelValues(s.name, label).Observe(took.Seconds())
	t.all.Observe(took.Seconds())
}

// TraceQueryStart begins a query.
func (t *Tracer) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	return start(ctx, queryName(data.SQL))
}

// TraceQueryEnd ends a query, when its rows have been read.
func (t *Tracer) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	t.end(ctx, 1, data.Err)
}

// TraceBatchStart begins a batch, which is one wait for many queries. A query that only takes a transaction's beginning along
// goes by its own name.
func (t *Tracer) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	var named []string
	for _, q := range data.Batch.QueuedQueries {
		if name := queryName(q.SQL); name != unnamed {
			named = append(named, name)
		}
	}
	if len(named) == 1 {
		return start(ctx, named[0])
	}
	return start(ctx, "batch")
}

// TraceBatchQuery counts a query of the batch.
func (t *Tracer) TraceBatchQuery(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	if s, ok := ctx.Value(spanKey{}).(*span); ok {
		s.mu.Lock()
		s.queries++
		s.failed = s.failed || data.Err != nil
		s.mu.Unlock()
	}
}

// TraceBatchEnd ends a batch.
func (t *Tracer) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	t.end(ctx, 0, data.Err)
}

// TraceCopyFromStart begins a copy.
func (t *Tracer) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	return start(ctx, "copy")
}

// TraceCopyFromEnd ends a copy.
func (t *Tracer) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	t.end(ctx, 1, data.Err)
}

const unnamed = "unnamed"

// queryName is the name that sqlc puts into the first line of a query:
// "-- name: ReviewApprove :one". Queries without one share a name, so that no
// text of a query becomes a label.
func queryName(sql string) string {
	const mark = "-- name: "
	if !strings.HasPrefix(sql, mark) {
		return unnamed
	}
	name, _, _ := strings.Cut(sql[len(mark):], " ")
	for _, c := range name {
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return unnamed
		}
	}
	if name == "" || len(name) > 60 {
		return unnamed
	}
	return name
}
