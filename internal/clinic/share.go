package clinic

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// share sets up the three deeds that come in numbers: claims, records and reports. Each is one small step for one row,
// and most of what a step costs is the transaction around it.
func (c *Clinic) share() {
	c.claims = &rides[*claim]{most: shareMost, flights: shareFlights, limit: time.Minute, run: c.claimAll}
	c.records = &rides[*record]{most: shareMost, flights: shareFlights, limit: 5 * time.Second, run: c.recordAll}
	c.receipts = &rides[*post]{most: receiveMost, weigh: func(p *post) int { return len(p.receipts) }, flights: shareFlights, limit: 20 * time.Second, run: c.receiveAll}
}

// shared is the transaction of some items. Only one that is patient, with one item, waits for somebody's lock longer than a
// moment.
func (c *Clinic) shared(ctx context.Context, d Deed, patient bool, fn func(*tx) error) (tell func(), err error) {
	var o pgx.TxOptions
	if !patient {
		o.BeginQuery = "BEGIN; SET LOCAL lock_timeout = '250ms'"
	}
	var told *news
	err = c.transact(ctx, o, d, func(t *tx) error { told = t.news; return fn(t) })
	if err != nil {
		return nil, err
	}
	return func() { c.tell(ctx, told) }, nil
}

// databaseAway: there is no use in trying each by itself. A time limit that was over says nothing of the kind, and neither
// does a refusal of ours that calls itself Unavailable: a key that is missing is one patient's.
func databaseAway(err error) bool { return isAway(err) && !errors.Is(err, context.DeadlineExceeded) }
