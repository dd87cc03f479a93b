package worker

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"countersign/internal/clinic"
)

// counting is how long a scrape may wait for Postgres.
const counting = 2 * time.Second

// counts are the figures that the alarm for deliveries stands on, read from the rows when they are asked for. While
// Postgres is away there are none, which is an alarm of its own.
type counts struct {
	clinic       *clinic.Clinic
	rows, oldest *prometheus.Desc
	calls        *prometheus.Desc
	backup       *prometheus.Desc
}

var _ prometheus.Collector = (*counts)(nil)

func newCounts(c *clinic.Clinic) *counts {
	return &counts{clinic: c,
		rows: prometheus.NewDesc("countersign_deliveries",
			"Deliveries by state: those that wait now, and those of the last day that ended without anybody getting anything.", []string{"state"}, nil),
		oldest: prometheus.NewDesc("countersign_delivery_oldest_seconds",
			"For how long the oldest delivery has waited in a state; a queued one since it was due.", []string{"state"}, nil),
		calls: prometheus.NewDesc("countersign_call_oldest_seconds",
			"For how long the longest waiting of the patients whom somebody is to call has waited; 0 if there is none.", nil, nil),
		backup: prometheus.NewDesc("countersign_backup_age_seconds",
			"How old the newest backup of this database is; absent if there is none.", nil, nil)}
}

// Describe names the figures.
func (n *counts) Describe(out chan<- *prometheus.Desc) {
	out <- n.rows
	out <- n.oldest
	out <- n.calls
	out <- n.backup
}

// Collect asks Postgres once for each.
func (n *counts) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), counting)
	defer cancel()
	if at, err := n.clinic.BackupLast(ctx); err == nil && !at.IsZero() {
		out <- prometheus.MustNewConstMetric(n.backup, prometheus.GaugeValue, time.Since(at).Seconds())
	}
	if _, oldest, err := n.clinic.CallsDue(ctx); err == nil {
		out <- prometheus.MustNewConstMetric(n.calls, prometheus.GaugeValue, oldest.Seconds())
	}
	list, err := n.clinic.DeliveryCount(ctx)
	if err != nil {
		return
	}
	for _, one := range list {
		out <- prometheus.MustNewConstMetric(n.rows, prometheus.GaugeValue, float64(one.Rows), one.State)
		out <- prometheus.MustNewConstMetric(n.oldest, prometheus.GaugeValue, one.Oldest.Seconds(), one.State)
	}
}
