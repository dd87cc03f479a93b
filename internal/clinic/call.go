package clinic

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// CallOutcomes are what may come of a call. Who was reached is followed no more; whoever did not answer is to be called again.
var CallOutcomes = []string{"reached", "no_answer", "wrong_number"}

// callAgain is how long a call that nobody answered is left.
func callAgain(priority int32) time.Duration {
	if priority == urgent {
		return 30 * time.Minute
	}
	return 4 * time.Hour
}

// CallRow is a message that nobody has opened, and how far it has come with calling its patient.
type CallRow struct {
	MessageID, PatientID uuid.UUID
	Patient              Text
	Phone                Text // empty: there is none on file
	Priority, Channel    string
	RedFlag              bool
	Doctor               string
	HandedAt, UnreadAt   *time.Time
	Reminders            int
	Unread               bool
	Due                  bool       // somebody is to call now
	CallAt               *time.Time // since when, or from when on
	Why                  string
	Calls                int
	Outcome, CalledBy    string // of the last call
	CalledAt             *time.Time
	CanCall              bool
	Href                 string
}

// CallPage is one page of the screen, with how many there are in each of its lists.
type CallPage struct {
	Unread         bool // what counts as unread; else whom to call
	Rows           []CallRow
	Next           string
	Calls, Unreads string // empty for none
}

// CallList shows, within the actor's care teams, whom to call because a message stays unread, or all that counts as unread.
func (c *Clinic) CallList(ctx context.Context, a Actor, unread bool, after string) (CallPage, error) {
	page := CallPage{Unread: unread}
	err := c.do(ctx, a, CallList, Subject{Kind: "call"}, func(t *tx) error {
		rows, err := t.callRows(ctx, unread, after, deliveryPage+1)
		if err != nil {
			return err
		}
		if len(rows) > deliveryPage {
			rows = rows[:deliveryPage]
			last := rows[len(rows)-1]
			at := cursor{P: last.Priority, I: last.MessageID}
			if at.D = orZero(last.CallAt); unread {
				at.D = orZero(last.UnreadAt)
			}
			page.Next = at.String()
		}
		for _, r := range rows {
			row, err := t.callRow(r)
			if err != nil {
				return err
			}
			page.Rows = append(page.Rows, row)
		}
		n, err := t.CallCounts(ctx, t.callCountsParams())
		page.Calls, page.Unreads = unreadCount(n.Calls), unreadCount(n.Unread)
		return err
	})
	return page, err
}

// unreadCount is how many, in words, as far as they are counted; empty for none.
func unreadCount(n int32) string {
	switch {
	case n == 0:
		return ""
	case n > unreadMost:
		return "over 1,000"
	}
	return strconv.Itoa(int(n))
}

func (t *tx) callRows(ctx context.Context, unread bool, after string, limit int) (out []db.CallListRow, err error) {
	p := t.callListParams(cursorOf(after, fromTheFirst), int32(limit))
	if !unread {
		return t.Queries.CallList(ctx, p)
	}
	rows, err := t.CallListUnread(ctx, db.CallListUnreadParams(p))
	for _, r := range rows {
		out = append(out, db.CallListRow(r))
	}
	return out, err
}

func (t *tx) callListParams(at cursor, limit int32) db.CallListParams {
	return db.CallListParams{StaffID: t.actor.ID, ClinicID: t.clinicID(), At: t.at, AfterPriority: at.P, AfterAt: at.D, AfterID: at.I, RowLimit: limit}
}

func (t *tx) callCountsParams() db.CallCountsParams {
	return db.CallCountsParams{StaffID: t.actor.ID, ClinicID: t.clinicID(), At: t.at, Most: unreadMost + 1}
}

func (t *tx) callRow(r db.CallListRow) (CallRow, error) {
	b := t.c.chest(r.PatientID, r.Wrapped)
	row := t.callView(b, r)
	row.Patient = b.open(r.NameSealed, "patients", "name", r.PatientID)
	closed, err := b.row(&row.Patient)
	row.CanCall = row.CanCall && !closed
	return row, err
}

// callView is where a message stands, in words.
func (t *tx) callView(b *chest, r db.CallListRow) CallRow {
	row := CallRow{MessageID: r.MessageID, PatientID: r.PatientID, Priority: Priorities[r.Priority], Channel: r.Channel, RedFlag: r.RedFlag, Doctor: r.DoctorName,
		HandedAt: r.HandedAt, UnreadAt: r.UnreadAt, Reminders: int(r.Reminders), Unread: r.UnreadAt != nil && !r.UnreadAt.After(t.at),
		Due: r.CallAt != nil && !r.CallAt.After(t.at), CallAt: r.CallAt, Why: callWords(r.CallReason), Calls: int(r.Calls), Outcome: r.CallOutcome,
		CalledBy: r.Caller, CalledAt: r.CalledAt, Href: "/messages/" + r.MessageID.String()}
	row.CanCall = (row.Unread || row.CallAt != nil) && t.actor.Can(CallRecord)
	if r.ContactID != nil {
		row.Phone = b.open(r.AddressSealed, "contacts", "address", *r.ContactID)
	}
	return row
}

// callOf is where one message stands, for its own page; nil when it is not followed, or not any more.
func (t *tx) callOf(ctx context.Context, b *chest, message, patient uuid.UUID) (*CallRow, error) {
	f, err := t.FollowUpOfMessage(ctx, db.FollowUpOfMessageParams{MessageID: message, ClinicID: t.clinicID()})
	if noRows(err) || err == nil && f.EndedAt != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	contacts, err := t.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: t.clinicID(), PatientID: patient})
	if err != nil {
		return nil, err
	}
	r := db.CallListRow{MessageID: message, PatientID: patient, Priority: f.Priority, HandedAt: f.HandedAt, UnreadAt: f.UnreadAt, Reminders: f.Reminders, CallAt: f.CallAt,
		CallReason: f.CallReason, Calls: f.Calls, CalledAt: f.CalledAt, CallOutcome: f.CallOutcome, Caller: f.Caller}
	if i := slices.IndexFunc(contacts, func(c db.ContactsOfPatientRow) bool { return c.Channel == "sms" }); i >= 0 {
		r.ContactID, r.AddressSealed = &contacts[i].ID, contacts[i].AddressSealed
	}
	row := t.callView(b, r)
	return &row, b.err
}

// CallRecord writes down that somebody called the patient of a message that nobody has opened, and what came of it. calls is how
// many calls the form knew of: of two people who call at the same time the second is told of the first. Field: outcome.
func (c *Clinic) CallRecord(ctx context.Context, a Actor, message uuid.UUID, calls int, outcome string) error {
	return c.do(ctx, a, CallRecord, Subject{Kind: "message", ID: message}, func(t *tx) error {
		m, _, err := t.lockMessage(ctx, message)
		if err != nil {
			return err
		}
		if !slices.Contains(CallOutcomes, outcome) {
			f := &form{}
			f.bad("outcome", "Please say what came of the call.")
			return f.err()
		}
		f, err := t.FollowUpLock(ctx, db.FollowUpLockParams{MessageID: m.ID, ClinicID: m.ClinicID})
		if err != nil && !noRows(err) {
			return err
		}
		if err := callable(m.Status, f, calls, t.at); err != nil {
			return err
		}
		var again *time.Time
		switch outcome {
		case "no_answer":
			again = ptr(t.at.Add(callAgain(m.Priority)))
		case "wrong_number":
			again = &t.at
		}
		t.detail["outcome"] = outcome
		t.changed(m.ID)
		return t.Queries.CallRecord(ctx, db.CallRecordParams{At: t.at, By: a.ID, Outcome: outcome, Again: again, MessageID: m.ID, ClinicID: m.ClinicID})
	})
}

// callable: nobody has read it, nobody has been reached, and nobody has called meanwhile.
func callable(status string, f db.FollowUp, seen int, now time.Time) error {
	asked := f.CallAt != nil || f.UnreadAt != nil && !f.UnreadAt.After(now)
	switch {
	case f.EndedReason == "opened":
		return refuse(Conflict, "opened", "The patient has opened the message meanwhile, so there is no need to call.")
	case f.EndedReason == "reached":
		return refuse(Conflict, "called", "Somebody has reached the patient meanwhile. Nothing was changed.")
	case status != "approved" || f.EndedAt != nil || !asked:
		return refuse(Conflict, "no_call", "Nobody needs to call about this message now. Nothing was changed.")
	case int(f.Calls) != seen:
		return refuse(Conflict, "called", "Somebody else has called meanwhile: see below what came of it. Nothing was changed.")
	}
	return nil
}

// callWords is why somebody is to call.
func callWords(why string) string {
	return map[string]string{
		"unread":          "Reminded, and still not read.",
		"reminder_failed": "Not read, and a reminder did not get through.",
		"link_expired":    "Not read, and the link has ended.",
		"opted_out":       "Not read, and the patient has opted out of messages.",
		"contact_changed": "Not read, and the address was changed since.",
		"bounced":         "Not read, and what is sent to the address comes back.",
		"channel_off":     "Not read, and this way of sending is switched off.",
		"locked":          "Not read: the link is locked after five wrong dates of birth.",
		"altered":         "Not read, and what is kept of its notice was altered.",
	}[why]
}

// callStep tells a call, or that one is asked for, as the trail has it.
func callStep(s Step, detail []byte) Step {
	var d struct{ Why, Outcome string }
	if json.Unmarshal(detail, &d) != nil {
		return s
	}
	if d.Outcome != "" {
		s.Title = callTitle(d.Outcome)
	}
	s.Detail = Text(callWords(d.Why))
	return s
}

// callTitle is a call as the message's life tells it.
func callTitle(outcome string) string {
	return map[string]string{"reached": "Called, and reached", "no_answer": "Called, no answer", "wrong_number": "Called, wrong number"}[outcome]
}

// CallsDue is how many patients somebody is to call now, over all clinics, and for how long the first of them has waited. It is for
// the alarm, and says nothing about anybody.
func (c *Clinic) CallsDue(ctx context.Context) (n int, oldest time.Duration, err error) {
	now := c.now().UTC()
	row, err := db.New(c.pool).CallsDue(ctx, now)
	if err != nil || row.Calls == 0 {
		return 0, 0, err
	}
	return int(row.Calls), now.Sub(row.Oldest), nil
}
