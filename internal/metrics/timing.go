// Package metrics measures: how long a request took and what of it was the
// database, for the Server-Timing header; and requests, tasks and queries, for
// Prometheus.
//
// It knows route patterns, task names, status classes and durations. It never
// sees a path, an id or a person, so that none can become a label.
package metrics

import (
	"context"
	"fmt"
	"sync"
	"time"
)

type timingKey struct{}

// Timing is what one request has cost so far. It is safe for use by many
// goroutines, and its methods do nothing on nil.
type Timing struct {
	started time.Time

	mu      sync.Mutex
	queries int
	db      time.Duration
	render  time.Duration
}

// WithTiming starts a Timing and returns a context that carries it.
func WithTiming(ctx context.Context) (context.Context, *Timing) {
	t := &Timing{started: time.Now()}
	return context.WithValue(ctx, timingKey{}, t), t
}

// FromContext returns the context's Timing, or nil.
func FromContext(ctx context.Context) *Timing {
	t, _ := ctx.Value(timingKey{}).(*Timing)
	return t
}

// AddDB counts queries and the time they took together.
func (t *Timing) AddDB(queries int, took time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queries += queries
	t.db += took
}

// AddRender counts time that went into making the page.
func (t *Timing) AddRender(took time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.render += took
}

func (t *Timing) rendering() time.Duration {
	if t == nil {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.render
}

// DB returns the number of queries and the time they took. Queries that ran
// side by side each count in full, so this may be more than Total.
func (t *Timing) DB() (queries int, took time.Duration) {
	if t == nil {
		return 0, 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.queries, t.db
}

// Total returns the time since the Timing was started.
func (t *Timing) Total() time.Duration {
	if t == nil {
		return 0
	}
	return time.Since(t.started)
}

// Header is the value of the Server-Timing header as of now, in milliseconds:
//
//	total;dur=12.3, db;dur=4.5;desc="3 queries", render;dur=1.2
func (t *Timing) Header() string {
	queries, took := t.DB()
	word := "queries"
	if queries == 1 {
		word = "query"
	}
	return fmt.Sprintf(`total;dur=%.1f, db;dur=%.1f;desc="%d %s", render;dur=%.1f`, milliseconds(t.Total()), milliseconds(took), queries, word,
		milliseconds(t.rendering()))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
