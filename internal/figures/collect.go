package figures

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"countersign/internal/clinic"
	"countersign/internal/slo"
)

const (
	readTime  = 2 * time.Second // how long a scrape may wait for Postgres
	readAgain = 5 * time.Second // between two looks at the rows, however many scrape
)

// Series shows what the rows of all processes come to: the figures that no process can know by itself, and how each of
// the six stands. While Postgres is away there are none, which is an alarm of its own.
type Series struct {
	clinic *clinic.Clinic

	mu   sync.Mutex
	at   time.Time
	last []slo.Measure

	uptime, score, errors, oldest, good, limit, objective, left *prometheus.Desc
}

var _ prometheus.Collector = (*Series)(nil)

// NewSeries describes the series and asks nobody.
func NewSeries(c *clinic.Clinic) *Series {
	one := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &Series{clinic: c,
		uptime:    one("countersign_uptime_ratio", "Share of minutes since the first start with a web heartbeat and a ready answer to the leader's probe."),
		score:     one("countersign_security_score_ratio", "The security score at the last look, 1 being 100 %."),
		errors:    one("countersign_error_ratio", "Share of answers of 5xx in the last five minutes, of all processes."),
		oldest:    one("countersign_queue_oldest_seconds", "For how long the delivery or draft that waits the longest has been due."),
		good:      one("countersign_slo_good", "Whether a figure keeps its target now: 1 or 0; missing when nothing was measured.", "figure"),
		limit:     one("countersign_slo_target", "A figure's target: seconds of the 95th percentile, or a share of 1.", "figure"),
		objective: one("countersign_slo_objective_ratio", "The share of a figure's events that has to be good in 30 days.", "figure"),
		left:      one("countersign_slo_error_budget_remaining_ratio", "What is left of a figure's error budget of 30 days; below 0 when it is overspent.", "figure"),
	}
}

// Describe names the series.
func (s *Series) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.uptime, s.score, s.errors, s.oldest, s.good, s.limit, s.objective, s.left} {
		out <- d
	}
}

// Collect reads the rows.
func (s *Series) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for _, p := range slo.Promises {
		gauge(s.limit, p.Limit, string(p.Figure))
		gauge(s.objective, p.Objective, string(p.Figure))
	}
	for _, m := range s.measures() {
		if m.Verdict != slo.Quiet {
			gauge(s.good, map[slo.Verdict]float64{slo.Good: 1}[m.Verdict], string(m.Figure))
		}
		gauge(s.left, m.Budget.Left, string(m.Figure))
		switch {
		case m.Figure == slo.QueueProcessing:
			gauge(s.oldest, m.Waiting.Seconds())
		case m.Now.Count == 0:
		case m.Figure == slo.Uptime:
			gauge(s.uptime, m.Now.Value)
		case m.Figure == slo.SecurityScore:
			gauge(s.score, m.Now.Value)
		case m.Figure == slo.ErrorRate:
			gauge(s.errors, m.Now.Value)
		}
	}
}

// measures are at most readAgain old, and none while Postgres is away.
func (s *Series) measures() []slo.Measure {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.at) < readAgain {
		return s.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	all, err := s.clinic.FiguresShow(ctx)
	if err != nil {
		return nil
	}
	s.last, s.at = all, time.Now()
	return all
}
