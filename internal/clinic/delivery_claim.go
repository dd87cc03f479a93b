package clinic

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// claim is one delivery that somebody wants to send, and what came of it.
type claim struct {
	actor  Actor
	id     uuid.UUID
	parcel *Parcel
	late   *db.Delivery // its time is over
}

// DeliveryClaim takes a due delivery for one attempt, or returns nil when there is nothing to take: it is not due, not
// queued, or another has it. Inside the claim it looks again at everything that may have changed since approval; what
// may no longer be sent is refused, cancelled or expired on the record. Claims that come together share a transaction.
func (c *Clinic) DeliveryClaim(ctx context.Context, a Actor, id uuid.UUID) (*Parcel, error) {
	if !a.Can(DeliveryClaim) {
		return nil, c.do(ctx, a, DeliveryClaim, Subject{Kind: "delivery", ID: id}, nil)
	}
	one := &claim{actor: a, id: id}
	err := c.claims.ride(ctx, one)
	if err == nil && one.late != nil { // in a transaction of its own: the message is locked before its delivery
		err = c.expireNotice(ctx, a, DeliveryClaim, *one.late)
	}
	if err != nil {
		return nil, err
	}
	return one.parcel, nil
}

// claimAll is the transaction of some claims. Of two of one delivery the second finds nothing to take.
func (c *Clinic) claimAll(ctx context.Context, all []*claim, patient bool) (tell func(), err error) {
	return c.shared(ctx, DeliveryClaim, patient, func(t *tx) error {
		asked := map[uuid.UUID]*claim{}
		p := db.DeliveriesTakeParams{Generation: c.generation.Load()}
		for _, one := range all {
			one.parcel, one.late = nil, nil
			if asked[one.id] == nil {
				asked[one.id], p.Ids = one, append(p.Ids, one.id)
			}
		}
		rows, err := t.DeliveriesTake(ctx, p)
		if err != nil {
			return err
		}
		// The fence comes before everything else: a restored row is not called expired or cancelled either.
		rows = slices.DeleteFunc(rows, func(x db.DeliveriesTakeRow) bool {
			return x.Delivery.State != "queued" || x.Delivery.NextAttemptAt.After(t.at) || !x.MaySend
		})
		out, err := t.alreadyOut(ctx, rows, asked)
		if err != nil {
			return err
		}
		slices.SortFunc(rows, func(a, b db.DeliveriesTakeRow) int { // breakers in one order, and who asked first is the first to try one
			return cmp.Or(cmp.Compare(a.Delivery.Channel, b.Delivery.Channel),
				cmp.Compare(slices.Index(p.Ids, a.Delivery.ID), slices.Index(p.Ids, b.Delivery.ID)))
		})
		for _, x := range rows {
			if out[x.Delivery.ID] {
				continue
			}
			one := asked[x.Delivery.ID]
			if err := t.as(one.actor, Subject{Kind: "delivery", ID: one.id}).take(ctx, one, x); err != nil {
				return err
			}
		}
		return nil
	})
}

// take decides about one delivery that is due: it is claimed, waits for its channel, or may no longer be sent.
func (t *tx) take(ctx context.Context, one *claim, x db.DeliveriesTakeRow) error {
	c, d := t.c, x.Delivery
	b := c.chest(d.PatientID, x.Wrapped)
	if b.err != nil {
		return b.err // our key does not open this patient: a wrong keyset, not a wrong row, so the row stays queued
	}
	to, body := b.open(d.RecipientSealed, "deliveries", "recipient", d.ID), b.open(d.BodySealed, "deliveries", "body", d.ID)
	stopURL := c.stopURL(b, x)
	stop := c.mayNotSend(t.at, x, b, to, body)
	if stop.to == "expired" {
		one.late = &d
		return nil
	}
	if stop.to != "" {
		return t.moveDelivery(ctx, &d, stop)
	}
	if d.Kind == reminderKind {
		stop, wait, err := t.stillUnread(ctx, *d.MessageID, d.ClinicID)
		switch {
		case err != nil:
			return err
		case wait:
			return t.later(&d)
		case stop.to != "":
			return t.moveDelivery(ctx, &d, stop)
		}
	}
	pass, err := t.mayPass(ctx, d.Channel, x.Breaker, d.ID)
	if err != nil {
		return err
	}
	if !pass {
		return t.later(&d)
	}
	one.parcel = c.parcel(t.at, x, to, body)
	one.parcel.StopURL = stopURL
	return t.claim(ctx, d)
}

// later leaves a delivery queued. The relay looks at it again as soon as its channel's breaker lets it.
func (t *tx) later(d *db.Delivery) error {
	d.EnqueuedAt = nil
	t.line.save(d, d.Rev)
	return nil
}

// claim takes the row for one attempt: its number is the fence.
func (t *tx) claim(ctx context.Context, d db.Delivery) error {
	rev := d.Rev
	d.State, d.Attempt, d.Rev, d.LeaseUntil, d.UpdatedAt = "sending", d.Attempt+1, rev+1, ptr(t.at.Add(t.c.times.Lease)), t.at
	t.line.save(&d, rev)
	t.line.begin(&d, t.at)
	t.names = append(t.names, "message-"+d.MessageID.String())
	return t.deliveryEvent(ctx, d.ID, d.ClinicID, d.PatientID, d.Rev, map[string]any{"from": "queued", "to": "sending", "attempt": d.Attempt})
}

// mayNotSend is everything that may have changed since approval.
func (c *Clinic) mayNotSend(now time.Time, x db.DeliveriesTakeRow, b *chest, to, body Text) move {
	d := x.Delivery
	switch {
	case !d.NotAfter.After(now):
		return move{to: "expired", code: "expired"}
	case x.MessageStatus != "approved" || d.MessageVersion == nil || x.MessageVersion != *d.MessageVersion:
		return move{to: "cancelled", code: "withdrawn"}
	case x.Consent == "out":
		return move{to: "refused", code: "opted_out"}
	case x.ContactGone || !bytes.Equal(x.ContactIndex, d.RecipientIndex):
		return move{to: "refused", code: "contact_changed"}
	case b.err != nil || !c.asSigned(x, b, to, body):
		return move{to: "refused", code: "seal"}
	}
	return move{}
}

// asSigned: notice, recipient and the message behind the link are, byte for byte, what was countersigned.
func (c *Clinic) asSigned(x db.DeliveriesTakeRow, b *chest, to, body Text) bool {
	d := x.Delivery
	if x.SignerID == nil || x.SignerName == nil || x.SignerRole == nil || x.SignedAt == nil {
		return false
	}
	s := signature{message: *d.MessageID, text: b.open(x.FinalSealed, "messages", "final", *d.MessageID).Reveal(), evidence: x.FinalEvidence,
		signer: *x.SignerID, name: *x.SignerName, role: *x.SignerRole, at: *x.SignedAt}
	return b.err == nil && c.holds(x.FinalMac, s) && addressedTo(x.FinalEvidence, d.Channel, d.RecipientIndex) &&
		bytes.Equal(d.RecipientIndex, c.keys.Index("address", looseKey(to.Reveal()))) &&
		hmac.Equal(d.Mac, c.noticeMAC(d.Kind, d.ID, d.Channel, to.Reveal(), body.Reveal(), *d.MessageVersion))
}

func (c *Clinic) parcel(now time.Time, x db.DeliveriesTakeRow, to, body Text) *Parcel {
	d := x.Delivery
	subject := subjectOf(d.Kind, x.NoticeName, d.Channel, body)
	return &Parcel{DeliveryID: d.ID, Attempt: int(d.Attempt) + 1, Kind: d.Kind, Channel: d.Channel, To: to, Subject: subject, Body: body,
		CallbackURL: c.baseURL + "/webhooks/twilio/" + d.ID.String(), StartBy: now.Add(c.times.StartWindow), DueAt: d.NextAttemptAt, NotAfter: d.NotAfter, clinicID: d.ClinicID,
		doubted: x.Breaker != breakerClosed || x.Failures > 0}
}

// stopURL is where one click in a mail program opts out; SMS has its own word for it.
func (c *Clinic) stopURL(b *chest, x db.DeliveriesTakeRow) string {
	if x.PageID == nil || x.Delivery.Channel != "email" {
		return ""
	}
	return stopLink(c.pageLink(b.open(x.TokenSealed, "pages", "token", *x.PageID).Reveal()), x.Delivery.ID)
}
