package clinic

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// momentLayout is how a field of day and time is typed and shown.
const momentLayout = "2006-01-02T15:04"

// moment reads a day and a time of the clinic's own clock, nil for an empty field. It lies ahead, and not too far.
func (f *form) moment(field, s string, zone *time.Location, now time.Time) *time.Time {
	s = strings.Replace(strings.TrimSpace(s), " ", "T", 1)
	if s == "" {
		return nil
	}
	at, err := time.ParseInLocation(momentLayout, s, zone)
	switch {
	case err != nil:
		f.bad(field, "Please give a day and a time, for example "+now.In(zone).AddDate(0, 0, 1).Format("2006-01-02")+" 09:00.")
	case at.Format(momentLayout) != s:
		f.bad(field, "This time does not exist on that day, because the clocks change. Choose an hour later.")
	case !at.After(now):
		f.bad(field, "This time has passed. Leave the field empty to send as soon as it is signed.")
	case at.After(now.Add(scheduleMost)):
		f.bad(field, fmt.Sprintf("This is too far ahead: %d days are the most.", int(scheduleMost.Hours()/24)))
	}
	at = at.UTC()
	return &at
}

// typedMoment is a schedule as its field shows it. One that has passed means nothing any more.
func typedMoment(at *time.Time, zone *time.Location, now time.Time) string {
	if at == nil || !at.After(now) {
		return ""
	}
	return at.In(zone).Format(momentLayout)
}

// ScheduleForm is when a notice goes out. Seen is what the form showed: who changed it meanwhile is not overwritten.
type ScheduleForm struct {
	Version      int
	Seen, SendAt string // 2006-01-02T15:04 on the clinic's clock; empty is as soon as it is signed
}

// schedulable is the rule of send-later: whoever wrote the brief, until it is signed; after that whoever signed it; and a
// doctor of the care team at any time.
func schedulable(a Actor, m db.MessageLockRow) error {
	signed := m.Status == "approved"
	switch {
	case m.Status == "withdrawn":
		return refuse(Conflict, "withdrawn", "The message was withdrawn, so it does not go out.")
	case a.May(MessageSchedule) == Team:
		return nil
	case signed && (m.SignerID == nil || *m.SignerID != a.ID):
		return refuse(Forbidden, "own", "The message is signed. Only who signed it, or a doctor of the care team, can change when it goes out.")
	case !signed && m.AuthorID != a.ID:
		return refuse(Forbidden, "own", "Only who wrote the brief, or a doctor of the care team, can change when it goes out.")
	}
	return nil
}

// MessageSchedule says before what time a message's notice may not go out, or with an empty SendAt that it goes as soon as
// it may: while it is written, in review, or signed and not yet tried. The time in which it must be sent counts from then.
// Field: send_at.
func (c *Clinic) MessageSchedule(ctx context.Context, a Actor, id uuid.UUID, f ScheduleForm) error {
	return c.do(ctx, a, MessageSchedule, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, _, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if err := schedulable(a, m); err != nil {
			return err
		}
		cl, err := t.ClinicGet(ctx, m.ClinicID)
		if err != nil {
			return err
		}
		if int(m.Version) != f.Version || f.Seen != typedMoment(m.SendAt, zoneOf(cl), t.at) {
			return t.movedOn(ctx, m)
		}
		var v form
		at := v.moment("send_at", f.SendAt, zoneOf(cl), t.at)
		if at != nil && !cl.LaterOn {
			v.bad("send_at", laterOff)
		}
		if err := v.err(); err != nil {
			return err
		}
		t.detail["send_at"] = ""
		if at != nil {
			t.detail["send_at"] = at.Format(time.RFC3339)
		}
		bump := int32(1)
		if m.Status == "approved" { // the version is part of what was signed, and this is not
			bump = 0
			if err := t.reschedule(ctx, m, cl, at); err != nil {
				return err
			}
		}
		t.changed(id)
		_, err = t.Queries.MessageSchedule(ctx, db.MessageScheduleParams{SendAt: at, Bump: bump, At: t.at, ChangedBy: &a.ID, ID: id, ClinicID: m.ClinicID, Version: m.Version})
		return err
	})
}

// reschedule moves a queued notice that nobody has tried. The time to undo stays; the page lasts as long after the new
// time as it would have after the old one. The page is locked before the delivery, as everywhere.
func (t *tx) reschedule(ctx context.Context, m db.MessageLockRow, cl db.Clinic, at *time.Time) error {
	due := t.at
	if undo := m.SignedAt.Add(time.Duration(cl.UndoSeconds) * time.Second); undo.After(due) {
		due = undo
	}
	if at != nil && at.After(due) {
		due = *at
	}
	if err := t.PageLasts(ctx, db.PageLastsParams{ExpiresAt: due.AddDate(0, 0, int(cl.PageDays)), MessageID: m.ID, ClinicID: m.ClinicID}); err != nil {
		return err
	}
	d, err := t.DeliveryOfMessage(ctx, db.DeliveryOfMessageParams{MessageID: &m.ID, ClinicID: m.ClinicID})
	if err != nil {
		return found(err)
	}
	n := int64(0)
	if d.State == "queued" && d.Resends == 0 {
		n, err = t.DeliverySchedule(ctx, db.DeliveryScheduleParams{NextAttemptAt: due, NotAfter: due.Add(notAfter(m.Priority)), At: t.at, ID: d.ID, ClinicID: d.ClinicID, Rev: d.Rev})
	}
	if err == nil && n == 0 {
		return refuse(Conflict, "too_late", "The notice is already on its way, so its time cannot be changed. You can withdraw the message: its page will then say so.")
	}
	if err == nil && !due.After(t.at) {
		t.nudges = append(t.nudges, Due{Deed: DeliverySend, ID: d.ID, Priority: int(m.Priority)})
	}
	return err
}
