package figures

import (
	"context"
	"math"
	"sync"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/slo"
)

// vitals are what browsers told this process and is not written yet: a histogram for each vital of each page. Pages are
// route patterns, of which there are as many as routes, so this cannot grow.
type vitals struct {
	mu   sync.Mutex
	seen map[clinic.VitalKey]slo.Histogram
}

// Vital counts what a browser measured on a page, in seconds, or without a unit. What is no vital or no measure is left.
func (r *Recorder) Vital(route, name string, value float64) bool {
	if _, ok := slo.VitalOf(name); !ok || math.IsNaN(value) || value < 0 || value > 600 {
		return false
	}
	v := &r.vitals
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen == nil {
		v.seen = map[clinic.VitalKey]slo.Histogram{}
	}
	key := clinic.VitalKey{Route: route, Vital: name}
	h := v.seen[key]
	h.Observe(slo.VitalBounds, value)
	v.seen[key] = h
	return true
}

// write hands over what is there; what cannot be written is put back.
func (v *vitals) write(ctx context.Context, c *clinic.Clinic, at time.Time) error {
	v.mu.Lock()
	seen := v.seen
	v.seen = nil
	v.mu.Unlock()
	err := c.VitalsKeep(ctx, at, seen)
	if err == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seen == nil {
		v.seen = map[clinic.VitalKey]slo.Histogram{}
	}
	for key, h := range seen {
		h.Add(v.seen[key])
		v.seen[key] = h
	}
	return err
}
