package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
)

// ChannelStatus is one channel: its breaker, and what waits behind it. It holds no patient data.
type ChannelStatus struct {
	Channel   string
	State     string // closed, open or half_open
	Title     string
	Why       string     // in words, unless it is closed
	Since     time.Time  // in this state
	By        string     // the person who last turned it, if it was one
	RetryAt   *time.Time // when one notice may try it; nil while it is closed or waits for a person
	Rev       int
	Due       int       // notices whose time has come
	OldestDue time.Time // since when the oldest of them waits
	Unknown   int       // of which nobody knows whether they were sent
	Undecided int       // that need a person
}

// Status is what admin and operations see of the engine.
type Status struct {
	Channels []ChannelStatus
	CanTurn  bool // the actor may pause and resume channels
}

// StatusShow reads how the delivery engine does in the actor's clinic: counts, codes and times.
func (c *Clinic) StatusShow(ctx context.Context, a Actor) (Status, error) {
	s := Status{CanTurn: a.Can(BreakerOpen)}
	err := c.do(ctx, a, StatusShow, Subject{Kind: "status"}, func(t *tx) error {
		breakers, err := t.BreakerList(ctx, t.clinicID())
		if err != nil {
			return err
		}
		waiting, err := t.QueueState(ctx, db.QueueStateParams{At: t.at, ClinicID: t.clinicID()})
		if err != nil {
			return err
		}
		for _, b := range breakers {
			one := ChannelStatus{Channel: b.Channel, State: b.State, Title: breakerTitle(b.State), Since: b.ChangedAt, By: b.Person, RetryAt: b.RetryAt, Rev: int(b.Rev)}
			if b.State != breakerClosed {
				one.Why = codeWords(b.Code)
			}
			for _, w := range waiting {
				if w.Channel == b.Channel {
					one.add(w)
				}
			}
			s.Channels = append(s.Channels, one)
		}
		return nil
	})
	return s, err
}

func (s *ChannelStatus) add(w db.QueueStateRow) {
	switch w.State {
	case "queued":
		s.Due, s.OldestDue = int(w.Many), w.Oldest
	case "unknown":
		s.Unknown = int(w.Many)
	case "needs_person":
		s.Undecided = int(w.Many)
	}
}
