package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
	"countersign/internal/slo"
)

// FiguresShow is the six figures as they stand, in the order of slo.Promises: now, over the last day with its picture,
// and the budget of the last 30 days. They are read from the rows that every process wrote, so they are the same
// wherever they are asked for, also after a restart; what a process counted in its last seconds is not in them yet.
func (c *Clinic) FiguresShow(ctx context.Context) ([]slo.Measure, error) {
	now := c.now().UTC()
	r := reading{q: db.New(c.pool), now: now}
	recent, err := r.minutes(ctx, slo.NowWindow)
	if err != nil {
		return nil, err
	}
	day, trend, err := r.day(ctx)
	if err != nil {
		return nil, err
	}
	sums, err := r.q.FigureSums(ctx, now.Add(-slo.BudgetWindow))
	if err != nil {
		return nil, err
	}
	budgets := map[slo.Figure]slo.Seen{}
	for _, s := range sums {
		budgets[slo.Figure(s.Figure)] = slo.Seen{Count: s.Seen, Good: s.Good}
	}
	all := make([]slo.Measure, 0, len(slo.Promises))
	for _, p := range slo.Promises {
		m := slo.Measure{Promise: p, Now: recent[p.Figure], Day: day[p.Figure], Trend: trend[p.Figure], Budget: p.BudgetOf(budgets[p.Figure].Count, budgets[p.Figure].Good)}
		if err := r.beside(ctx, &m); err != nil {
			return nil, err
		}
		m.Judge()
		all = append(all, m)
	}
	return all, nil
}

// FiguresOver is what was seen of each figure in the last window, at most two days: for whoever watches.
func (c *Clinic) FiguresOver(ctx context.Context, window time.Duration) (map[slo.Figure]slo.Seen, error) {
	r := reading{q: db.New(c.pool), now: c.now().UTC()}
	all, err := r.minutes(ctx, window)
	if err != nil {
		return nil, err
	}
	all[slo.Uptime], err = r.up(ctx, window)
	return all, err
}

// reading is one look at the rows.
type reading struct {
	q   *db.Queries
	now time.Time
}

// minutes adds up what all processes saw in a window, the minute under way included.
func (r reading) minutes(ctx context.Context, window time.Duration) (map[slo.Figure]slo.Seen, error) {
	rows, err := r.q.FigureMinutes(ctx, db.FigureMinutesParams{Since: r.now.Add(-window).Truncate(time.Minute), Until: r.now.Add(time.Minute)})
	all := map[slo.Figure]slo.Seen{}
	for _, row := range rows {
		add(all, row.Figure, row.Seen, row.Good, row.Total, row.Buckets)
	}
	return all, err
}

func add(all map[slo.Figure]slo.Seen, figure string, seen, good int64, total float64, buckets []int64) {
	f := slo.Figure(figure)
	s := all[f]
	s.Add(slo.Seen{Count: seen, Good: good, Histogram: slo.Histogram{Sum: total, Buckets: buckets}})
	s.Value = share(f, s)
	all[f] = s
}

// share is the figure itself, of one that is no time: of errors the bad among all, of the score what it was on average.
func share(f slo.Figure, s slo.Seen) float64 {
	switch f {
	case slo.ErrorRate:
		return float64(s.Count-s.Good) / float64(s.Count)
	case slo.SecurityScore:
		return s.Histogram.Sum / float64(s.Count)
	default:
		return 0
	}
}

// day adds up the last 24 hours and draws them, a point each quarter of an hour.
func (r reading) day(ctx context.Context) (map[slo.Figure]slo.Seen, map[slo.Figure][]slo.Point, error) {
	rows, err := r.q.FigureQuarters(ctx, r.now.Add(-slo.DayWindow).Truncate(slo.Quarter))
	all, trend := map[slo.Figure]slo.Seen{}, map[slo.Figure][]slo.Point{}
	for _, row := range rows {
		add(all, row.Figure, row.Seen, row.Good, row.Total, row.Buckets)
		one := map[slo.Figure]slo.Seen{}
		add(one, row.Figure, row.Seen, row.Good, row.Total, row.Buckets)
		f := slo.Figure(row.Figure)
		trend[f] = append(trend[f], slo.Point{At: row.Quarter, Value: slo.Of(f).Judged(one[f])})
	}
	return all, trend, err
}

// beside reads what is not in the rows of figures: what waits, the last score, and the minutes that were up.
func (r reading) beside(ctx context.Context, m *slo.Measure) error {
	switch m.Figure {
	case slo.QueueProcessing:
		due, err := r.q.QueueOldest(ctx, r.now)
		m.Waiting = max(r.now.Sub(due), 0)
		return err
	case slo.SecurityScore: // it stands until the next look
		last, err := r.q.FigureLast(ctx, db.FigureLastParams{Figure: string(m.Figure), Since: r.now.Add(-time.Hour)})
		if noRows(err) {
			return nil
		}
		if last.Seen > 0 {
			m.Now = slo.Seen{Count: last.Seen, Value: last.Total / float64(last.Seen)}
		}
		return err
	case slo.Uptime:
		return r.uptime(ctx, m)
	default:
		return nil
	}
}

// uptime is over whole minutes: now since the first start, the day, and the budget's window.
func (r reading) uptime(ctx context.Context, m *slo.Measure) error {
	until := r.now.Truncate(time.Minute)
	s, err := r.q.UpSince(ctx, until)
	if noRows(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if all := int64(until.Sub(s.Since) / time.Minute); all > 0 {
		m.Now = minutesUp(all, s.Up+s.Kept)
	}
	if m.Day, err = r.up(ctx, slo.DayWindow); err != nil {
		return err
	}
	window, err := r.up(ctx, slo.BudgetWindow)
	if err != nil {
		return err
	}
	m.Budget = m.BudgetOf(window.Count, window.Good)
	m.Trend, err = r.upTrend(ctx, s.Since)
	return err
}

func minutesUp(all, up int64) slo.Seen {
	return slo.Seen{Count: all, Good: up, Value: float64(up) / float64(all)}
}

// up counts the whole minutes of a window, or since the first start if that is later.
func (r reading) up(ctx context.Context, window time.Duration) (slo.Seen, error) {
	until := r.now.Truncate(time.Minute)
	s, err := r.q.UpSince(ctx, until)
	if noRows(err) {
		return slo.Seen{}, nil
	}
	if err != nil {
		return slo.Seen{}, err
	}
	from := until.Add(-window)
	if s.Since.After(from) {
		from = s.Since
	}
	all := int64(until.Sub(from) / time.Minute)
	if all <= 0 {
		return slo.Seen{}, nil
	}
	n, err := r.q.UpCount(ctx, db.UpCountParams{Since: from, Before: until})
	return minutesUp(all, n), err
}

// upTrend is the share of minutes up in each quarter of an hour of the last day. A quarter without a row was down.
func (r reading) upTrend(ctx context.Context, since time.Time) ([]slo.Point, error) {
	until, from := r.now.Truncate(time.Minute), r.now.Add(-slo.DayWindow).Truncate(slo.Quarter)
	if since.After(from) {
		from = since
	}
	rows, err := r.q.UpShow(ctx, from)
	up := map[int64]int{} // by quarter, in Unix time: two times may be the same and no equal keys
	for _, row := range rows {
		if row.Beat && row.Ready {
			up[row.Minute.Truncate(slo.Quarter).Unix()]++
		}
	}
	var points []slo.Point
	for at := from; at.Before(until); at = at.Truncate(slo.Quarter).Add(slo.Quarter) {
		end := at.Truncate(slo.Quarter).Add(slo.Quarter)
		if end.After(until) {
			end = until
		}
		if minutes := end.Sub(at).Minutes(); minutes >= 1 {
			points = append(points, slo.Point{At: at, Value: min(float64(up[at.Truncate(slo.Quarter).Unix()])/minutes, 1)})
		}
	}
	return points, err
}
