package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// BriefPage is the form with what it needs around it.
type BriefPage struct {
	Patient  Patient
	Doctors  []Person
	Form     BriefForm
	Zone     string // in which times are typed
	zone     *time.Location
	clinic   db.Clinic
	RedFlags []check.RedFlag
	Channels []string // which the clinic has switched on
	Later    bool     // a notice may have a time of its own
	Drafting bool     // the model may be asked
}

// BriefView is a brief as read beside a draft.
type BriefView struct {
	Version                                         int
	By                                              Person
	At                                              time.Time
	Inquiry                                         Text
	Points                                          []Text
	Facts                                           []FactView
	Summary, History, Medications, Allergies, Notes Text
}

// FactView is one chip; Used when a sentence of the draft rests on it.
type FactView struct {
	ID, Kind string
	Text     Text
	Used     bool
}

type briefBody struct {
	Inquiry string       `json:"inquiry"`
	Points  []string     `json:"points"`
	Facts   []check.Fact `json:"facts"`
}

type briefSnapshot struct {
	Summary, History, Medications, Allergies, Notes string
}

func (b briefBody) brief(s briefSnapshot, kind, urgency, channel string) check.Brief {
	return check.Brief{Inquiry: b.Inquiry, Points: b.Points, Facts: b.Facts, Kind: kind, Urgency: urgency, Channel: channel,
		Summary: s.Summary, History: s.History, Medications: s.Medications, Allergies: s.Allergies, Notes: s.Notes}
}

func snapshotOf(p Patient) briefSnapshot {
	return briefSnapshot{Summary: p.Summary.Reveal(), History: p.History.Reveal(), Medications: p.Medications.Reveal(),
		Allergies: p.Allergies.Reveal(), Notes: p.Notes.Reveal()}
}

// BriefNew is the empty form for one patient.
func (c *Clinic) BriefNew(ctx context.Context, a Actor, patient uuid.UUID) (BriefPage, error) {
	var page BriefPage
	err := c.do(ctx, a, BriefNew, Subject{Kind: "patient", ID: patient, Patient: patient}, func(t *tx) (err error) {
		page, _, err = t.briefPage(ctx, patient)
		return err
	})
	page.Form = BriefForm{ID: newID(), PatientID: patient, Priority: "normal", Kind: "clinical", Channel: bestChannel(page)}
	if len(page.Doctors) > 0 {
		page.Form.DoctorID = page.Doctors[0].ID
	}
	return page, err
}

// bestChannel prefers, of the channels that are on, an address that works: not bounced, not opted out; then a verified one, then SMS.
func bestChannel(page BriefPage) string {
	best, score := "email", -1
	if len(page.Channels) == 1 {
		best = page.Channels[0]
	}
	for _, c := range page.Patient.Contacts {
		if !channelOn(page.clinic, c.Channel) {
			continue
		}
		n := 0
		if !c.Bounced && !c.OptedOut {
			n += 4
		}
		if c.Verified {
			n += 2
		}
		if c.Channel == "sms" {
			n++
		}
		if n > score {
			best, score = c.Channel, n
		}
	}
	return best
}

func (t *tx) briefPage(ctx context.Context, patient uuid.UUID) (BriefPage, *chest, error) {
	p, b, err := t.patient(ctx, patient)
	if err != nil {
		return BriefPage{}, nil, err
	}
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return BriefPage{}, nil, err
	}
	page := BriefPage{Patient: p, Zone: cl.TimeZone, zone: zoneOf(cl), clinic: cl, Later: cl.LaterOn, Drafting: cl.DraftingOn}
	for _, channel := range []string{"sms", "email"} {
		if channelOn(cl, channel) {
			page.Channels = append(page.Channels, channel)
		}
	}
	for _, m := range p.Team {
		if Role(m.Role) == Doctor {
			page.Doctors = append(page.Doctors, m)
		}
	}
	for i, d := range page.Doctors {
		if d.ID == t.actor.ID {
			page.Doctors[0], page.Doctors[i] = page.Doctors[i], page.Doctors[0]
		}
	}
	return page, b, nil
}

// BriefCreate writes the brief down, and with it the message that it begins. Fields: inquiry points facts priority kind
// channel doctor_id send_at.
func (c *Clinic) BriefCreate(ctx context.Context, a Actor, f BriefForm) (uuid.UUID, error) {
	if f.ID == uuid.Nil {
		f.ID = newID()
	}
	err := c.once(ctx, a, BriefCreate, Subject{Kind: "message", ID: f.ID, Patient: f.PatientID}, "messages_pkey", func(t *tx) error {
		if _, err := t.MessageLock(ctx, db.MessageLockParams{ID: f.ID, ClinicID: a.ClinicID, StaffID: a.ID}); !noRows(err) {
			t.silent = true
			return err
		}
		page, b, err := t.briefPage(ctx, f.PatientID)
		if err != nil {
			return err
		}
		f, err := f.checked(page, t.at)
		if err != nil {
			return err
		}
		if err := f.doctorOn(page); err != nil {
			return err
		}
		body, shot := f.body(), snapshotOf(page.Patient)
		flagged := f.raise(body, shot)
		err = t.MessageCreate(ctx, db.MessageCreateParams{ID: f.ID, ClinicID: a.ClinicID, PatientID: f.PatientID, DoctorID: f.DoctorID, AuthorID: a.ID,
			Kind: f.Kind, Priority: int32(priorityOf(f.Priority)), Channel: f.Channel, RedFlag: flagged,
			DueAt: t.at.Add(dueIn[priorityOf(f.Priority)]), SendAt: f.sendAt, CreatedAt: t.at})
		if err != nil {
			return err
		}
		t.changed(f.ID)
		return t.appendBrief(ctx, b, f.ID, 1, body, shot)
	})
	return f.ID, err
}

func (t *tx) appendBrief(ctx context.Context, b *chest, message uuid.UUID, version int32, body briefBody, shot briefSnapshot) error {
	id := newID()
	row := db.BriefAppendParams{MessageID: message, ClinicID: t.clinicID(), Version: version, ID: id, WrittenBy: t.actor.ID, CreatedAt: t.at,
		BodySealed: b.sealJSON(body, "briefs", "body", id), SnapshotSealed: b.sealJSON(shot, "briefs", "snapshot", id)}
	if b.err != nil {
		return b.err
	}
	return t.BriefAppend(ctx, row)
}

// BriefShow is the form filled with the last version of a message's brief, for editing.
func (c *Clinic) BriefShow(ctx context.Context, a Actor, id uuid.UUID) (BriefPage, error) {
	var page BriefPage
	err := c.do(ctx, a, BriefShow, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, err := t.MessageGet(ctx, db.MessageGetParams{ID: id, ClinicID: a.ClinicID, StaffID: a.ID})
		if err != nil {
			return found(err)
		}
		t.subject.Patient = m.PatientID
		if err := t.readBrief(ctx, id, m.PatientID); err != nil {
			return err
		}
		var b *chest
		if page, b, err = t.briefPage(ctx, m.PatientID); err != nil {
			return err
		}
		_, body, _, err := t.lastBrief(ctx, b, id)
		if err != nil {
			return err
		}
		f := BriefForm{ID: id, PatientID: m.PatientID, DoctorID: m.DoctorID, Inquiry: body.Inquiry, Points: body.Points,
			Priority: Priorities[m.Priority], Kind: m.Kind, Channel: m.Channel, Version: int(m.Version),
			SendAt: typedMoment(m.SendAt, page.zone, t.at)}
		for _, fact := range body.Facts {
			f.Facts = append(f.Facts, FactForm{Kind: fact.Kind, Text: fact.Text})
		}
		page.Form = f
		return nil
	})
	return page, err
}

func (t *tx) lastBrief(ctx context.Context, b *chest, message uuid.UUID) (db.BriefLastRow, briefBody, briefSnapshot, error) {
	var body briefBody
	var shot briefSnapshot
	r, err := t.BriefLast(ctx, db.BriefLastParams{MessageID: message, ClinicID: t.clinicID()})
	if err != nil {
		return r, body, shot, err
	}
	b.openJSON(r.BodySealed, "briefs", "body", r.ID, &body)
	b.openJSON(r.SnapshotSealed, "briefs", "snapshot", r.ID, &shot)
	return r, body, shot, b.err
}

// BriefEdit appends a version of the brief and checks the draft again, if there is one. Conflict when the message has
// moved on since the form was opened.
func (c *Clinic) BriefEdit(ctx context.Context, a Actor, id uuid.UUID, f BriefForm) error {
	return c.do(ctx, a, BriefEdit, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		page, _, err := t.briefPage(ctx, m.PatientID)
		if err != nil {
			return err
		}
		f.ID, f.PatientID = id, m.PatientID
		f, err := f.checked(page, t.at)
		if err != nil {
			return err
		}
		if err := f.doctorOn(page); err != nil {
			return err
		}
		last, _, _, err := t.lastBrief(ctx, b, id)
		if err != nil {
			return err
		}
		body, shot := f.body(), snapshotOf(page.Patient)
		flagged := f.raise(body, shot)
		n, err := t.MessageBriefed(ctx, db.MessageBriefedParams{DoctorID: f.DoctorID, Kind: f.Kind, Priority: int32(priorityOf(f.Priority)), Channel: f.Channel,
			RedFlag: flagged, ChangedBy: &a.ID, DueAt: m.CreatedAt.Add(dueIn[priorityOf(f.Priority)]), SendAt: f.sendAt, At: t.at, ID: id, ClinicID: a.ClinicID, Version: int32(f.Version)})
		if err != nil {
			return err
		}
		if n == 0 {
			return t.movedOn(ctx, m)
		}
		t.changed(id)
		if err := t.appendBrief(ctx, b, id, last.Version+1, body, shot); err != nil {
			return err
		}
		return t.recheck(ctx, id)
	})
}
