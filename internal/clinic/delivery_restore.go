package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
)

// restoredCode says why a delivery that was never claimed here may have been sent.
const restoredCode = "restored"

// DeliveryRestore takes up to limit queued deliveries that may have been sent after since, of which a restored database
// knows nothing, and makes them unknown: from there evidence or a person settles them, and no machine sends them again. It
// works only while sending is stopped, and says how many they were: none means that none is left.
//
// Which are they? Those that are due by now: what is due later could not have been claimed. And which have not changed
// since the stop: what was approved, or decided by a person, while nothing is sent has not been sent.
func (c *Clinic) DeliveryRestore(ctx context.Context, a Actor, since time.Time, limit int) (int, error) {
	n := 0
	err := c.do(ctx, a, DeliveryRestore, Subject{Kind: "delivery"}, func(t *tx) error {
		t.silent = true
		rows, err := t.DeliveriesSuspect(ctx, db.DeliveriesSuspectParams{Since: &since, At: t.at, RowLimit: int32(limit)})
		for _, r := range rows {
			if err := t.restore(ctx, r, since); err != nil {
				return err
			}
		}
		n = len(rows)
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// restore doubts one delivery, and then takes the reports about it that came while it was still thought unsent.
func (t *tx) restore(ctx context.Context, r db.DeliveriesSuspectRow, since time.Time) error {
	if err := t.DeliveryAskSince(ctx, db.DeliveryAskSinceParams{Since: since, ID: r.ID, ClinicID: r.ClinicID}); err != nil {
		return err
	}
	d, err := t.DeliveryLockIn(ctx, db.DeliveryLockInParams{ID: r.ID, ClinicID: r.ClinicID})
	if err != nil {
		return err
	}
	if err := t.moveDelivery(ctx, &d, move{to: "unknown", code: restoredCode}); err != nil || !r.Reported {
		return err
	}
	reports, err := t.EventsOfDelivery(ctx, &d.ID)
	for _, e := range reports {
		if err := t.foldInto(ctx, &d, Receipt{Provider: e.Provider, ProviderID: e.ProviderID, State: e.State, Code: e.Code}); err != nil {
			return err
		}
	}
	return err
}

// DeliveryAsk widens the look-up of what was unknown already: an attempt that a restored database does not know of may
// have come after the last one that it does. It returns how many.
func (c *Clinic) DeliveryAsk(ctx context.Context, a Actor, since time.Time) (int, error) {
	n := 0
	err := c.do(ctx, a, DeliveryAsk, Subject{Kind: "delivery"}, func(t *tx) error {
		if err := t.anyHome(ctx); err != nil {
			return err
		}
		rows, err := t.DeliveriesUnknownAskSince(ctx, since)
		n = len(rows)
		t.silent = n == 0
		t.detail["count"], t.detail["since"] = n, since
		return err
	})
	return n, err
}
