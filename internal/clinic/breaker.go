package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// A channel's breaker is a row, so that every worker and the admin see one. Closed: notices go out. Open: none is
// claimed, so that no attempt is burnt and no notice fails for a fault of ours. Half open: one notice tries the channel.
const (
	breakerClosed   = "closed"
	breakerOpen     = "open"
	breakerHalfOpen = "half_open"
)

// byHand is the code of a breaker that a person opened; it stays open until a person closes it.
const byHand = "by_hand"

// health is what one attempt says about its channel.
type health int

const (
	healthUnsaid health = iota // the attempt never met the provider
	healthWorks                // the provider took or judged the message
	healthFails                // no connection, no answer, an error of theirs, or "slow down"
	healthOurs                 // our account or settings: no notice can go out before a person mends them
)

func healthOf(out Outcome) health {
	switch {
	case out.Class == OutcomeAccepted:
		return healthWorks
	case Configuration(out.Code):
		return healthOurs
	case out.Class == OutcomeFailed:
		return healthWorks
	case out.Code == "start_window":
		return healthUnsaid
	}
	return healthFails
}

// heard is the breaker after one attempt's word. While it is half open only the probe has a say, while it is open nobody.
func heard(b db.Breaker, delivery uuid.UUID, out Outcome, now time.Time, pause time.Duration) (db.Breaker, bool) {
	h := healthOf(out)
	probing := b.State == breakerHalfOpen && b.Probe != nil && *b.Probe == delivery
	switch {
	case h == healthUnsaid || b.State != breakerClosed && !probing:
		return b, false
	case h == healthWorks:
		return closed(b, now), b.State != breakerClosed || b.Failures > 0
	case b.State == breakerClosed && h == healthFails && b.Failures+1 < breakerMost:
		b.Failures++
		return b, true
	}
	wait := min(pause<<min(b.Openings, 10), breakerPauseMost)
	b = opened(b, out.Code, now)
	b.RetryAt = ptr(now.Add(max(wait, min(out.RetryAfter, time.Hour))))
	return b, true
}

func closed(b db.Breaker, now time.Time) db.Breaker {
	if b.State != breakerClosed {
		b.State, b.ChangedAt = breakerClosed, now
	}
	b.Failures, b.Openings, b.RetryAt, b.Probe = 0, 0, nil, nil
	return b
}

func opened(b db.Breaker, code string, now time.Time) db.Breaker {
	if b.State == breakerClosed {
		b.ChangedAt = now
	}
	b.State, b.Code, b.Failures, b.Probe, b.ChangedBy, b.RetryAt = breakerOpen, code, 0, nil, nil, nil
	b.Openings++
	return b
}

// hearChannel tells the channel's breaker what an attempt came to. The delivery's row is locked before it, never after.
func (t *tx) hearChannel(ctx context.Context, channel string, p *Parcel, out Outcome) error {
	if healthOf(out) == healthWorks && !p.doubted {
		return nil // the usual case costs nothing
	}
	before, err := t.BreakerLock(ctx, channel)
	if err != nil {
		return err
	}
	after, changed := heard(before, p.DeliveryID, out, t.at, t.c.times.BreakerPause)
	if !changed {
		return nil
	}
	return t.setBreaker(ctx, before, after)
}

// setBreaker saves a breaker; a change of state is on the trail and on open pages, and an alarm when the channel was well before.
func (t *tx) setBreaker(ctx context.Context, before, after db.Breaker) error {
	if err := t.BreakerSave(ctx, db.BreakerSaveParams{State: after.State, Failures: after.Failures, Openings: after.Openings, Code: after.Code,
		RetryAt: after.RetryAt, Probe: after.Probe, ChangedBy: after.ChangedBy, ChangedAt: after.ChangedAt, Channel: after.Channel}); err != nil {
		return err
	}
	if before.State == after.State {
		return nil
	}
	if before.State == breakerClosed {
		t.alarms = append(t.alarms, "breaker_open_"+after.Channel)
	}
	t.names = append(t.names, "worklist-"+t.clinicID().String())
	e := t.actor.event(t.deed, Subject{Kind: "breaker"}, t.at, "done", "")
	e.Detail = map[string]any{"channel": after.Channel, "from": before.State, "to": after.State, "code": after.Code}
	return t.write(ctx, e)
}

// mayPass asks the channel's breaker for leave to send one notice: free while it is closed, and to one notice as the
// probe once its pause is over. The probe's leave ends with its lease, so that a worker that dies does not keep it.
func (t *tx) mayPass(ctx context.Context, channel, state string, delivery uuid.UUID) (bool, error) {
	if state == breakerClosed {
		return true, nil
	}
	n, err := t.BreakerProbe(ctx, db.BreakerProbeParams{DeliveryID: &delivery, Until: ptr(t.at.Add(t.c.times.Lease)), Channel: channel, At: &t.at})
	return n == 1, err
}

// BreakerOpen pauses a channel until a person resumes it: what is due waits and no attempt is made. rev is what the
// person saw; when the breaker has moved since, they are told.
func (c *Clinic) BreakerOpen(ctx context.Context, a Actor, channel string, rev int) error {
	return c.turn(ctx, a, BreakerOpen, channel, rev, func(b db.Breaker, now time.Time) db.Breaker { return opened(b, byHand, now) })
}

// BreakerClose lets a channel's notices go out again at once. rev is as for BreakerOpen.
func (c *Clinic) BreakerClose(ctx context.Context, a Actor, channel string, rev int) error {
	return c.turn(ctx, a, BreakerClose, channel, rev, closed)
}

func (c *Clinic) turn(ctx context.Context, a Actor, deed Deed, channel string, rev int, to func(db.Breaker, time.Time) db.Breaker) error {
	return c.do(ctx, a, deed, Subject{Kind: "breaker"}, func(t *tx) error {
		before, err := t.BreakerLock(ctx, channel)
		if err != nil {
			return found(err)
		}
		if int(before.Rev) != rev {
			return refuse(Conflict, "moved_on", "This channel has changed while you had it open. It is now: "+breakerTitle(before.State)+". Nothing was changed.")
		}
		t.silent = true // setBreaker writes the event
		after := to(before, t.at)
		after.ChangedBy = &a.ID
		return t.setBreaker(ctx, before, after)
	})
}
