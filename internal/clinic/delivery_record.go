package clinic

import (
	"context"
	"encoding/hex"
	"math/rand/v2"
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
// never claimed (attempt 0) there can be none, so it changes nothing.
func fold(state string, attempt int32, seen string) string {
	if attempt == 0 {
		return state
	}
	if ranks[seen] > ranks[state] || faultpoint.Seeded(faultpoint.SeedFold) {
		return seen
	}
	return state
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

// DeliveryRecord writes down what one attempt learnt, fenced by its number. Evidence of acceptance always counts, even
// from an attempt whose lease is over; everything else only from the attempt that still holds the row.
func (c *Clinic) DeliveryRecord(ctx context.Context, a Actor, p *Parcel, provider string, out Outcome) error {
	a.ClinicID = p.clinicID
	out.Code, out.ProviderID = codeOf(out.Code), keyOf(out.ProviderID)
	return c.do(ctx, a, DeliveryRecord, Subject{Kind: "delivery", ID: p.DeliveryID}, func(t *tx) error {
		t.silent = true
		d, err := t.DeliveryLock(ctx, p.DeliveryID)
		if err != nil {
			return found(err)
		}
		if err := t.AttemptEnd(ctx, db.AttemptEndParams{At: &t.at, Outcome: out.Class, ErrorClass: out.Code, DeliveryID: d.ID, ClinicID: d.ClinicID, Attempt: int32(p.Attempt)}); err != nil {
			return err
		}
		if out.Code == stoppedCode {
			if err := t.consent(ctx, d.RecipientIndex, d.Channel, "out", "provider"); err != nil {
				return err
			}
		}
		mine := d.State == "sending" && int(d.Attempt) == p.Attempt
		switch {
		case out.Class == OutcomeAccepted:
			return t.accepted(ctx, d, provider, out)
		case !mine:
			return nil
		case out.Class == OutcomeNotSent && t.at.After(d.NotAfter):
			return t.moveDelivery(ctx, d, move{to: "failed", code: out.Code, provider: provider})
		case out.Class == OutcomeNotSent:
			return t.moveDelivery(ctx, d, move{to: "queued", code: out.Code, provider: provider, next: t.at.Add(backoff(d.Attempt, out.RetryAfter))})
		case out.Class == OutcomeFailed:
			return t.moveDelivery(ctx, d, move{to: "failed", code: out.Code, provider: provider})
		}
		return t.moveDelivery(ctx, d, move{to: "unknown", code: out.Code, provider: provider})
	})
}

// accepted takes the provider's word, and then the reports that came before it.
func (t *tx) accepted(ctx context.Context, d db.Delivery, provider string, out Outcome) error {
	if to := fold(d.State, d.Attempt, "accepted"); to != d.State {
		if err := t.moveDelivery(ctx, d, move{to: to, provider: provider, providerID: out.ProviderID}); err != nil {
			return err
		}
	} else if d.ProviderID == "" {
		if err := t.DeliveryNote(ctx, db.DeliveryNoteParams{Provider: provider, ProviderID: out.ProviderID, ErrorClass: d.ErrorClass, At: t.at, ID: d.ID, ClinicID: d.ClinicID}); err != nil {
			return err
		}
	}
	return t.matchEvents(ctx, d.ID, d.ClinicID, provider, out.ProviderID)
}

// matchEvents folds the reports that came before their delivery was known by the provider's id.
func (t *tx) matchEvents(ctx context.Context, id, clinic uuid.UUID, provider, providerID string) error {
	if _, err := t.DeliveryLock(ctx, id); err != nil {
		return err
	}
	early, err := t.EventsUnmatched(ctx, db.EventsUnmatchedParams{Provider: provider, ProviderID: providerID})
	if err != nil {
		return err
	}
	for _, e := range early {
		if err := t.EventMatch(ctx, db.EventMatchParams{ClinicID: &clinic, DeliveryID: &id, ID: e.ID}); err != nil {
			return err
		}
		if err := t.foldInto(ctx, id, Receipt{Provider: provider, ProviderID: e.ProviderID, State: e.State, Code: e.Code}); err != nil {
			return err
		}
	}
	return nil
}
