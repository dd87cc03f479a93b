package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
)

// DeliveryCount is how many deliveries are in a state. Of those that wait, Oldest is for how long the longest has: a
// queued one since its time came, the others since they got there.
type DeliveryCount struct {
	State  string
	Rows   int
	Oldest time.Duration // 0 for states that are an end, and for none
}

// openStates are the states that a delivery leaves again; endStates are ends that somebody should hear of, counted for
// endsWithin.
var (
	openStates = []string{"queued", "sending", "unknown", "needs_person"}
	endStates  = []string{"failed", "refused", "undelivered", "expired"}
)

const endsWithin = 24 * time.Hour

// DeliveryCount counts, over all clinics, the deliveries that wait for something, and those of the last day that came
// to an end at which nobody got anything. It is a look along one index, for the alarm; it says nothing about anybody.
func (c *Clinic) DeliveryCount(ctx context.Context) ([]DeliveryCount, error) {
	now := c.now().UTC()
	rows, err := db.New(c.pool).DeliveryCount(ctx, db.DeliveryCountParams{At: now, Since: now.Add(-endsWithin),
		States: append(append([]string{}, openStates...), endStates...), OpenStates: openStates})
	if err != nil {
		return nil, err
	}
	var out []DeliveryCount
	for _, r := range rows {
		n := DeliveryCount{State: r.State, Rows: int(r.Rows)}
		for _, state := range openStates {
			if state == r.State {
				n.Oldest = max(now.Sub(r.Oldest), 0)
			}
		}
		out = append(out, n)
	}
	return out, nil
}
