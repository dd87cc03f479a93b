package clinic

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/seal"
)

// JobRemindersName is the job of ReminderMake.
const JobRemindersName = "reminders"

// reminderKind is a delivery that says again that there is a message.
const reminderKind = "reminder"

// reminder is the fixed text of a further e-mail or SMS about a message that nobody has opened, in the patient's language. Like a
// notice it says nothing of what the message is about, and the link is the same. What stands on the first line is the e-mail's subject.
func reminder(clinicName, channel, language, link, stop string) string {
	words := map[string]string{
		"en email": "Reminder: you have a message from %s that has not been read\n\nRead it: %s\n\nWe will ask for your date of birth, so that only you can read it.\n\nNo more e-mails like this: %s\n",
		"es email": "Recordatorio: tiene un mensaje de %s sin leer\n\nLéalo aquí: %s\n\nLe pediremos su fecha de nacimiento para que solo usted pueda leerlo.\n\nNo recibir más correos como este: %s\n",
		"en sms":   "Reminder: you have a message from %s that has not been read. Read it: %s Reply STOP to opt out",
		"es sms":   "Recordatorio: tiene un mensaje de %s sin leer. Leer: %s Responda STOP para no recibir mensajes",
	}
	if language != "es" {
		language = "en"
	}
	if channel == "sms" {
		return fmt.Sprintf(words[language+" sms"], clinicName, link)
	}
	return fmt.Sprintf(words[language+" email"], clinicName, link, stop)
}

// subjectOf is an e-mail's subject: a notice's own, and of a reminder its first line, which is sealed with the rest.
func subjectOf(kind, clinicName, channel string, body Text) string {
	if kind == reminderKind && channel == "email" {
		line, _, _ := strings.Cut(body.Reveal(), "\n")
		return line
	}
	subject, _ := notice(clinicName, channel, "", "")
	return subject
}

// Reminded is what one look at unread messages came to.
type Reminded struct {
	Looked int // messages
	Made   int // reminders
	Calls  int // call tasks
}

// ReminderMake looks at up to limit messages that are due to be looked at because nobody has opened them, and makes the reminders
// and the call tasks that it is time for. Of any number of workers one does it at a time; the others are told that there is
// nothing. A reminder is a delivery like a notice: it is claimed, sent, recorded, looked up and reported on in the same way.
func (c *Clinic) ReminderMake(ctx context.Context, a Actor, limit int) (Reminded, error) {
	var done Reminded
	err := c.do(ctx, a, ReminderMake, Subject{Kind: "delivery"}, func(t *tx) error {
		t.silent = true // each reminder and each task is an event of its own
		done = Reminded{}
		if err := t.JobPresent(ctx, JobRemindersName); err != nil {
			return err
		}
		if _, err := t.JobLead(ctx, JobRemindersName); err != nil {
			if noRows(err) {
				return nil
			}
			return err
		}
		rows, err := t.FollowUpsDue(ctx, db.FollowUpsDueParams{At: t.at, Generation: c.generation.Load(), RowLimit: int32(limit)})
		if err != nil {
			return err
		}
		done.Looked = len(rows)
		var moves db.FollowUpsMoveParams
		for _, r := range rows {
			if err := t.lookAt(ctx, r, &moves, &done); err != nil {
				return err
			}
		}
		if len(moves.MessageIds) == 0 {
			return nil
		}
		return t.FollowUpsMove(ctx, moves)
	})
	if err != nil {
		return Reminded{}, err
	}
	return done, nil
}

// lookAt decides about one unread message, makes what is to be made, and notes where that leaves it.
func (t *tx) lookAt(ctx context.Context, r db.FollowUpsDueRow, moves *db.FollowUpsMoveParams, done *Reminded) error {
	if r.MessageStatus != "approved" || r.RevokedAt != nil {
		return t.FollowUpEnd(ctx, db.FollowUpEndParams{At: &t.at, Reason: "stopped", MessageID: r.MessageID, ClinicID: r.ClinicID})
	}
	f := t.following(r)
	s := t.c.times.Unread.follow(f, t.at)
	now, reminders, remindedAt := t.at, r.Reminders, orZero(r.RemindedAt)
	if s.remind {
		closed, err := t.remind(ctx, r)
		switch {
		case errors.Is(err, seal.ErrOpen): // what was altered is for a person, and keeps no other message waiting
			s = step{call: "altered"}
		case err != nil:
			return err
		case !closed:
			reminders, remindedAt = reminders+1, now
			done.Made++
		}
	}
	var callAt time.Time
	if s.call != "" {
		callAt = now
		done.Calls++
		if err := t.askToCall(ctx, r, s.call); err != nil {
			return err
		}
	}
	handed, unread := time.Time{}, time.Time{}
	if slices.Contains(handedOver, f.notice) {
		handed, unread = f.handedAt, f.handedAt.Add(unreadAfter(r.Priority))
	}
	moves.MessageIds, moves.ClinicIds = append(moves.MessageIds, r.MessageID), append(moves.ClinicIds, r.ClinicID)
	moves.Dues, moves.Handeds, moves.Unreads = append(moves.Dues, orZero(s.due)), append(moves.Handeds, handed), append(moves.Unreads, unread)
	moves.Reminders, moves.Remindeds = append(moves.Reminders, reminders), append(moves.Remindeds, remindedAt)
	moves.Calls, moves.Reasons = append(moves.Calls, callAt), append(moves.Reasons, s.call)
	return nil
}

func (t *tx) following(r db.FollowUpsDueRow) following {
	f := following{priority: r.Priority, notice: r.NoticeState, handedAt: r.AcceptedAt, reminders: int(r.Reminders), remindAt: r.RemindedAt,
		reminder: r.ReminderState, expires: r.ExpiresAt, why: whyNoReminder(r)}
	if r.HandedAt != nil {
		f.handedAt = *r.HandedAt
	}
	if r.NoticeVersion == nil || *r.NoticeVersion != r.MessageVersion {
		f.notice = "" // of another signature
	}
	return f
}

// whyNoReminder is what a reminder would run against. It is looked at again at the claim, as with a notice.
func whyNoReminder(r db.FollowUpsDueRow) string {
	switch {
	case r.LockedAt != nil:
		return "locked"
	case r.Consent == "out":
		return "opted_out"
	case r.ContactChanged:
		return "contact_changed"
	case slices.Contains(deadAddress, r.BounceCode):
		return "bounced"
	case !channelOn(db.Clinic{EmailOn: r.EmailOn, SmsOn: r.SmsOn}, r.Channel):
		return "channel_off"
	}
	return ""
}

// remind writes the delivery of a reminder, due at once: to the address that was signed for, with the link that its patient has
// already, and for no longer than that lasts. The page is not touched. closed: the patient's key is away, and so is what would be sent.
func (t *tx) remind(ctx context.Context, r db.FollowUpsDueRow) (closed bool, err error) {
	b := t.c.chest(r.PatientID, r.Wrapped)
	link := t.c.pageLink(b.open(r.TokenSealed, "pages", "token", r.PageID).Reveal())
	to := b.open(r.RecipientSealed, "deliveries", "recipient", r.NoticeID).Reveal()
	var name Text
	if closed, err := b.row(&name); closed || err != nil {
		return closed, err
	}
	t.names = append(t.names, "message-"+r.MessageID.String())
	id := newID()
	return false, t.outgoing(ctx, b, to, reminder(r.NoticeName, r.Channel, r.Language, link, stopLink(link, id)), db.DeliveryCreateParams{ID: id, ClinicID: r.ClinicID, PatientID: r.PatientID,
		MessageID: &r.MessageID, MessageVersion: &r.MessageVersion, Kind: reminderKind, Round: r.Round + 1, Channel: r.Channel, ContactID: r.ContactID, Priority: r.Priority,
		RecipientIndex: r.RecipientIndex, NextAttemptAt: t.at, NotAfter: firstOf(t.at.Add(notAfter(r.Priority)), r.ExpiresAt)})
}

// askToCall puts on the trail that somebody is to call, and why.
func (t *tx) askToCall(ctx context.Context, r db.FollowUpsDueRow, why string) error {
	a := t.actor
	a.ClinicID = r.ClinicID
	e := a.event(t.deed, Subject{Kind: "message", ID: r.MessageID, Patient: r.PatientID}, t.at, "done", "")
	e.Detail = map[string]any{"to": "call", "why": why}
	t.names = append(t.names, "message-"+r.MessageID.String(), "worklist-"+r.ClinicID.String())
	return t.write(ctx, e)
}

// stillUnread looks, before a reminder is claimed, whether its page is still waiting for somebody, and holds the page until the
// commit. wait: a patient proves themselves on it at this very moment.
func (t *tx) stillUnread(ctx context.Context, message, clinic uuid.UUID) (stop move, wait bool, err error) {
	page, err := t.PageUnread(ctx, db.PageUnreadParams{MessageID: message, ClinicID: clinic})
	switch {
	case noRows(err):
		return move{}, true, nil
	case err != nil:
		return move{}, false, err
	case page.OpenedAt != nil:
		return move{to: "cancelled", code: "opened"}, false, nil
	case page.LockedAt != nil:
		return move{to: "cancelled", code: "locked"}, false, nil
	}
	return move{}, false, nil
}

// mayBeOut: the patient may hold the link by a reminder in this state.
func mayBeOut(state string) bool {
	return slices.Contains(handedOver, state) || slices.Contains([]string{"sending", "unknown", "needs_person"}, state)
}

// noReminderOut refuses to take a message back whose notice came to nothing and whose reminder may have arrived all the same. A
// reminder that still waits is cancelled by its claim. The reminders are held, so that none is claimed meanwhile.
func (t *tx) noReminderOut(ctx context.Context, notice db.Delivery) error {
	states, err := t.RemindersLock(ctx, db.RemindersLockParams{MessageID: notice.MessageID, ClinicID: notice.ClinicID, MessageVersion: notice.MessageVersion})
	if slices.ContainsFunc(states, mayBeOut) {
		return refuse(Conflict, "too_late", "A reminder may have arrived, so this cannot be undone. You can withdraw the message: its page will then say so.")
	}
	return err
}
