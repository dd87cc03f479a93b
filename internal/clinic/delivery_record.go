package clinic

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
)

// ranks orders what happened to a notice; evidence only ever moves it forward. undelivered stands between delivered
// and opened: a bounce can follow "delivered", and a proved opening beats a bounce.
var ranks = map[string]int{"accepted": 1, "in_transit": 2, "sent": 3, "delivered": 4, "undelivered": 5, "opened": 6, "acknowledged": 7}

// fold is what a delivery's state becomes when evidence for `seen` arrives: commutative, idempotent, forward by rank.
// Evidence wins over every state of a row that was claimed, queued again and cancelled included; about a row that was
// never tried there can be none, so it changes nothing.
func fold(state string, tries int32, seen string) string {
	if tries == 0 {
		return state
	}
	if ranks[seen] > ranks[state] || faultpoint.Seeded(faultpoint.SeedFold) {
		return seen
	}
	return state
}

// tries is how often a delivery was claimed, as far as anybody can know: a restored database may have lost a claim.
func tries(d *db.Delivery) int32 {
	if d.AskedSince != nil {
		return d.Attempt + 1
	}
	return d.Attempt
}

// backoff is the wait after attempt n of what was certainly not sent: 5 s doubling to 10 min, the second half of it by
// chance, and never less than the provider asked for (up to an hour).
func backoff(attempt int32, retryAfter time.Duration) time.Duration {
	d := min(backoffFirst<<min(max(attempt-1, 0), 10), backoffMost)
	return max(d/2+rand.N(d/2), min(retryAfter, time.Hour))
}

// codeOf keeps a code a code: what is not a short word or number never gets into a column or onto the trail.
func codeOf(code string) string {
	if len(code) > 40 || strings.ContainsFunc(code, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	}) {
		return "other"
	}
	return code
}

// keyOf keeps a provider's own id as it is, or its hash when it is longer than an id or no text at all.
func keyOf(id string) string {
	if len(id) > 200 || !utf8.ValidString(id) || strings.Contains(id, "\x00") {
		return hex.EncodeToString(hashOf(id))
	}
	return id
}

// record is what one attempt learnt.
type record struct {
	actor    Actor
	parcel   *Parcel
	provider string
	out      Outcome
}

// DeliveryRecord writes down what one attempt learnt, fenced by its number. Evidence of acceptance always counts, even
// from an attempt whose lease is over; everything else only from the attempt that still holds the row. Records that come
// together share a transaction.
func (c *Clinic) DeliveryRecord(ctx context.Context, a Actor, p *Parcel, provider string, out Outcome) error {
	a.ClinicID = p.clinicID
	out.Code, out.ProviderID = codeOf(out.Code), keyOf(out.ProviderID)
	subject := Subject{Kind: "delivery", ID: p.DeliveryID}
	if !a.Can(DeliveryRecord) {
		return c.do(ctx, a, DeliveryRecord, subject, nil)
	}
	err := c.records.ride(ctx, &record{a, p, provider, out})
	if KindOf(err) == NotFound {
		c.refused(ctx, a, DeliveryRecord, subject, Code(err))
	}
	return err
}

// recordAll is the transaction of some records.
func (c *Clinic) recordAll(ctx context.Context, all []*record, patient bool) (tell func(), err error) {
	return c.shared(ctx, DeliveryRecord, patient, func(t *tx) error {
		var p db.DeliveriesLockForParams
		for _, r := range all {
			p.Ids, p.Providers, p.ProviderIds = append(p.Ids, r.parcel.DeliveryID), append(p.Providers, r.provider), append(p.ProviderIds, r.out.ProviderID)
		}
		rows, err := t.DeliveriesLockFor(ctx, p)
		if err != nil {
			return err
		}
		of, early := map[uuid.UUID]*db.Delivery{}, map[string]bool{}
		for _, r := range rows {
			of[r.Delivery.ID] = &r.Delivery
			early[r.ProviderID] = early[r.ProviderID] || r.Early
		}
		slices.SortStableFunc(all, func(a, b *record) int { return cmp.Compare(a.parcel.Channel, b.parcel.Channel) }) // breakers, in one order
		for _, r := range all {
			d := of[r.parcel.DeliveryID]
			if d == nil {
				return notFound()
			}
			if err := t.as(r.actor, Subject{Kind: "delivery", ID: d.ID}).learn(ctx, d, r, early[r.out.ProviderID]); err != nil {
				return err
			}
		}
		return nil
	})
}

// learn writes down what one attempt learnt about a delivery that is locked.
func (t *tx) learn(ctx context.Context, d *db.Delivery, r *record, early bool) error {
	mine := d.State == "sending" && int(d.Attempt) == r.parcel.Attempt
	if mine || r.out.Class == OutcomeAccepted {
		if err := t.hearChannel(ctx, d.Channel, r.parcel, r.out); err != nil {
			return err
		}
	}
	if r.out.Code == stoppedCode {
		if err := t.consent(ctx, d.RecipientIndex, d.Channel, "out", "provider", ""); err != nil {
			return err
		}
	}
	t.line.end(d, int32(r.parcel.Attempt), t.at, r.out.Class, r.out.Code)
	if r.out.Class == OutcomeAccepted {
		return t.accepted(ctx, d, r.provider, r.out, early)
	}
	if !mine {
		return nil
	}
	return t.moveDelivery(ctx, d, t.afterAttempt(*d, r.provider, r.out))
}

// afterAttempt is where an attempt that was not accepted leaves its delivery. What was not sent waits no longer than until
// its time is over: the claim then gives it back to the doctor.
func (t *tx) afterAttempt(d db.Delivery, provider string, out Outcome) move {
	mv := move{to: "unknown", code: out.Code, provider: provider}
	switch {
	case out.Class == OutcomeFailed:
		mv.to = "failed"
	case out.Class == OutcomeNotSent:
		mv.to, mv.next = "queued", t.at.Add(backoff(d.Attempt, out.RetryAfter))
		if mv.next.After(d.NotAfter) {
			mv.next = d.NotAfter
		}
	}
	return mv
}

// accepted takes the provider's word, and then the reports that came before it, if there are any.
func (t *tx) accepted(ctx context.Context, d *db.Delivery, provider string, out Outcome, early bool) error {
	if to := fold(d.State, tries(d), "accepted"); to != d.State {
		if err := t.moveDelivery(ctx, d, move{to: to, provider: provider, providerID: out.ProviderID}); err != nil {
			return err
		}
	} else if d.ProviderID == "" {
		d.Provider, d.ProviderID, d.UpdatedAt = provider, out.ProviderID, t.at
		t.line.save(d, d.Rev)
	}
	if !early {
		return nil
	}
	return t.matchEvents(ctx, provider, map[string]told{out.ProviderID: {d, t}})
}

// told is a delivery under a provider's id, and whose news it is that it has this id.
type told struct {
	*db.Delivery
	by *tx
}

// matchEvents folds the reports that came before their delivery was known by the provider's id. The deliveries, by that
// id, are locked.
func (t *tx) matchEvents(ctx context.Context, provider string, known map[string]told) error {
	early, err := t.EventsUnmatched(ctx, db.EventsUnmatchedParams{Provider: provider, ProviderIds: slices.Sorted(maps.Keys(known))})
	if err != nil {
		return err
	}
	for _, e := range early {
		of := known[e.ProviderID]
		t.line.match(e.ID, of.Delivery)
		if err := of.by.foldInto(ctx, of.Delivery, Receipt{Provider: provider, ProviderID: e.ProviderID, State: e.State, Code: e.Code}); err != nil {
			return err
		}
	}
	return nil
}
