package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// DeliveryReconcile takes up to limit deliveries of which nobody knows whether they were sent, the longest unasked
// first, for the caller to ask their provider and then DeliverySettle. Each is given to one caller at a time: again
// after Times.ProviderTime for as long as it is unknown, and every Times.LookupAgain while it needs a person, for
// Times.LookupUntil, because a provider may show late what it took. Any number of workers may call it at once.
func (c *Clinic) DeliveryReconcile(ctx context.Context, a Actor, limit int) ([]Unknown, error) {
	var out []Unknown
	err := c.do(ctx, a, DeliveryReconcile, Subject{Kind: "delivery"}, func(t *tx) error {
		t.silent = true
		rows, err := t.DeliveriesUnknown(ctx, db.DeliveriesUnknownParams{At: &t.at, Again: ptr(t.at.Add(c.times.ProviderTime)), RowLimit: int32(limit)})
		for _, r := range rows {
			out = append(out, c.unknown(t.at, r))
		}
		if err != nil || len(rows) >= limit {
			return err
		}
		late, err := t.DeliveriesUndecided(ctx, db.DeliveriesUndecidedParams{At: &t.at, Again: ptr(t.at.Add(c.times.LookupAgain)),
			First: t.at.Add(-c.times.LookupAgain), Since: t.at.Add(-c.times.LookupUntil), RowLimit: int32(limit - len(rows))})
		for _, r := range late {
			out = append(out, c.unknown(t.at, db.DeliveriesUnknownRow(r)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// unknown opens what a look-up needs. A row that does not open is not looked up, but it is not forgotten either: it
// comes to a person when its grace is over, like one that was not found.
func (c *Clinic) unknown(now time.Time, r db.DeliveriesUnknownRow) Unknown {
	u := Unknown{DeliveryID: r.ID, Attempt: int(r.Attempt), Channel: r.Channel, Since: now, Until: now, clinicID: r.ClinicID}
	if r.StartedAt != nil {
		u.Since = *r.StartedAt
	}
	switch { // what a restored database may have lost came at any time since, and is not the attempt that it knows
	case r.AskedSince != nil && r.AskedSince.Before(u.Since):
		u.Since = *r.AskedSince
	case r.AskedSince == nil && r.FinishedAt != nil:
		u.Until = *r.FinishedAt
	}
	b := c.chest(r.PatientID, r.Wrapped)
	to, body := b.open(r.RecipientSealed, "deliveries", "recipient", r.ID), b.open(r.BodySealed, "deliveries", "body", r.ID)
	if b.err == nil {
		u.To, u.Body = to, body
	}
	return u
}

// DeliverySettle writes down what a look-up found. What was found is accepted, whatever happened to the row meanwhile.
// What is conclusively not there is queued again, while no person has it. All else waits for evidence until it has been unknown for
// Times.LookupGrace, and then needs a person: no machine sends again what may have been sent.
func (c *Clinic) DeliverySettle(ctx context.Context, a Actor, u Unknown, f Found) error {
	a.ClinicID = u.clinicID
	f.ProviderID, f.Code = keyOf(f.ProviderID), codeOf(f.Code)
	return c.do(ctx, a, DeliverySettle, Subject{Kind: "delivery", ID: u.DeliveryID}, func(t *tx) error {
		t.silent = true
		d, err := t.DeliveryLockIn(ctx, db.DeliveryLockInParams{ID: u.DeliveryID, ClinicID: u.clinicID})
		if err != nil {
			return found(err)
		}
		if f.Class == FoundAccepted {
			t.line.end(&d, int32(u.Attempt), t.at, OutcomeAccepted, "")
			if err := t.accepted(ctx, &d, f.Provider, Outcome{ProviderID: f.ProviderID}, true); err != nil {
				return err
			}
			return t.foldInto(ctx, &d, Receipt{Provider: f.Provider, ProviderID: f.ProviderID, State: f.State, Code: f.Code})
		}
		mv := c.unsettled(t.at, d, u, f)
		if mv.to == "" {
			return nil
		}
		return t.moveDelivery(ctx, &d, mv)
	})
}

// unsettled is what becomes of a delivery that was looked up and not found, if anything.
func (c *Clinic) unsettled(now time.Time, d db.Delivery, u Unknown, f Found) move {
	code := FoundCannotAsk
	if f.Class == FoundNothing {
		code = FoundNothing
	}
	switch {
	case d.State != "unknown" || int(d.Attempt) != u.Attempt:
		return move{}
	case f.Class == FoundNothing && f.Conclusive:
		return move{to: "queued", code: code, next: now}
	case now.Sub(d.UpdatedAt) >= c.times.LookupGrace:
		return move{to: "needs_person", code: code}
	}
	return move{}
}

// DeliveryResend is a person's decision to send again what may already have been sent. It is counted on the row, apart
// from the promise "once". rev is what the person saw; when the row has moved since, they are told. message is the
// delivery's message, also with a Conflict.
func (c *Clinic) DeliveryResend(ctx context.Context, a Actor, id uuid.UUID, rev int) (message uuid.UUID, err error) {
	return c.decide(ctx, a, DeliveryResend, id, rev, func(t *tx, m db.MessageLockRow, d db.Delivery) (move, error) {
		if m.Status != "approved" {
			return move{}, refuse(Conflict, "withdrawn", "The message was withdrawn, so its notice cannot be sent again.")
		}
		if !d.NotAfter.After(t.at) {
			return move{}, refuse(Conflict, "expired", "The time in which this notice may be sent is over. Call the patient, or write a new message.")
		}
		t.nudges = append(t.nudges, Due{Deed: DeliverySend, ID: d.ID, Priority: int(d.Priority)})
		return move{to: "queued", next: t.at, resends: 1}, nil
	})
}

// DeliveryMarkSent takes a person's word that a notice was sent, by whatever they found out. The row says whose word
// it is. rev and message are as for DeliveryResend.
func (c *Clinic) DeliveryMarkSent(ctx context.Context, a Actor, id uuid.UUID, rev int) (message uuid.UUID, err error) {
	return c.decide(ctx, a, DeliveryMarkSent, id, rev, func(*tx, db.MessageLockRow, db.Delivery) (move, error) {
		return move{to: "accepted", markedBy: &a.ID}, nil
	})
}

// decide settles a delivery that needs a person. The message before the delivery: the order in which an undo and a
// withdrawal lock them.
func (c *Clinic) decide(ctx context.Context, a Actor, deed Deed, id uuid.UUID, rev int, choose func(*tx, db.MessageLockRow, db.Delivery) (move, error)) (message uuid.UUID, err error) {
	err = c.do(ctx, a, deed, Subject{Kind: "delivery", ID: id}, func(t *tx) error {
		t.silent = true
		of, err := t.DeliveryMessage(ctx, db.DeliveryMessageParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID})
		if err != nil {
			return found(err)
		}
		m, _, err := t.lockMessage(ctx, *of)
		if err != nil {
			return err
		}
		message = m.ID
		d, err := t.DeliveryLockIn(ctx, db.DeliveryLockInParams{ID: id, ClinicID: m.ClinicID})
		if err != nil {
			return found(err)
		}
		if d.State != "needs_person" || int(d.Rev) != rev {
			return refuse(Conflict, "settled", "This notice has moved on while you had it open. It is now: "+stepTitle(d.State)+". Nothing was changed.")
		}
		mv, err := choose(t, m, d)
		if err != nil {
			return err
		}
		return t.moveDelivery(ctx, &d, mv)
	})
	return message, err
}
