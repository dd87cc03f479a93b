package clinic

import (
	"cmp"
	"context"
	"slices"
	"time"

	"countersign/internal/db"
	"countersign/internal/slo"
)

// VitalKey is which vital of which page: the page's route pattern, never its address.
type VitalKey struct{ Route, Vital string }

// vitalDays is how far back the page's figures look.
const vitalDays = 7

// VitalsKeep adds what browsers told one process to the hour's rows.
func (c *Clinic) VitalsKeep(ctx context.Context, at time.Time, seen map[VitalKey]slo.Histogram) error {
	p := db.VitalsKeepParams{Hour: at.UTC().Truncate(time.Hour)}
	for key, h := range seen {
		p.Routes, p.Vitals, p.Seens, p.Buckets = append(p.Routes, short(key.Route)), append(p.Vitals, key.Vital), append(p.Seens, h.Count()), append(p.Buckets, arrayOf(h.Buckets))
	}
	if len(p.Routes) == 0 {
		return nil
	}
	return db.New(c.pool).VitalsKeep(ctx, p)
}

// VitalsShow is the 75th percentile of each vital by page, over the last week, by route.
func (c *Clinic) VitalsShow(ctx context.Context) ([]slo.Paged, error) {
	rows, err := db.New(c.pool).VitalHours(ctx, c.now().UTC().AddDate(0, 0, -vitalDays))
	all := map[VitalKey]slo.Histogram{}
	for _, r := range rows {
		key := VitalKey{r.Route, r.Vital}
		h := all[key]
		h.Add(slo.Histogram{Buckets: r.Buckets})
		all[key] = h
	}
	var out []slo.Paged
	for key, h := range all {
		if v, ok := slo.VitalOf(key.Vital); ok {
			out = append(out, slo.Paged{Vital: v, Route: key.Route, Visits: h.Count(), P75: h.Quantile(slo.VitalBounds, .75)})
		}
	}
	slices.SortFunc(out, func(a, b slo.Paged) int { return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Name, b.Name)) })
	return out, err
}
