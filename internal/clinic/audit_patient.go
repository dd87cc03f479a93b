package clinic

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// AuditViewer is somebody who looked at a patient or worked on their record, in sum.
type AuditViewer struct {
	Person
	Times, Refused int
	First, Last    time.Time
	ByGlass        bool // by emergency access, at least once
	OnTeam         bool // now
}

// AuditPatient is who has seen a patient: everybody in sum, and each act.
type AuditPatient struct {
	ID      uuid.UUID
	Name    Text // for whom the table lets know it
	Viewers []AuditViewer
	Rows    []AuditRow
	Next    string
}

// AuditOfPatient says who has seen a patient. A doctor asks about their own patients, an auditor and an administrator about any.
func (c *Clinic) AuditOfPatient(ctx context.Context, a Actor, id uuid.UUID, after string) (AuditPatient, error) {
	return list(ctx, c, a, AuditOfPatient, Subject{Kind: "patient", ID: id, Patient: id}, func(t *tx, out *AuditPatient) (err error) {
		out.ID = id
		if out.Name, err = t.auditPatient(ctx, id); err != nil {
			return err
		}
		seen, err := t.AuditWhoSaw(ctx, db.AuditWhoSawParams{ClinicID: t.clinicID(), PatientID: id, Since: time.Unix(0, 0)})
		if err != nil {
			return err
		}
		for _, s := range seen {
			out.Viewers = append(out.Viewers, AuditViewer{Person: Person{s.ActorID, whoWords(string(ActorPerson), s.Name), s.Role}, Times: int(s.Times), Refused: int(s.Refused),
				First: s.FirstAt, Last: s.LastAt, ByGlass: s.ByGlass, OnTeam: s.OnTeam})
		}
		from := t.cursorFrom(after)
		if err := t.AuditPlanEach(ctx); err != nil {
			return err
		}
		rows, err := t.AuditFind(ctx, db.AuditFindParams{ClinicID: t.clinicID(), PatientID: &id, Since: time.Unix(0, 0), Until: t.at.AddDate(1, 0, 0),
			Before: from.At, BeforeID: from.ID, RowLimit: auditPage + 1})
		if len(rows) > auditPage {
			rows = rows[:auditPage]
			last := rows[len(rows)-1]
			out.Next = timeCursor{last.At, last.ID}.String()
		}
		for _, r := range rows {
			out.Rows = append(out.Rows, auditRow(r))
		}
		return err
	})
}

// auditPatient holds the actor to their scope, and is the patient's name if they may know it.
func (t *tx) auditPatient(ctx context.Context, id uuid.UUID) (Text, error) {
	known, err := t.AuditPatientKnown(ctx, db.AuditPatientKnownParams{ID: id, ClinicID: t.clinicID(), Everybody: t.actor.May(t.deed) == Everything, StaffID: t.actor.ID})
	if err != nil {
		return "", err
	}
	if !known {
		return "", notFound()
	}
	if t.actor.Can(PatientShow) {
		p, _, err := t.patient(ctx, id)
		return p.Name, err
	}
	return t.auditNames(ctx, nil, id)
}

// Disclosure is one entry of the accounting of 45 CFR 164.528: when, to whom, what, and why. Exempt says by which of its
// exceptions the rule does not ask for it.
type Disclosure struct {
	At                time.Time
	ToWhom, What, Why string
	Exempt            string
	Event             uuid.UUID
}

// Accounting is a patient's accounting of disclosures.
type Accounting struct {
	ID           uuid.UUID
	Name         Text
	ClinicName   string
	MadeAt       time.Time
	Since, Until time.Time
	Rows         []Disclosure
	More         bool // there are older ones than fit
}

// AuditDisclosures is the patient's accounting of disclosures for the last six years, from the trail: what left the house
// about them, and what was read by whoever held their link.
func (c *Clinic) AuditDisclosures(ctx context.Context, a Actor, id uuid.UUID) (Accounting, error) {
	return list(ctx, c, a, AuditDisclosures, Subject{Kind: "patient", ID: id, Patient: id}, func(t *tx, out *Accounting) (err error) {
		out.ID = id
		if out.Name, err = t.auditPatient(ctx, id); err != nil {
			return err
		}
		cl, err := t.clinicOf(ctx, t.clinicID())
		if err != nil {
			return err
		}
		out.ClinicName, out.MadeAt, out.Since, out.Until = cl.Name, t.at, t.at.AddDate(-6, 0, 0), t.at
		rows, err := t.Queries.AuditDisclosures(ctx, db.AuditDisclosuresParams{ClinicID: t.clinicID(), PatientID: &id, Since: out.Since, RowLimit: disclosuresMost + 1})
		if err != nil {
			return err
		}
		if len(rows) > disclosuresMost {
			rows, out.More = rows[:disclosuresMost], true
		}
		out.Rows, err = t.disclosures(ctx, id, rows)
		t.detail["entries"] = len(out.Rows)
		return err
	})
}

// disclosures puts the events into the rule's words. Of one notice the first event counts: that it was handed over.
func (t *tx) disclosures(ctx context.Context, patient uuid.UUID, rows []db.AuditDisclosuresRow) ([]Disclosure, error) {
	first := map[uuid.UUID]uuid.UUID{} // the oldest event of each delivery
	var ids []uuid.UUID
	for _, r := range rows { // the newest first, so that the last to be set is the oldest
		if id := orZero(r.SubjectID); r.Deed != string(PageRead) && r.Deed != string(DraftClaim) {
			if first[id] == uuid.Nil {
				ids = append(ids, id)
			}
			first[id] = r.ID
		}
	}
	ways, err := t.AuditChannels(ctx, db.AuditChannelsParams{ClinicID: t.clinicID(), PatientID: patient, Ids: ids})
	if err != nil {
		return nil, err
	}
	channels := map[uuid.UUID]string{}
	for _, w := range ways {
		channels[w.ID] = w.Channel
	}
	var out []Disclosure
	for _, r := range rows {
		d := Disclosure{At: r.At, Event: r.ID}
		switch r.Deed {
		case string(PageRead):
			d.ToWhom, d.What = "Whoever held the patient’s link and gave the date of birth", "The signed message on the patient’s page"
			d.Why, d.Exempt = "The patient’s own message", "to the individual, 164.528(a)(1)(ii)"
		case string(DraftClaim):
			d.ToWhom, d.What = "The provider of the drafting model", "What a draft needed, with names, contacts and numbers replaced"
			d.Why, d.Exempt = "To draft a message that a doctor checks and signs", "treatment, 164.528(a)(1)(i)"
		default:
			if first[orZero(r.SubjectID)] != r.ID {
				continue
			}
			d = noticeWords(d, channels[orZero(r.SubjectID)], r.Detail)
		}
		out = append(out, d)
	}
	return out, nil
}

func noticeWords(d Disclosure, channel string, detail []byte) Disclosure {
	by := map[string]string{"email": "by e-mail, through the e-mail provider", "sms": "by SMS, through the SMS provider and the phone’s carrier"}[channel]
	d.ToWhom, d.What = "The patient’s own address, "+by, "A notice without clinical content: that there is a message, and a link"
	d.Why, d.Exempt = "To tell the patient of a signed message", "to the individual, 164.528(a)(1)(ii)"
	var said struct {
		To string `json:"to"`
	}
	if json.Unmarshal(detail, &said) == nil && said.To == "sent" {
		d.Why += " (on a person’s word that it was sent)"
	}
	return d
}
