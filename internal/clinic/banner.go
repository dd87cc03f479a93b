package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
)

// Banners are what every page of a person says beside its own matter.
type Banners struct {
	Stopped       *Instance // nothing is sent, and since when
	Glass         []Glass   // whom the person may read at the moment, beside their own patients
	GlassWaiting  int       // emergency accesses that wait for the person's review
	AccessWaiting int       // access reviews that wait for a signature of theirs
	AccessOverdue bool      // and one has for too long
	Alerts        int       // that fire, and that nobody is at
	Waiting       int       // on the person's worklist
}

// BannersSee asks in one round trip what every page says, each part of it for who may know it by the policy's table: others are
// told none. It leaves no trace. A part that cannot be opened leaves the others, and its error comes with them.
func (c *Clinic) BannersSee(ctx context.Context, a Actor) (Banners, error) {
	conn, err := c.pool.Acquire(ctx)
	if err != nil {
		return Banners{}, err
	}
	defer conn.Release()
	var asked asking
	at := c.now().UTC() // one moment: a question is known by its arguments
	_, _ = c.banners(ctx, db.New(&asked), a, at)
	known, err := asked.send(ctx, conn)
	if err != nil {
		return Banners{}, err
	}
	return c.banners(ctx, db.New(known), a, at)
}

// banners asks q for each part; an error is the first part's that could not be read.
func (c *Clinic) banners(ctx context.Context, q *db.Queries, a Actor, at time.Time) (b Banners, failed error) {
	part := func(err error) {
		if failed == nil {
			failed = err
		}
	}
	instance, err := q.InstanceGet(ctx)
	if part(err); err == nil && instance.HeldAt != nil {
		held := instanceOf(instance)
		b.Stopped = &held
	}
	if a.Can(GlassReview) {
		n, err := q.GlassUnreviewed(ctx, a.ClinicID)
		part(err)
		b.GlassWaiting = int(n)
	} else if policy[GlassBreak][a.Role] != None {
		b.Glass, err = c.glassOpen(ctx, q, a, at)
		part(err)
	}
	if a.Can(AccessSign) {
		r, err := q.AccessWaiting(ctx, a.ClinicID)
		part(err)
		b.AccessWaiting, b.AccessOverdue = int(r.Waiting), err == nil && late(r, at)
	}
	if a.Can(AlertList) {
		n, err := q.AlertsCount(ctx, db.AlertsCountParams{ClinicID: a.ClinicID, At: at})
		part(err)
		b.Alerts = int(n)
	}
	b.Waiting, err = worklistCount(ctx, q, a, at)
	part(err)
	return b, failed
}
