package metrics

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"countersign/internal/slo"
)

// figures are what this process itself counts of the six: each in one series without labels, so that what Prometheus
// reads and what Take hands over are the same counts.
type figures struct {
	first, query, queue prometheus.Histogram
	requests, errors    prometheus.Counter

	mu    sync.Mutex
	score *int                    // that was looked at and not taken yet, in percent
	taken map[slo.Figure]slo.Seen // what Take has handed over so far, of everything
}

func newFigures() *figures {
	time := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: slo.Bounds})
	}
	count := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &figures{
		first:    time("countersign_first_response_seconds", "Time to the first byte of a page."),
		query:    time("countersign_database_query_seconds", "Time of a trip to Postgres, of all queries together."),
		queue:    time("countersign_queue_processing_seconds", "Time from due to done of a delivery or a draft, without what the model takes."),
		requests: count("countersign_requests_total", "Requests answered, probes aside."),
		errors:   count("countersign_request_errors_total", "Requests answered with a 5xx, probes aside."),
		taken:    map[slo.Figure]slo.Seen{},
	}
}

func (f *figures) all() []prometheus.Collector {
	return []prometheus.Collector{f.first, f.query, f.queue, f.requests, f.errors}
}

// Answered counts a request for the error rate.
func (m *Metrics) Answered(status int) {
	m.figures.mu.Lock() // so that Take never sees the one counted without the other
	defer m.figures.mu.Unlock()
	m.figures.requests.Inc()
	if status >= http.StatusInternalServerError {
		m.figures.errors.Inc()
	}
}

// FirstResponse counts the time to a page's first byte.
func (m *Metrics) FirstResponse(took time.Duration) { m.figures.first.Observe(took.Seconds()) }

// QueueProcessing counts the time from due to done of a task.
func (m *Metrics) QueueProcessing(took time.Duration) {
	m.figures.queue.Observe(max(took, 0).Seconds())
}

// Score keeps what the security score was found to be, in percent.
func (m *Metrics) Score(percent int) {
	m.figures.mu.Lock()
	defer m.figures.mu.Unlock()
	m.figures.score = &percent
}

// Take is what was counted since it was last called, by figure; those with nothing new are not in it. Whoever takes it
// keeps it: it is not told again.
func (m *Metrics) Take() map[slo.Figure]slo.Seen {
	f := m.figures
	f.mu.Lock()
	defer f.mu.Unlock()
	now := map[slo.Figure]slo.Seen{
		slo.FirstResponse: timesOf(slo.FirstResponse, f.first), slo.DatabaseQuery: timesOf(slo.DatabaseQuery, f.query),
		slo.QueueProcessing: timesOf(slo.QueueProcessing, f.queue),
	}
	bad, all := countOf(f.errors), countOf(f.requests)
	now[slo.ErrorRate] = slo.Seen{Count: all, Good: all - bad}
	out := map[slo.Figure]slo.Seen{}
	for name, seen := range now {
		if since := less(seen, f.taken[name]); since.Count > 0 {
			out[name] = since
		}
	}
	f.taken = now
	if f.score != nil {
		out[slo.SecurityScore] = scoreOf(*f.score)
		f.score = nil
	}
	return out
}

func scoreOf(percent int) slo.Seen {
	s := slo.Seen{Count: 1, Value: float64(percent) / 100}
	if slo.Of(slo.SecurityScore).Kept(s.Value) {
		s.Good = 1
	}
	return s
}

func less(now, before slo.Seen) slo.Seen {
	d := slo.Seen{Count: now.Count - before.Count, Good: now.Good - before.Good}
	d.Histogram.Add(now.Histogram)
	d.Histogram.Sum -= before.Histogram.Sum
	for i, n := range before.Histogram.Buckets {
		d.Histogram.Buckets[i] -= n
	}
	return d
}

// timesOf reads a histogram of slo.Bounds back. Prometheus counts cumulatively.
func timesOf(name slo.Figure, h prometheus.Histogram) slo.Seen {
	var w dto.Metric
	if h.Write(&w) != nil {
		return slo.Seen{}
	}
	s := slo.Seen{Count: int64(w.Histogram.GetSampleCount())}
	below := uint64(0)
	for _, b := range w.Histogram.Bucket {
		s.Histogram.Buckets = append(s.Histogram.Buckets, int64(b.GetCumulativeCount()-below))
		below = b.GetCumulativeCount()
	}
	s.Histogram.Buckets = append(s.Histogram.Buckets, s.Count-int64(below))
	s.Histogram.Sum = w.Histogram.GetSampleSum()
	s.Good = s.Histogram.Under(slo.Bounds, slo.Of(name).Limit)
	return s
}

func countOf(c prometheus.Counter) int64 {
	var w dto.Metric
	if c.Write(&w) != nil {
		return 0
	}
	return int64(w.Counter.GetValue())
}
