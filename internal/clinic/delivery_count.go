package clinic

import (
	"context"
	"slices"
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

// waitingStates are those that a delivery leaves again; lostStates are ends at which nobody got anything, counted for
// lostWithin. The query names the same.
var (
	waitingStates = []string{"queued", "sending", "unknown", "needs_person"}
	lostStates    = []string{"failed", "refused", "undelivered", "expired"}
)

const lostWithin = 24 * time.Hour

// DeliveryCount counts, over all clinics, the deliveries that wait for something, and those of the last day that came
// to an end at which nobody got anything. It is a look along one index, for the alarm; it says nothing about anybody.
func (c *Clinic) DeliveryCount(ctx context.Context) ([]DeliveryCount, error) {
	now := c.now().UTC()
	rows, err := db.New(c.pool).DeliveryCount(ctx, now.Add(-lostWithin))
	if err != nil {
		return nil, err
	}
	var out []DeliveryCount
	for _, state := range slices.Concat(waitingStates, lostStates) {
		n := DeliveryCount{State: state}
		if i := slices.IndexFunc(rows, func(r db.DeliveryCountRow) bool { return r.State == state }); i >= 0 {
			n.Rows = int(rows[i].Rows)
			if slices.Contains(waitingStates, state) {
				n.Oldest = max(now.Sub(rows[i].Oldest), 0)
			}
		}
		out = append(out, n)
	}
	return out, nil
}
