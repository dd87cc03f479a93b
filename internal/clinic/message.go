package clinic

import (
	"context"
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

// DeliveryView is one round of a notice.
type DeliveryView struct {
	ID             uuid.UUID
	Channel, State string
	Words          string
	Attempt, Rev   int
	At             time.Time
	Level          string
	CanSettle      bool // a person has to decide, and the actor may
	CanResend      bool // and its time is not over
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
	Contact                  string
	CanUndo                  bool
	UndoUntil                time.Time
	CanWithdraw              bool
	lockedAt                 *time.Time
}

// MessageShow reads the whole life of a message: brief, drafts, reviews, deliveries, page.
func (c *Clinic) MessageShow(ctx context.Context, a Actor, id uuid.UUID) (MessageView, error) {
	var v MessageView
	err := c.do(ctx, a, MessageShow, Subject{Kind: "message", ID: id}, func(t *tx) error {
		d, m, b, err := t.viewed(ctx, id)
		if err != nil {
			return err
		}
		t.subject.Patient = m.PatientID
		v.Message, v.Patient, v.Brief, v.Contact = d.Message, d.Patient, d.Brief, d.Contact
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
		v.CanWithdraw = a.Can(MessageWithdraw) && m.Status != "withdrawn"
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
		settle := r.State == "needs_person" && t.actor.Can(DeliveryMarkSent)
		v.Deliveries = append(v.Deliveries, DeliveryView{ID: r.ID, Channel: r.Channel, State: r.State, Words: deliveryWords(r.State, r.ErrorClass),
			Attempt: int(r.Attempt), Rev: int(r.Rev), At: r.UpdatedAt, Level: deliveryLevel(r.State), CanSettle: settle,
			CanResend: settle && v.Message.Status == "approved" && r.NotAfter.After(t.at) && t.actor.Can(DeliveryResend)})
		v.CanUndo = r.State == "queued" && r.NextAttemptAt.After(t.at) && v.Message.Status == "approved" && r.Attempt == 0 && t.actor.Can(MessageUndo) && v.Message.signerID == t.actor.ID
		v.UndoUntil = r.NextAttemptAt
	}
	page, err := t.PageOfMessage(ctx, db.PageOfMessageParams{MessageID: v.Message.ID, ClinicID: t.clinicID()})
	if noRows(err) {
		return nil
	}
	v.OpenedAt, v.AcknowledgedAt, v.PageExpiresAt, v.PageRevoked = page.OpenedAt, page.AcknowledgedAt, &page.ExpiresAt, page.RevokedAt != nil
	v.lockedAt = page.LockedAt
	return err
}

// MayWatch says whether the actor may hear that this message changed. It is asked by event streams and leaves no trace.
func (c *Clinic) MayWatch(ctx context.Context, a Actor, message uuid.UUID) bool {
	ok, err := db.New(c.pool).MessageWatchable(ctx, db.MessageWatchableParams{ID: message, ClinicID: a.ClinicID, StaffID: a.ID})
	return err == nil && ok && a.Can(MessageShow)
}

// MessageUndo takes one's own approval back while the notice has not been claimed. The race with the claim has one
// winner; the loser is told.
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

// cancelNotice stops a notice that is still queued, or says that it is too late. One that waits to be sent again may have
// been sent before: it is not called cancelled here, and after a withdrawal the claim finds it so.
func (t *tx) cancelNotice(ctx context.Context, message uuid.UUID) error {
	d, err := t.DeliveryOfMessage(ctx, db.DeliveryOfMessageParams{MessageID: &message, ClinicID: t.clinicID()})
	if err != nil {
		return found(err)
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
