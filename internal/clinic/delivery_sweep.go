package clinic

import (
	"cmp"
	"context"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
)

// DeliverySweep finds what was left lying: claims whose lease is over (nobody knows whether they were sent, so they
// become unknown and are never sent again by themselves), notices whose time ran out behind an open breaker, reports that crossed with the record of their delivery, and
// draft requests that were begun three times and never finished. It returns how many.
func (c *Clinic) DeliverySweep(ctx context.Context, a Actor) (int, error) {
	n := 0
	err := c.do(ctx, a, DeliverySweep, Subject{Kind: "delivery"}, func(t *tx) error {
		t.silent = true
		leases, err := t.sweepLeases(ctx)
		if err != nil {
			return err
		}
		drafts, err := t.sweepDrafts(ctx)
		n = leases + drafts
		return err
	})
	if err != nil {
		return 0, err
	}
	late, err := c.sweepLate(ctx, a)
	events, failed := c.sweepEvents(ctx, a)
	return n + late + events, cmp.Or(err, failed)
}

// sweepLate gives back to their doctors the queued notices whose time is over and that no claim looks at, because their
// channel's breaker is open. One that cannot go back, such as a patient's whose key is missing, keeps none of the others.
func (c *Clinic) sweepLate(ctx context.Context, a Actor) (n int, err error) {
	rows, err := db.New(c.pool).DeliveriesLate(ctx, db.DeliveriesLateParams{At: c.now().UTC(), Generation: c.generation.Load(), RowLimit: sweepMost})
	for _, d := range rows {
		if failed := c.expireNotice(ctx, a, DeliverySweep, d); failed != nil {
			err = cmp.Or(err, failed)
			continue
		}
		n++
	}
	return n, err
}

func (t *tx) sweepLeases(ctx context.Context) (int, error) {
	rows, err := t.DeliveriesExpiredLease(ctx, db.DeliveriesExpiredLeaseParams{At: &t.at, RowLimit: sweepMost})
	if err != nil {
		return 0, err
	}
	to := move{to: "unknown", code: "lease_expired"}
	if faultpoint.Seeded(faultpoint.SeedFence) {
		to = move{to: "queued", code: "lease_expired", next: t.at}
	}
	for _, d := range rows {
		t.line.end(&d, d.Attempt, t.at, "abandoned", "lease_expired")
		if err := t.moveDelivery(ctx, &d, to); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// sweepEvents takes a transaction for each delivery, as the reports themselves do.
func (c *Clinic) sweepEvents(ctx context.Context, a Actor) (int, error) {
	rows, err := db.New(c.pool).EventsMatchable(ctx, sweepMost)
	for i, r := range rows {
		if err := c.do(ctx, a, DeliverySweep, Subject{Kind: "delivery", ID: r.DeliveryID}, func(t *tx) error {
			t.silent = true
			d, err := t.DeliveryLockIn(ctx, db.DeliveryLockInParams{ID: r.DeliveryID, ClinicID: r.ClinicID})
			if err != nil {
				return err
			}
			return t.matchEvents(ctx, r.Provider, map[string]told{r.ProviderID: {&d, t}})
		}); err != nil {
			return i, err
		}
	}
	return len(rows), err
}

func (t *tx) sweepDrafts(ctx context.Context) (int, error) {
	rows, err := t.DraftRequestsSpent(ctx, &t.at)
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		a := t.actor
		a.ClinicID = r.ClinicID
		e := a.event(t.deed, Subject{Kind: "draft_request", ID: r.ID, Patient: r.PatientID}, t.at, "done", "gave_up")
		e.Detail["attempt"] = r.Attempt
		if err := t.write(ctx, e); err != nil {
			return 0, err
		}
		t.names = append(t.names, "message-"+r.MessageID.String(), "worklist-"+r.ClinicID.String())
	}
	return len(rows), nil
}
