package clinic

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// movedOn is the conflict that says who changed a message, when, where it is now, and that nothing typed is lost.
func (t *tx) movedOn(ctx context.Context, m db.MessageLockRow) error {
	who := "The model"
	if m.ChangedBy != nil { // read here and not joined to the lock: a lock that had to wait joins the row of before
		s, err := t.StaffGet(ctx, db.StaffGetParams{ID: *m.ChangedBy, ClinicID: m.ClinicID})
		if err != nil {
			return err
		}
		if who = s.Name; s.ID == t.actor.ID {
			who = "In another tab or on another device, you"
		}
	}
	cl, err := t.ClinicGet(ctx, m.ClinicID)
	if err != nil {
		return err
	}
	if m.ChangedBy == nil && m.UnsentCode != "" {
		return refuse(Conflict, "moved_on", fmt.Sprintf("The notice of this message was not sent in time, so at %s it came back for review while you had it open. What you typed is still here; look at the newer state before you save.",
			m.UpdatedAt.In(zoneOf(cl)).Format("15:04")))
	}
	words := map[string]string{"drafting": "it is being drafted", "draft_ready": "its draft is ready", "in_review": "it is with the reviewer",
		"returned": "it was returned", "approved": "it is approved", "withdrawn": "it was withdrawn"}
	return refuse(Conflict, "moved_on", fmt.Sprintf("%s changed this message at %s while you had it open: %s. What you typed is still here; look at the newer state before you save.",
		who, m.UpdatedAt.In(zoneOf(cl)).Format("15:04"), words[m.Status]))
}

// readMessage reads a message of the actor's care teams and opens its patient's key.
func (t *tx) readMessage(ctx context.Context, id uuid.UUID) (db.MessageLockRow, *chest, error) {
	r, err := t.MessageRead(ctx, db.MessageReadParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID})
	return t.opened(db.MessageLockRow(r), err)
}

// lockMessage is readMessage for a deed that will change it.
func (t *tx) lockMessage(ctx context.Context, id uuid.UUID) (db.MessageLockRow, *chest, error) {
	return t.opened(t.MessageLock(ctx, db.MessageLockParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID}))
}

func (t *tx) opened(m db.MessageLockRow, err error) (db.MessageLockRow, *chest, error) {
	if err != nil {
		return m, nil, found(err)
	}
	t.subject.Patient = m.PatientID
	b := t.c.chest(m.PatientID, m.Wrapped)
	return m, b, b.err
}

// subject gathers all that one run of the checks may look at.
func (t *tx) checkSubject(ctx context.Context, b *chest, m db.MessageLockRow, text string) (check.Subject, error) {
	_, body, shot, err := t.lastBrief(ctx, b, m.ID)
	if err != nil {
		return check.Subject{}, err
	}
	settings, err := t.settingsOf(ctx, m.DoctorID)
	if err != nil {
		return check.Subject{}, err
	}
	people, err := t.identities(ctx, b, m)
	if err != nil {
		return check.Subject{}, err
	}
	cl, err := t.clinicOf(ctx, m.ClinicID)
	if err != nil {
		return check.Subject{}, err
	}
	return check.Subject{Text: text, Brief: body.brief(shot, m.Kind, Priorities[m.Priority], m.Channel), Patient: people.patient, Others: people.others,
		Settings: check.Settings{Grade: gradeOf[settings.ReadingLevel], MaxWords: settings.MaxWords, Language: people.language},
		SignOff:  settings.SignOff, AllowedNumbers: []string{cl.Phone, cl.EmergencyLine}, Now: t.at.In(zoneOf(cl))}, nil
}

// clinicOf reads the clinic, once in a deed.
func (t *tx) clinicOf(ctx context.Context, id uuid.UUID) (db.Clinic, error) {
	if t.ours != nil && t.ours.ID == id {
		return *t.ours, nil
	}
	cl, err := t.ClinicGet(ctx, id)
	if err == nil {
		t.ours = &cl
	}
	return cl, err
}

func zoneOf(cl db.Clinic) *time.Location {
	if known, ok := zones.Load(cl.TimeZone); ok {
		return known.(*time.Location)
	}
	loc, err := time.LoadLocation(cl.TimeZone)
	if err != nil {
		return time.UTC
	}
	zones.Store(cl.TimeZone, loc)
	return loc
}

// zones are those of the clinics so far, by name: each is a file that is read and parsed.
var zones sync.Map

type identities struct {
	patient  check.Identity
	others   []check.Identity
	language string
	birth    time.Time
}

// identities tells this patient from the care team's others, for C3. The worker has no care team of its own: it
// looks with the doctor's. Of others it tells those whose record opens.
func (t *tx) identities(ctx context.Context, b *chest, m db.MessageLockRow) (identities, error) {
	var out identities
	rows, err := t.PatientIdentities(ctx, db.PatientIdentitiesParams{ClinicID: m.ClinicID, StaffID: m.DoctorID, PatientID: m.PatientID})
	if err != nil {
		return out, err
	}
	contacts, err := t.ContactsOfIdentities(ctx, db.ContactsOfIdentitiesParams{ClinicID: m.ClinicID, StaffID: m.DoctorID, PatientID: m.PatientID})
	if err != nil {
		return out, err
	}
	reached := map[uuid.UUID][]db.ContactsOfIdentitiesRow{}
	for _, c := range contacts {
		reached[c.PatientID] = append(reached[c.PatientID], c)
	}
	for _, r := range rows {
		box := b
		if r.ID != m.PatientID {
			box = t.c.chest(r.ID, r.Wrapped)
		}
		one := check.Identity{Names: []string{box.open(r.NameSealed, "patients", "name", r.ID).Reveal()},
			MRNs: []string{box.open(r.MrnSealed, "patients", "mrn", r.ID).Reveal()}}
		birth, _ := time.Parse(time.DateOnly, box.open(r.BirthDateSealed, "patients", "birth_date", r.ID).Reveal())
		one.BirthDates = []time.Time{birth}
		for _, c := range reached[r.ID] {
			plain := box.open(c.AddressSealed, "contacts", "address", c.ID).Reveal()
			if c.Channel == "sms" {
				one.Phones = append(one.Phones, plain)
			} else {
				one.Emails = append(one.Emails, plain)
			}
		}
		if Code(box.err) == lostKey && r.ID != m.PatientID {
			continue // nobody's message waits for another patient's key
		}
		if box.err != nil {
			return out, box.err
		}
		if r.ID == m.PatientID {
			out.patient, out.language, out.birth = one, r.Language, birth
		} else {
			out.others = append(out.others, one)
		}
	}
	return out, nil
}

// acks are the answers to a message's findings: by whom, and whether the actor, or any signer, has given theirs.
type acks struct {
	rows   []db.AcknowledgementsOfMessageRow
	by     map[string]db.AcknowledgementsOfMessageRow
	mine   map[string]bool
	signer map[string]bool
	anyone map[string]bool
}

func (t *tx) acks(ctx context.Context, message uuid.UUID) (acks, error) {
	rows, err := t.AcknowledgementsOfMessage(ctx, db.AcknowledgementsOfMessageParams{MessageID: message, ClinicID: t.clinicID()})
	out := acks{rows: rows, by: map[string]db.AcknowledgementsOfMessageRow{}, mine: map[string]bool{}, signer: map[string]bool{}, anyone: map[string]bool{}}
	for _, r := range rows {
		out.anyone[r.FindingKey] = true
		if _, seen := out.by[r.FindingKey]; !seen || r.StaffID == t.actor.ID {
			out.by[r.FindingKey] = r
		}
		out.mine[r.FindingKey] = out.mine[r.FindingKey] || r.StaffID == t.actor.ID
		out.signer[r.FindingKey] = out.signer[r.FindingKey] || Role(r.Role) == Doctor || Role(r.Role) == Reviewer
	}
	return out, err
}

// open counts what a signer would still have to settle.
func (k acks) open(r check.Report) int32 {
	return int32(len(r.Blocking()) + len(r.Unanswered(k.signer)))
}

// saveDraft appends a version with its checks and makes it the message's current one, in the given status.
func (t *tx) saveDraft(ctx context.Context, b *chest, m db.MessageLockRow, d db.DraftAppendParams, text, status string) (check.Report, error) {
	subject, err := t.checkSubject(ctx, b, m, text)
	if err != nil {
		return check.Report{}, err
	}
	report := check.Run(subject)
	last, err := t.DraftsOfMessage(ctx, db.DraftsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	if err != nil {
		return report, err
	}
	merge := len(last) > 0 && t.mergeable(m, d, last[0])
	d.ID, d.Version = newID(), 1
	if len(last) > 0 {
		d.Version = last[0].Version + 1
	}
	if merge {
		d.ID = last[0].ID
	}
	k, err := t.acks(ctx, m.ID)
	if err != nil {
		return report, err
	}
	d.ClinicID, d.MessageID, d.CreatedAt = m.ClinicID, m.ID, t.at
	d.TextSealed, d.ChecksSealed = b.seal(text, "drafts", "text", d.ID), b.sealJSON(report, "drafts", "checks", d.ID)
	if b.err != nil {
		return report, b.err
	}
	t.line.one(func(q *db.Queries) error {
		if merge {
			return q.DraftRevise(ctx, db.DraftReviseParams{TextSealed: d.TextSealed, ChecksSealed: d.ChecksSealed, ID: d.ID, ClinicID: m.ClinicID})
		}
		return q.DraftAppend(ctx, d)
	})
	row := db.MessageDraftedParams{DraftID: &d.ID, OpenFindings: k.open(report), Status: status, At: t.at, ChangedBy: d.WrittenBy, ID: m.ID,
		ClinicID: m.ClinicID, Version: m.Version}
	t.line.one(func(q *db.Queries) error { return only(q.MessageDrafted(ctx, row)) })
	t.changed(m.ID)
	return report, nil
}

func (t *tx) mergeable(m db.MessageLockRow, d db.DraftAppendParams, last db.DraftsOfMessageRow) bool {
	return d.WrittenBy != nil && last.WrittenBy != nil && *d.WrittenBy == *last.WrittenBy && last.BriefVersion == d.BriefVersion &&
		m.DraftID != nil && *m.DraftID == last.ID && !last.Submitted && t.at.Sub(last.CreatedAt) < mergeWindow
}

// recheck runs the checks on the current draft again, after the brief or an acknowledgement changed.
func (t *tx) recheck(ctx context.Context, message uuid.UUID) error {
	m, b, err := t.lockMessage(ctx, message)
	if err != nil || m.DraftID == nil {
		return err
	}
	d, err := t.DraftGet(ctx, db.DraftGetParams{ID: *m.DraftID, ClinicID: m.ClinicID})
	if err != nil {
		return err
	}
	text := b.open(d.TextSealed, "drafts", "text", d.ID)
	subject, err := t.checkSubject(ctx, b, m, text.Reveal())
	if err != nil {
		return err
	}
	report := check.Run(subject)
	sealed := b.sealJSON(report, "drafts", "checks", d.ID)
	if b.err != nil {
		return b.err
	}
	if err := t.DraftRechecked(ctx, db.DraftRecheckedParams{ChecksSealed: sealed, ID: d.ID, ClinicID: m.ClinicID}); err != nil {
		return err
	}
	return t.countFindings(ctx, m, report)
}
