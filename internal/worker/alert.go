package worker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"countersign/internal/clinic"
)

// Alerts is how the rules are evaluated, and how people are told.
type Alerts struct {
	Every  time.Duration // between two evaluations, of all workers together; 1 min unless set
	Repeat time.Duration // until people are told again; 4 h unless set
	Off    []string      // rules that are left out
	// Tell sends one notice, by its way; the code says why it did not go, and is empty when it did.
	Tell map[string]func(ctx context.Context, n clinic.AlertNotice) (code string)
	// Heartbeat is called after each good evaluation, by the worker that made it: a dead man's switch. It may be nil.
	Heartbeat func(ctx context.Context) error
}

// Parts of an interval after which each worker tries: what a dead one has left is taken up soon.
const alertTries = 6

// evaluate evaluates the alert rules if it is time and nobody else has.
func (w *Worker) evaluate(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	a := w.cfg.Alerts
	ctx, done := w.cfg.Trace(ctx, "cron")
	result, err := w.cfg.Clinic.AlertEvaluate(ctx, clinic.WorkerActor("alerts"), clinic.AlertRound{Every: a.Every, Repeat: a.Repeat, Off: a.Off, Ways: slices.Sorted(maps.Keys(a.Tell))})
	if err == nil && !result.Led {
		done("", 0, 0)
		return idle
	}
	done(string(clinic.AlertEvaluate), 0, 0)
	if err != nil {
		return err
	}
	if result.Fired+result.Cleared > 0 {
		w.cfg.Log.WarnContext(ctx, "alerts changed", "fired", result.Fired, "cleared", result.Cleared, "firing", result.Firing)
	}
	if a.Heartbeat != nil {
		if err := a.Heartbeat(ctx); err != nil {
			w.cfg.Log.WarnContext(ctx, "the heartbeat was not heard", "code", err.Error()) // a code
		}
	}
	return nil
}

// notices sends what people are to be told of alerts. It needs Postgres and no Redis, so that an outage of the queue can be
// told of.
func (w *Worker) notices(ctx context.Context) error {
	list, err := w.cfg.Clinic.AlertNoticesTake(ctx)
	if err != nil {
		return err
	}
	var sending sync.WaitGroup
	for _, n := range list {
		sending.Go(func() { w.guarded(ctx, func(ctx context.Context) error { return w.notice(ctx, n) }) })
	}
	sending.Wait()
	return nil
}

// noticeTime bounds one notice; its lease is longer.
const noticeTime = 30 * time.Second

func (w *Worker) notice(ctx context.Context, n clinic.AlertNotice) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noticeTime) // what was begun is written down, also by one that stops
	defer cancel()
	code := "no_way" // this way is not set any more
	if tell := w.cfg.Alerts.Tell[n.Way]; tell != nil {
		code = tell(ctx, n)
	}
	w.cfg.Log.InfoContext(ctx, "alert notice", "rule", n.Rule.Name, "kind", n.Kind, "way", n.Way, "notice", n.ID, "code", code)
	return w.cfg.Clinic.AlertNoticeSent(ctx, n, code)
}

// AlertSeries shows when the rules were last evaluated and what fires, read from the rows when it is asked for. While Postgres
// is away there is none, which is an alarm of its own.
type AlertSeries struct {
	clinic            *clinic.Clinic
	evaluated, firing *prometheus.Desc
}

var _ prometheus.Collector = (*AlertSeries)(nil)

// NewAlertSeries describes the series and asks nobody.
func NewAlertSeries(c *clinic.Clinic) *AlertSeries {
	return &AlertSeries{clinic: c,
		evaluated: prometheus.NewDesc("countersign_alerts_evaluated_timestamp_seconds", "When the alert rules were last evaluated, by any worker.", nil, nil),
		firing:    prometheus.NewDesc("countersign_alerts_firing", "Alerts that fire now, by rule.", []string{"rule"}, nil)}
}

// Describe names both.
func (s *AlertSeries) Describe(out chan<- *prometheus.Desc) { out <- s.evaluated; out <- s.firing }

// Collect asks Postgres.
func (s *AlertSeries) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), counting)
	defer cancel()
	at, firing, err := s.clinic.AlertsNow(ctx)
	if err != nil {
		return
	}
	out <- prometheus.MustNewConstMetric(s.evaluated, prometheus.GaugeValue, float64(at.UnixMilli())/1000)
	for rule, n := range firing {
		out <- prometheus.MustNewConstMetric(s.firing, prometheus.GaugeValue, float64(n), rule)
	}
}
