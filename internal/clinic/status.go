package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

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
	Drafts   DraftStatus
	Webhooks []WebhookStatus
	Replica  *ReplicaStatus // nil: lists are read where everything is
}

// DraftStatus is what waits for the model, and since when.
type DraftStatus struct {
	Model            string
	Waiting, Writing int
	OldestDue        time.Time // of those that wait; now when there are none
}

// WebhookStatus is what one provider reported in the last hour. More than reportsCounted are not counted.
type WebhookStatus struct {
	Provider string
	Reports  int
	LastAt   time.Time // zero when it was silent
}

const reportsCounted = 10_000

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
		return t.beside(ctx, &s)
	})
	if err == nil {
		s.Replica = c.replicaStatus(ctx)
	}
	return s, err
}

// beside reads what is no channel's: what waits for the model, and what the providers report.
func (t *tx) beside(ctx context.Context, s *Status) error {
	drafts, err := t.DraftState(ctx, db.DraftStateParams{At: t.at, ClinicID: t.clinicID()})
	if err != nil {
		return err
	}
	s.Drafts = DraftStatus{Model: t.c.model, Waiting: int(drafts.Waiting), Writing: int(drafts.Writing), OldestDue: drafts.Oldest}
	heard, err := t.EventsHeard(ctx, db.EventsHeardParams{Since: firstID(t.at.Add(-time.Hour)), RowLimit: reportsCounted})
	for _, name := range []string{"sendgrid", "twilio"} {
		one := WebhookStatus{Provider: name}
		for _, h := range heard {
			if h.Provider == name {
				one.Reports, one.LastAt = int(h.Reports), h.LastAt
			}
		}
		s.Webhooks = append(s.Webhooks, one)
	}
	return err
}

// firstID is before every id that was made at or after a time: ours begin with it.
func firstID(at time.Time) (id uuid.UUID) {
	ms := uint64(at.UnixMilli())
	for i := range 6 {
		id[i] = byte(ms >> (40 - 8*i))
	}
	return id
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
