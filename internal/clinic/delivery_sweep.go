package clinic

import (
	"context"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
)

// DeliverySweep finds what was left lying: claims whose lease is over (nobody knows whether they were sent, so they
// become unknown and are never sent again by themselves), reports that crossed with the record of their delivery, and
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
	events, err := c.sweepEvents(ctx, a)
	return n + events, err
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
		if err := t.AttemptEnd(ctx, db.AttemptEndParams{At: &t.at, Outcome: "abandoned", ErrorClass: "lease_expired", DeliveryID: d.ID, ClinicID: d.ClinicID, Attempt: d.Attempt}); err != nil {
			return 0, err
		}
		if err := t.moveDelivery(ctx, d, to); err != nil {
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
			return t.matchEvents(ctx, r.DeliveryID, r.ClinicID, r.Provider, r.ProviderID)
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

// DeliveryReceive stores each report once and folds it, each in a transaction of its own: one that fails takes no other
// with it, and parallel posts cannot hold each other up. The caller has verified the provider's signature on the raw
// bytes, and answers an error so that the provider reports again. A report that matches nothing yet is kept.
func (c *Clinic) DeliveryReceive(ctx context.Context, a Actor, receipts []Receipt) error {
	if !a.Can(DeliveryReceive) {
		return c.do(ctx, a, DeliveryReceive, Subject{Kind: "delivery"}, nil)
	}
	var failed error
	for _, r := range receipts {
		r.Code, r.EventKey, r.ProviderID = codeOf(r.Code), keyOf(r.EventKey), keyOf(r.ProviderID)
		err := c.do(ctx, a, DeliveryReceive, Subject{Kind: "delivery"}, func(t *tx) error {
			t.silent = true
			return t.receive(ctx, r)
		})
		if err != nil && failed == nil {
			failed = err
		}
		if KindOf(err) == Unavailable {
			break
		}
	}
	return failed
}

func (t *tx) receive(ctx context.Context, r Receipt) error {
	d, err := t.deliveryOf(ctx, r)
	known := err == nil
	if err != nil && !noRows(err) {
		return err
	}
	row := db.EventAppendParams{ID: newID(), Provider: r.Provider, EventKey: r.EventKey, ProviderID: r.ProviderID, State: r.State, Code: r.Code,
		HappenedAt: r.At, ReceivedAt: t.at}
	if known {
		row.ClinicID, row.DeliveryID = &d.ClinicID, &d.ID
	}
	n, err := t.EventAppend(ctx, row)
	if err != nil || n == 0 || !known {
		return err
	}
	if err := t.foldInto(ctx, d.ID, r); err != nil || r.ProviderID == "" {
		return err
	}
	return t.matchEvents(ctx, d.ID, d.ClinicID, r.Provider, r.ProviderID)
}

// deliveryOf locks the delivery a report is about: by the id it carries, else by the provider's own.
func (t *tx) deliveryOf(ctx context.Context, r Receipt) (db.Delivery, error) {
	if r.DeliveryID != uuid.Nil {
		d, err := t.DeliveryLock(ctx, r.DeliveryID)
		if !noRows(err) || r.ProviderID == "" {
			return d, err
		}
	}
	return t.DeliveryLockByProviderID(ctx, db.DeliveryLockByProviderIDParams{Provider: r.Provider, ProviderID: r.ProviderID})
}

// foldInto applies one piece of evidence. A bounce is noted on the contact, an opt-out in the consent ledger. Only a
// proved opening verifies a contact: that something arrived does not say at whose.
func (t *tx) foldInto(ctx context.Context, id uuid.UUID, r Receipt) error {
	d, err := t.DeliveryLock(ctx, id)
	if err != nil {
		return err
	}
	t.actor.ClinicID = d.ClinicID
	to := fold(d.State, d.Attempt, r.State)
	if to != d.State {
		if err := t.moveDelivery(ctx, d, move{to: to, code: r.Code, provider: r.Provider, providerID: r.ProviderID}); err != nil {
			return err
		}
	} else if err := t.learnProviderID(ctx, d, r); err != nil {
		return err
	}
	if r.Code == stoppedCode {
		if err := t.consent(ctx, d.RecipientIndex, d.Channel, "out", "provider"); err != nil {
			return err
		}
	}
	if to != "undelivered" || r.State != "undelivered" || d.ContactID == nil {
		return nil
	}
	return t.ContactBounce(ctx, db.ContactBounceParams{At: &t.at, Code: &r.Code, ID: *d.ContactID, ClinicID: d.ClinicID})
}
