package clinic

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// A clinic's messages stay for ever, unless an administrator says for how many years. Then each night takes those whose life
// ended longer ago, with all that belongs to them: brief, drafts, requests, answers, reviews, page, notices, attempts, reports. The
// patient stays, with contacts, consent, key and care team, and so does the trail: its events name ids only. What "ended" means is
// the view message_ends; what cannot be over there (anything under way, not known, in trouble, or waiting for somebody) stays
// whatever its age.

const (
	retentionMost  = 100    // years
	retentionBatch = 100    // messages in one transaction
	retentionShown = 10_000 // counted for the settings' page; beyond it, "over" will do

	clockMost = time.Hour // how far the clock of who deletes may be from the database's
)

// Retention is what a setting comes to: what would go on the next night, and what is as old and stays.
type Retention struct {
	Years      int
	Before     time.Time
	Gone, Kept int
}

// Words is that, for the person who sets it.
func (r Retention) Words() string {
	words := countUpTo(r.Gone) + " messages go"
	if r.Gone == 1 {
		words = "one message goes"
	} else if r.Gone == 0 {
		words = "no message goes"
	}
	words += " on the night of " + r.Before.AddDate(r.Years, 0, 0).Format("January 2")
	if r.Kept > 0 {
		words += "; " + countUpTo(r.Kept) + " of that age stay, because something of theirs is not over"
	}
	return words
}

// seen is what has to be sent back to say that this was read.
func (r Retention) seen() string { return fmt.Sprintf("%d/%d", r.Years, r.Gone) }

// keptYears is the setting as the history has it.
func keptYears(n int) string {
	if n == 0 {
		return "for ever"
	}
	return countOf(int64(n), "year", "years")
}

// retentionColumn is how the setting is stored: null keeps messages for ever.
func retentionColumn(years int) *int32 {
	if years == 0 {
		return nil
	}
	return ptr(int32(years))
}

// retention counts what a setting would come to on the next night.
func (t *tx) retention(ctx context.Context, years int) (Retention, error) {
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return Retention{}, err
	}
	night := nightOf(t.at, zoneOf(cl))
	if !t.at.Before(night) {
		night = nightOf(night.AddDate(0, 0, 1), zoneOf(cl))
	}
	r := Retention{Years: years, Before: night.AddDate(-years, 0, 0)}
	n, err := t.RetentionCount(ctx, db.RetentionCountParams{ClinicID: t.clinicID(), Before: r.Before, RowLimit: retentionShown + 1})
	r.Gone, r.Kept = int(n.Gone), int(n.Kept)
	return r, err
}

// retentionSeen refuses a shorter time until the person has been told what it takes, in the transaction that would save it.
func (t *tx) retentionSeen(ctx context.Context, before, s ClinicSettings) error {
	if s.RetentionYears == 0 || before.RetentionYears != 0 && s.RetentionYears >= before.RetentionYears {
		return nil
	}
	r, err := t.retention(ctx, s.RetentionYears)
	if err != nil || s.RetentionSeen == r.seen() {
		return err
	}
	return &Error{Kind: Invalid, Code: "retention_unseen", Sentence: "Nothing is saved yet: please look at what goes for good, and save again.", Fields: map[string]string{
		"retention_years": "With " + keptYears(s.RetentionYears) + ", " + r.Words() + ", with brief, drafts, reviews, page and notices. Nothing brings them back. Save again to set it.",
		"retention_seen":  r.seen()}}
}

// Retirement is how far a night has come with one clinic's messages.
type Retirement struct {
	ClinicID uuid.UUID
	at       time.Time
	id       uuid.UUID
}

// RetentionDue are the clinics whose messages may go now: none, unless the night's work is due, or somebody asked for it.
func (c *Clinic) RetentionDue(ctx context.Context, asked bool) (due []Retirement, err error) {
	q := db.New(c.pool)
	home, err := q.ClinicFirst(ctx)
	if noRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	done, err := q.NightlyDoneDay(ctx)
	if err != nil && !noRows(err) {
		return nil, err
	}
	if !asked && !nightDue(done, c.now(), zoneOf(home)) {
		return nil, nil
	}
	ids, err := q.RetentionClinics(ctx)
	for _, id := range ids {
		due = append(due, Retirement{ClinicID: id})
	}
	return due, err
}

// ClockFits refuses a process whose clock is far from the database's. What is over is over by a clock, and what goes for good goes by
// no clock that has run away.
func (c *Clinic) ClockFits(ctx context.Context) error {
	ahead, err := db.New(c.pool).ClockAhead(ctx, c.now())
	if err == nil && math.Abs(ahead) > clockMost.Seconds() {
		return refuse(Unavailable, "clock", "This process's clock is more than an hour away from the database's.")
	}
	return err
}

// MessageRetire takes the next few of a clinic's messages that ended longer ago than it keeps them, in one transaction: each with
// all that belongs to it, and with an event of its own on the trail. more is false when there are none left. Any number of workers
// may be at it: what one holds, another leaves.
func (c *Clinic) MessageRetire(ctx context.Context, a Actor, r *Retirement) (gone int, more bool, err error) {
	a.ClinicID = r.ClinicID
	next := *r
	err = c.do(ctx, a, MessageRetire, Subject{Kind: "message"}, func(t *tx) error {
		t.silent = true // each message has its own
		years, err := t.RetentionGet(ctx, r.ClinicID)
		if err != nil || years == nil {
			return found(err)
		}
		before := t.at.AddDate(-int(*years), 0, 0)
		rows, err := t.MessagesEnded(ctx, db.MessagesEndedParams{ClinicID: r.ClinicID, Before: before, AfterAt: r.at, AfterID: r.id, RowLimit: retentionBatch})
		if err != nil || len(rows) == 0 {
			return err
		}
		gone, more = len(rows), len(rows) == retentionBatch
		next.at, next.id = rows[gone-1].UpdatedAt, rows[gone-1].ID
		return t.retire(ctx, rows, int(*years))
	})
	if err != nil {
		return 0, false, err
	}
	*r = next
	return gone, more, nil
}

// retire writes the messages' events, with the ways of their notices, which the accounting of disclosures asks for; and then takes
// them.
func (t *tx) retire(ctx context.Context, rows []db.MessagesEndedRow, years int) error {
	var messages, deliveries []uuid.UUID
	for _, r := range rows {
		messages = append(messages, r.ID)
	}
	notices, err := t.DeliveriesOfMessages(ctx, db.DeliveriesOfMessagesParams{ClinicID: t.clinicID(), Ids: messages})
	if err != nil {
		return err
	}
	ways := map[uuid.UUID]map[string]string{}
	for _, n := range notices {
		deliveries = append(deliveries, n.ID)
		if ways[n.MessageID] == nil {
			ways[n.MessageID] = map[string]string{}
		}
		ways[n.MessageID][n.ID.String()] = n.Channel
	}
	for _, r := range rows {
		e := t.actor.event(t.deed, Subject{Kind: "message", ID: r.ID, Patient: r.PatientID}, t.at, "done", "")
		e.Detail = map[string]any{"years": years, "ended": r.EndedAt.UTC().Format(time.RFC3339), "deliveries": ways[r.ID]}
		if err := t.write(ctx, e); err != nil {
			return err
		}
		t.changed(r.ID)
	}
	return t.takeAway(ctx, messages, deliveries)
}

// takeAway deletes the messages' rows, those that refer to others first.
func (t *tx) takeAway(ctx context.Context, messages, deliveries []uuid.UUID) error {
	clinic := t.clinicID()
	for _, step := range []func() error{
		func() error { return t.RetireProofs(ctx, db.RetireProofsParams{ClinicID: clinic, Ids: messages}) },
		func() error {
			return t.RetirePageSessions(ctx, db.RetirePageSessionsParams{ClinicID: clinic, Ids: messages})
		},
		func() error { return t.RetireFollowUps(ctx, db.RetireFollowUpsParams{ClinicID: clinic, Ids: messages}) },
		func() error { return t.RetirePages(ctx, db.RetirePagesParams{ClinicID: clinic, Ids: messages}) },
		func() error {
			return t.RetireAttempts(ctx, db.RetireAttemptsParams{ClinicID: clinic, Ids: deliveries})
		},
		func() error {
			return t.RetireDeliveries(ctx, db.RetireDeliveriesParams{ClinicID: clinic, Ids: deliveries})
		},
		func() error { return t.RetireReports(ctx, db.RetireReportsParams{ClinicID: &clinic, Ids: deliveries}) },
		func() error { return t.RetireAnswers(ctx, db.RetireAnswersParams{ClinicID: clinic, Ids: messages}) },
		func() error { return t.RetireReviews(ctx, db.RetireReviewsParams{ClinicID: clinic, Ids: messages}) },
		func() error { return t.RetireRequests(ctx, db.RetireRequestsParams{ClinicID: clinic, Ids: messages}) },
		func() error { return t.RetireDrafts(ctx, db.RetireDraftsParams{ClinicID: clinic, Ids: messages}) },
		func() error { return t.RetireBriefs(ctx, db.RetireBriefsParams{ClinicID: clinic, Ids: messages}) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	n, err := t.RetireMessages(ctx, db.RetireMessagesParams{ClinicID: clinic, Ids: messages})
	if err == nil && n != int64(len(messages)) {
		return errMoved
	}
	return err
}
