package clinic

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// Step is one line of a message's life.
type Step struct {
	At     time.Time
	Title  string
	Detail Text
	By     string
	Level  string // done, now, todo, stop
	Kind   string // brief, draft, review, delivery, page
	State  string // for a delivery: the state it reached
}

// DeliveryView is one round of a notice, or a reminder of it.
type DeliveryView struct {
	ID             uuid.UUID
	Reminder       bool
	Channel, State string
	Words          string
	Attempt, Rev   int
	At             time.Time
	Level          string
	Round          int
	NextAt         *time.Time // when it goes out, or is tried again
	Until          *time.Time // when it is given up, while it waits
	CanSettle      bool       // a person has to decide, and the actor may
	CanResend      bool       // and its time is not over
	Again          bool       // a person let it go again, though it may have been sent
	CanRetry       bool       // a further round may be let go
}

// NoteView is what a reviewer wrote on returning a draft.
type NoteView struct {
	By   string
	At   time.Time
	Text Text
}

// MessageView is the whole life of one message.
type MessageView struct {
	Message                  MessageHead
	Patient                  PatientHead
	Brief                    BriefView
	Final                    Text
	Paragraphs               []Paragraph
	Notes                    []NoteView
	Steps                    []Step
	Deliveries               []DeliveryView
	OpenedAt, AcknowledgedAt *time.Time
	PageExpiresAt            *time.Time
	PageRevoked              bool
	ByGlass                  bool // read by break-glass
	Contact                  string
	CanUndo                  bool
	UndoUntil                time.Time
	CanTakeBack              bool // nothing arrived: the signer may take the signature back and sign for the address of now
	CanWithdraw              bool
	CanSchedule              bool
	Call                     *CallRow // what follows because nobody has opened it
	lockedAt                 *time.Time
}

// Trouble is the last round of the notice while the patient has not got it, or nobody knows: what a reader has to see first.
func (v MessageView) Trouble() *DeliveryView {
	if v.Message.Status != "approved" || v.OpenedAt != nil {
		return nil
	}
	if last := v.lastNotice(); last.Level == "stop" {
		return &last
	}
	return nil
}

// MessageShow reads the whole life of a message: brief, drafts, reviews, deliveries, page.
func (c *Clinic) MessageShow(ctx context.Context, a Actor, id uuid.UUID) (MessageView, error) {
	var v MessageView
	err := c.do(ctx, a, MessageShow, Subject{Kind: "message", ID: id}, func(t *tx) error {
		d, m, b, err := t.viewed(ctx, id, t.readToTell)
		if err != nil {
			return err
		}
		t.subject.Patient = m.PatientID
		v.Message, v.Patient, v.Brief, v.Contact, v.ByGlass = d.Message, d.Patient, d.Brief, d.Contact, d.ByGlass
		if m.FinalSealed != nil {
			v.Final = b.open(m.FinalSealed, "messages", "final", id)
			v.Paragraphs = plainParagraphs(v.Final.Reveal())
		} else {
			v.Paragraphs = d.Paragraphs
		}
		if b.err != nil {
			return b.err
		}
		if err := t.viewDeliveries(ctx, &v); err != nil {
			return err
		}
		if v.Call, err = t.callOf(ctx, b, id, m.PatientID); err != nil {
			return err
		}
		v.CanWithdraw = t.actor.Can(MessageWithdraw) && m.Status != "withdrawn"
		v.CanSchedule = d.CanSchedule && v.untried()
		return t.viewSteps(ctx, b, &v)
	})
	return v, err
}

func (t *tx) viewDeliveries(ctx context.Context, v *MessageView) error {
	rows, err := t.DeliveriesOfMessage(ctx, db.DeliveriesOfMessageParams{MessageID: &v.Message.ID, ClinicID: t.clinicID()})
	if err != nil {
		return err
	}
	for _, r := range rows {
		v.Deliveries = append(v.Deliveries, t.roundView(v.Message.Status, r))
	}
	v.mayUndo(t, rows)
	page, err := t.PageOfMessage(ctx, db.PageOfMessageParams{MessageID: v.Message.ID, ClinicID: t.clinicID()})
	if noRows(err) {
		return nil
	}
	v.OpenedAt, v.AcknowledgedAt, v.PageExpiresAt, v.PageRevoked = page.OpenedAt, page.AcknowledgedAt, &page.ExpiresAt, page.RevokedAt != nil
	v.lockedAt = page.LockedAt
	v.CanTakeBack = v.CanTakeBack && page.OpenedAt == nil
	return err
}

func (t *tx) roundView(status string, r db.Delivery) DeliveryView {
	settle := r.State == "needs_person" && t.actor.Can(DeliveryMarkSent)
	d := DeliveryView{ID: r.ID, Reminder: r.Kind == reminderKind, Channel: r.Channel, State: r.State, Words: ofReminder(r.Kind, deliveryWords(r.State, r.ErrorClass)), Attempt: int(r.Attempt), Rev: int(r.Rev),
		At: r.UpdatedAt, Level: deliveryLevel(r.State), Round: int(r.Round), Again: r.Resends > 0, CanSettle: settle,
		CanResend: settle && status == "approved" && r.NotAfter.After(t.at) && t.actor.Can(DeliveryResend),
		CanRetry: status == "approved" && r.Kind == "notice" && !r.Superseded && deliveryLevel(r.State) == "stop" && slices.Contains(retryable, r.State) &&
			!slices.Contains(deadAddress, r.ErrorClass) && t.actor.Can(DeliveryRetry)}
	if r.State == "queued" {
		d.Until = &r.NotAfter
		if r.NextAttemptAt.After(t.at) {
			d.NextAt = &r.NextAttemptAt
		}
	}
	return d
}

// mayUndo says what the signer may still take back: a notice that waits, or one that came to nothing.
func (v *MessageView) mayUndo(t *tx, rounds []db.Delivery) {
	reminders := slices.DeleteFunc(slices.Clone(rounds), func(d db.Delivery) bool { return d.Kind != reminderKind })
	rounds = slices.DeleteFunc(slices.Clone(rounds), func(d db.Delivery) bool { return d.Kind != "notice" })
	if len(rounds) == 0 || v.Message.Status != "approved" || !t.actor.Can(MessageUndo) || v.Message.signerID != t.actor.ID {
		return
	}
	last := rounds[len(rounds)-1]
	v.CanUndo = last.State == "queued" && last.NextAttemptAt.After(t.at) && last.Resends == 0
	v.UndoUntil = last.NextAttemptAt
	v.CanTakeBack = cameToNothing(last) && !slices.ContainsFunc(reminders, func(d db.Delivery) bool { return *d.MessageVersion == *last.MessageVersion && mayBeOut(d.State) })
}

// cameToNothing: the round is over and nothing of it arrived, nor may have by a person's "send again".
func cameToNothing(d db.Delivery) bool {
	return d.Resends == 0 && d.State != "cancelled" && slices.Contains(retryable, d.State)
}

// MayWatch says whether the actor may hear that these messages and patients changed: all of them. It is asked by event
// streams, again and again, and leaves no trace. An error means that it is not known.
func (c *Clinic) MayWatch(ctx context.Context, a Actor, messages, patients []uuid.UUID) (bool, error) {
	if len(messages)+len(patients) == 0 {
		return true, nil
	}
	if !a.Can(MessageShow) {
		return false, nil
	}
	n, err := db.New(c.pool).MayWatch(ctx, db.MayWatchParams{ClinicID: a.ClinicID, StaffID: a.ID, Messages: messages, Patients: patients, At: c.now().UTC()})
	return err == nil && int(n) == len(messages)+len(patients), err
}

// MessageUndo takes one's own approval back while the notice has not been claimed, or when it came to nothing: then the
// message can be signed again, for the address of now. The race with the claim has one winner; the loser is told.
func (c *Clinic) MessageUndo(ctx context.Context, a Actor, id uuid.UUID, version int) error {
	return c.do(ctx, a, MessageUndo, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, _, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if m.Status != "approved" || int(m.Version) != version {
			return t.movedOn(ctx, m)
		}
		if m.SignerID == nil || *m.SignerID != a.ID {
			return refuse(Forbidden, "own", "Only "+*m.SignerName+", who signed this message, can undo that.")
		}
		// The page before the delivery: the order in which a patient's proof locks them.
		opened, err := t.PageLock(ctx, db.PageLockParams{MessageID: id, ClinicID: m.ClinicID})
		if err != nil {
			return err
		}
		if opened != nil {
			return refuse(Conflict, "too_late", "The patient has already opened the message, so this cannot be undone. You can withdraw it: its page will then say so.")
		}
		if err := t.PageRevoke(ctx, db.PageRevokeParams{At: &t.at, MessageID: id, ClinicID: m.ClinicID}); err != nil {
			return err
		}
		if err := t.cancelNotice(ctx, id); err != nil {
			return err
		}
		r, err := t.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: id, ClinicID: m.ClinicID})
		if err != nil {
			return err
		}
		if _, err := t.ReviewReopen(ctx, db.ReviewReopenParams{ID: r.ID, ClinicID: m.ClinicID}); err != nil {
			return err
		}
		t.changed(id)
		_, err = t.MessageUnsign(ctx, db.MessageUnsignParams{At: t.at, ChangedBy: &a.ID, ID: id, ClinicID: m.ClinicID, Version: m.Version})
		return err
	})
}

// cancelNotice stops a notice that is still queued, or says that it is too late. One that came to nothing needs no stopping. One that waits to be sent again may have
// been sent before: it is not called cancelled here, and after a withdrawal the claim finds it so.
func (t *tx) cancelNotice(ctx context.Context, message uuid.UUID) error {
	d, err := t.DeliveryOfMessage(ctx, db.DeliveryOfMessageParams{MessageID: &message, ClinicID: t.clinicID()})
	if err != nil {
		return found(err)
	}
	if cameToNothing(d) {
		return t.noReminderOut(ctx, d)
	}
	suspect, err := t.DeliverySuspect(ctx, db.DeliverySuspectParams{ID: d.ID, ClinicID: d.ClinicID, At: t.at})
	if err != nil {
		return err
	}
	if suspect {
		return refuse(Conflict, "too_late", "This database was restored, and the notice may have gone out before that, so this cannot be undone. You can withdraw the message: its page will then say so.")
	}
	if d.State != "queued" || d.Resends > 0 {
		return refuse(Conflict, "too_late", "The notice is already on its way, so this cannot be undone. You can withdraw the message: its page will then say so.")
	}
	return t.moveDelivery(ctx, &d, move{to: "cancelled", code: d.ErrorClass})
}

// MessageWithdraw stops a message for good: before the claim the notice is cancelled, after it the page says withdrawn.
func (c *Clinic) MessageWithdraw(ctx context.Context, a Actor, id uuid.UUID, version int) error {
	return c.do(ctx, a, MessageWithdraw, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if int(m.Version) != version || m.Status == "withdrawn" {
			return t.movedOn(ctx, m)
		}
		if m.Status == "approved" {
			if err := t.PageRevoke(ctx, db.PageRevokeParams{At: &t.at, MessageID: id, ClinicID: m.ClinicID}); err != nil {
				return err
			}
			if err := t.cancelNotice(ctx, id); err != nil && Code(err) != "too_late" {
				return err
			}
		}
		if m.Status == "in_review" {
			r, err := t.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: id, ClinicID: m.ClinicID})
			if err != nil {
				return err
			}
			if err := t.closeReview(ctx, b, r, "recalled", "", *m.DraftID); err != nil {
				return err
			}
		}
		if err := t.DraftRequestsCancel(ctx, db.DraftRequestsCancelParams{At: &t.at, MessageID: id, ClinicID: m.ClinicID}); err != nil {
			return err
		}
		t.changed(id)
		_, err = t.MessageWithdraw(ctx, db.MessageWithdrawParams{At: t.at, ChangedBy: &a.ID, ID: id, ClinicID: m.ClinicID, Version: m.Version})
		return err
	})
}
