package metrics

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"countersign/internal/slo"
)

// What Prometheus reads and what is taken for the rows are the same counts, and each is taken once.
func TestTakeIsWhatPrometheusReads(t *testing.T) {
	t.Parallel()
	m := New()
	if got := m.Take(); len(got) != 0 {
		t.Errorf("of nothing: %+v", got)
	}
	m.FirstResponse(3 * time.Millisecond)
	m.FirstResponse(50 * time.Millisecond)
	m.FirstResponse(70 * time.Millisecond)
	m.QueueProcessing(-time.Second)
	m.Answered(200)
	m.Answered(404)
	m.Answered(503)
	m.Score(95)
	got := m.Take()
	first := got[slo.FirstResponse]
	if first.Count != 3 || first.Good != 2 || first.Histogram.Count() != 3 || len(first.Histogram.Buckets) != len(slo.Bounds)+1 {
		t.Errorf("%+v", first)
	}
	if e := got[slo.ErrorRate]; e.Count != 3 || e.Good != 2 {
		t.Errorf("%+v", e)
	}
	if s := got[slo.SecurityScore]; s.Count != 1 || s.Good != 0 || s.Value != .95 {
		t.Errorf("%+v", s)
	}
	m.FirstResponse(time.Hour)
	if got = m.Take(); len(got) != 1 || got[slo.FirstResponse].Count != 1 || got[slo.FirstResponse].Good != 0 || got[slo.FirstResponse].P50() != 300 {
		t.Errorf("%+v", got)
	}
	text := scrape(t, m)
	for _, want := range []string{"countersign_first_response_seconds_count 4", `countersign_first_response_seconds_bucket{le="0.05"} 2`,
		"countersign_queue_processing_seconds_count 1", "countersign_requests_total 3", "countersign_request_errors_total 1"} {
		if !strings.Contains(text, want) {
			t.Errorf("the figures do not have %s", want)
		}
	}
}

// Nothing is lost or told twice between requests that are counted while others take.
func TestTakeBesideRequests(t *testing.T) {
	t.Parallel()
	m := New()
	var counting, taking sync.WaitGroup
	done := make(chan struct{})
	var seen slo.Seen
	taking.Go(func() {
		for over := false; !over; {
			select {
			case <-done:
				over = true
			default:
			}
			one := m.Take()[slo.ErrorRate]
			if one.Good < 0 || one.Good > one.Count {
				t.Errorf("%+v", one)
			}
			seen.Add(one)
		}
	})
	for range 8 {
		counting.Go(func() {
			for i := range 1000 {
				m.Answered(200 + 300*(i%2))
			}
		})
	}
	counting.Wait()
	close(done)
	taking.Wait()
	if seen.Count != 8000 || seen.Good != 4000 {
		t.Errorf("%+v", seen)
	}
}

// held looks, at each count and each reading of one, whether the counts are locked meanwhile.
type held struct {
	prometheus.Counter
	t     *testing.T
	mu    *sync.Mutex
	looks *atomic.Int64
}

func (h held) look(doing string) {
	h.looks.Add(1)
	if h.mu.TryLock() {
		h.mu.Unlock()
		h.t.Errorf("another may come between while somebody is %s", doing)
	}
}

func (h held) Inc()                      { h.look("counting"); h.Counter.Inc() }
func (h held) Write(w *dto.Metric) error { h.look("taking"); return h.Counter.Write(w) }

// A request is counted as a whole: who takes never sees it among all and not yet among the failed, which would make a failed one
// good for ever.
func TestAnsweredIsCountedWhole(t *testing.T) {
	t.Parallel()
	m := New()
	var looks atomic.Int64
	f := m.figures
	f.requests, f.errors = held{f.requests, t, &f.mu, &looks}, held{f.errors, t, &f.mu, &looks}
	m.Answered(503)
	if got := m.Take()[slo.ErrorRate]; got.Count != 1 || got.Good != 0 || looks.Load() != 4 {
		t.Errorf("%+v after %d looks", got, looks.Load())
	}
}

// Every series is named as Prometheus wants it.
func TestSeriesAreNamedWell(t *testing.T) {
	t.Parallel()
	m := New()
	m.Request("/", "GET", 200, time.Second)
	m.Task("delivery.send", nil, time.Second)
	m.Refused("address")
	m.Webhook("twilio", "forged")
	families, err := m.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "countersign_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
