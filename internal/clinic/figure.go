package clinic

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/slo"
)

// How long rows of figures are kept: minutes for what is now, quarters for the month's budget and a look back.
const (
	minutesKept  = 48 * time.Hour
	quartersKept = 400 * 24 * time.Hour
	upKept       = 31 * 24 * time.Hour
)

// Counted is what one process counted of one figure since it last told.
type Counted struct {
	Figure slo.Figure
	Seen   slo.Seen
}

// FiguresKeep adds what a process counted to the rows of a minute: numbers of the installation, about nobody. Nothing
// of it is announced or on the trail.
func (c *Clinic) FiguresKeep(ctx context.Context, process uuid.UUID, minute time.Time, all []Counted) error {
	p := db.FiguresKeepParams{Minute: minute.UTC().Truncate(time.Minute), Quarter: minute.UTC().Truncate(slo.Quarter), Process: process}
	for _, one := range all {
		if one.Seen.Count <= 0 {
			continue
		}
		total := one.Seen.Histogram.Sum
		if !slo.Of(one.Figure).Time {
			total = one.Seen.Value
		}
		p.Figures, p.Seens, p.Goods = append(p.Figures, string(one.Figure)), append(p.Seens, one.Seen.Count), append(p.Goods, one.Seen.Good)
		p.Totals, p.Buckets = append(p.Totals, total), append(p.Buckets, arrayOf(one.Seen.Histogram.Buckets))
	}
	if len(p.Figures) == 0 {
		return nil
	}
	return db.New(c.pool).FiguresKeep(ctx, p)
}

// arrayOf spells buckets as Postgres does, so that a list of lists can be one parameter.
func arrayOf(buckets []int64) string {
	return "{" + strings.Trim(strings.ReplaceAll(fmt.Sprint(buckets), " ", ","), "[]") + "}"
}

// FiguresForget deletes what is older than anybody looks at. Of the minutes that were up it keeps the count.
func (c *Clinic) FiguresForget(ctx context.Context) error {
	now, q := c.now().UTC(), db.New(c.pool)
	if err := q.FigureMinutesForget(ctx, now.Add(-minutesKept)); err != nil {
		return err
	}
	if err := q.FigureQuartersForget(ctx, now.Add(-quartersKept)); err != nil {
		return err
	}
	if err := q.VitalsForget(ctx, now.Add(-quartersKept)); err != nil {
		return err
	}
	return q.UpForget(ctx, now.Add(-upKept).Truncate(time.Minute))
}

// UpBeat is a web process's heartbeat: it serves in this minute. The first one ever begins the time of which uptime is
// the share.
func (c *Clinic) UpBeat(ctx context.Context) error {
	minute, q := c.now().UTC().Truncate(time.Minute), db.New(c.pool)
	if err := q.UpBeat(ctx, minute); err != nil {
		return err
	}
	next := minute.Add(time.Minute)
	return q.UpFirst(ctx, db.UpFirstParams{Since: next, Until: next})
}

// askAgain is how long a worker that leads a minute may take to get a ready answer before another asks too.
const askAgain = 10 * time.Second

// UpAsk asks whether the web is ready, at most once at a time of all workers together: who writes the minute's row leads
// it, and is the one that asks. It says whether this one did.
func (c *Clinic) UpAsk(ctx context.Context, ready func(context.Context) bool) (led bool, err error) {
	now, q := c.now().UTC(), db.New(c.pool)
	minute := now.Truncate(time.Minute)
	n, err := q.UpAsk(ctx, db.UpAskParams{Minute: minute, At: now, AgainBefore: now.Add(-askAgain)})
	if err != nil || n == 0 {
		return false, err
	}
	if !ready(ctx) {
		return true, nil
	}
	return true, q.UpReady(ctx, minute)
}

// GuardsSee is what SecurityShow sees, for the figure: counts about nobody, of the installation's first clinic.
func (c *Clinic) GuardsSee(ctx context.Context) (Guards, error) {
	q := db.New(c.pool)
	first, err := q.ClinicFirst(ctx)
	if noRows(err) {
		return Guards{}, nil
	}
	if err != nil {
		return Guards{}, err
	}
	encrypted, err := c.encrypted(ctx)
	if err != nil {
		return Guards{}, err
	}
	return c.guards(ctx, q, first.ID, encrypted)
}
