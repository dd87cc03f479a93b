package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Rest is how the run came to rest after its last fault.
type Rest struct {
	Queue   time.Duration // until nothing that was due waited or was being sent; 0 if that never came
	Unknown time.Duration // until nothing was unknown either; 0 if that never came
	Whole   time.Duration // until everything was told and nothing moved any more
	Ended   bool          // false: the time that it may take was over first
}

// moving is how many deliveries have not come to rest, how many messages are still to be reminded of, and how often any delivery has
// moved at all.
type moving struct{ due, later, sending, unknown, unread, moves int }

func (m moving) none() bool { return m.due+m.later+m.sending+m.unknown+m.unread == 0 }

// calm is how long nothing may happen until everything counts as told: longer than the latest webhook.
const calm = 4500 * time.Millisecond

// settle ends all faults, brings everything back, and waits until nothing moves.
func (s *stage) settle(ctx context.Context) (Rest, error) {
	if err := s.mend(ctx); err != nil {
		return Rest{}, err
	}
	conn, err := pgx.Connect(ctx, s.superuser())
	if err != nil {
		return Rest{}, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var r Rest
	began, told, moved, last := time.Now(), time.Time{}, time.Now(), moving{}
	for time.Since(began) < s.o.Quiet {
		m, err := countMoving(ctx, conn)
		if err != nil {
			return r, err
		}
		if !s.o.Times.remindsWithin() {
			m.unread = 0
		}
		if _, err := s.outside.catchUp(ctx); err != nil {
			return r, err
		}
		untold, quiet := s.outside.waiting()
		if r.Queue == 0 && m.due+m.sending == 0 {
			r.Queue = time.Since(began)
		}
		if r.Unknown == 0 && m.due+m.sending+m.unknown == 0 {
			r.Unknown = time.Since(began)
		}
		if m != last {
			moved, last = time.Now(), m
		}
		if m.none() && untold == 0 && quiet > calm && time.Since(moved) > calm {
			r.Whole, r.Ended = time.Since(began), true
			return r, nil
		}
		if time.Since(told) > 5*time.Second {
			told = time.Now()
			s.say("quiet: %d due, %d for later, %d sending, %d unknown, %d to remind of, %s untold", m.due, m.later, m.sending, m.unknown, m.unread, counted(untold, "event"))
		}
		if !pause(ctx, 250*time.Millisecond) {
			return r, ctx.Err()
		}
	}
	r.Whole = time.Since(began)
	s.say("quiet: not at rest after %s", s.o.Quiet)
	return r, nil
}

// mend takes all lies back and sees to it that every program answers.
func (s *stage) mend(ctx context.Context) error {
	s.say("quiet: no more faults")
	if err := s.outside.lie(ctx, nil); err != nil {
		return err
	}
	for _, p := range s.programs() {
		p.busy.Lock()
		gone := p.process == nil || p.process.Gone()
		p.busy.Unlock()
		if gone {
			s.again(p)
		}
		if err := answering(p.address + "/readyz")(ctx); err == nil {
			continue
		}
		if err := s.ready(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// ready waits for a program whose servers are there.
func (s *stage) ready(ctx context.Context, p *program) (err error) {
	for deadline := time.Now().Add(upWithin); time.Now().Before(deadline) && ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
		if err = answering(p.address + "/readyz")(ctx); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%s is not ready a minute after the last fault: %w", p.name, err)
}

func countMoving(ctx context.Context, conn *pgx.Conn) (m moving, err error) {
	err = conn.QueryRow(ctx, `SELECT count(*) FILTER (WHERE state = 'queued' AND next_attempt_at <= now()), count(*) FILTER (WHERE state = 'queued' AND next_attempt_at > now()),
		count(*) FILTER (WHERE state = 'sending'), count(*) FILTER (WHERE state = 'unknown'), coalesce(sum(rev), 0),
		(SELECT count(*) FROM follow_ups f JOIN deliveries n ON n.message_id = f.message_id AND n.clinic_id = f.clinic_id AND n.kind = 'notice' AND NOT n.superseded
			WHERE n.state IN ('accepted', 'in_transit', 'sent', 'delivered') AND f.due_at IS NOT NULL AND f.call_at IS NULL AND f.reminders = 0) FROM deliveries`).
		Scan(&m.due, &m.later, &m.sending, &m.unknown, &m.moves, &m.unread)
	return m, err
}
