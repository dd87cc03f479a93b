package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// MessageHead is what every view of a message begins with.
type MessageHead struct {
	ID, PatientID           uuid.UUID
	Status, Priority        string
	Kind, Channel           string
	Version                 int
	RedFlag                 bool
	Doctor, Author          Person
	DueAt                   time.Time
	SignerName, SignerRole  string
	SignedAt                *time.Time
	UndoSeconds             int // of the clinic's setting, from a signature on
	UndoUntil               *time.Time
	SendAt                  *time.Time // not before
	Unsent                  string     // why the last signature's notice was not sent in time, while it waits for another
	Position, Of            int        // on the viewer's worklist; 0 when it is not there
	NextID, PreviousID      *uuid.UUID
	ClinicPhone, ClinicZone string
	EmergencyLine           string
	createdAt               time.Time
	signerID                uuid.UUID
}

// PatientHead is who the message is for.
type PatientHead struct {
	ID        uuid.UUID
	Name, MRN Text
	Age       int
	Allergies Text
}

// Finding is one matter of the checks, as a person answers it.
type Finding struct {
	Check, Key    string
	Title, Detail Text
	Level         string // stop, ask, info
	Answered      bool   // nothing more is needed from the viewer
	AnsweredBy    string
	AnsweredAt    time.Time
	Suggest       []Text
	Start, End    int
}

// Piece is a run of the text under at most one mark; Key leads to its finding.
type Piece struct {
	Text Text
	Mark string
	Key  string
}

// Paragraph is one block of the letter.
type Paragraph struct{ Pieces []Piece }

// DraftVersion is one line of the version list.
type DraftVersion struct {
	ID      uuid.UUID
	Version int
	By      string
	At      time.Time
}

// RequestView is how far the model has come.
type RequestView struct {
	ID             uuid.UUID
	State          string
	Words, Attempt int
	Error          string
	Since          time.Time
}

// DraftView is a message as it is written and reviewed.
type DraftView struct {
	Message          MessageHead
	Patient          PatientHead
	Brief            BriefView
	Text             Text
	Paragraphs       []Paragraph
	Findings         []Finding
	Words, MaxWords  int
	Grade, GradeGoal float64
	Sentences        int
	Grounded         int
	Ran              int
	Open             int // findings the viewer would still have to settle before signing
	Blocking         int
	SignOff          Text
	DraftVersion     int
	DraftBy          string
	DraftAt          time.Time
	Versions         []DraftVersion
	Request          *RequestView
	ReturnedBy       string
	ReturnNote       Text
	SubmittedBy      string
	SubmittedAt      time.Time
	Contact          string
	ContactOK        bool
	ContactWhy       string
	CanApprove       bool   // the viewer may sign this one
	CannotApproveWhy string // or why not
	SignInAgain      bool   // they may, after a fresh sign-in
	CanEdit          bool
	CanSchedule      bool // the viewer may say when it goes out
	ByHandOnly       bool // the clinic has switched off drafting by the model
	ByGlass          bool // read by break-glass
}

// DraftShow reads a message with its brief, its draft and what the checks found.
func (c *Clinic) DraftShow(ctx context.Context, a Actor, id uuid.UUID) (DraftView, error) {
	return c.draftView(ctx, a, DraftShow, id)
}

func (c *Clinic) draftView(ctx context.Context, a Actor, deed Deed, id uuid.UUID) (DraftView, error) {
	var v DraftView
	err := c.do(ctx, a, deed, Subject{Kind: "message", ID: id}, func(t *tx) (err error) {
		v, err = t.view(ctx, id)
		t.subject.Patient = v.Message.PatientID
		return err
	})
	return v, err
}

// view assembles the page of one message from its rows.
func (t *tx) view(ctx context.Context, id uuid.UUID) (DraftView, error) {
	v, _, _, err := t.viewed(ctx, id, t.readToShow)
	return v, err
}

// viewed is view with the row and the key it was made from, for who needs more of them and asks for it ahead.
func (t *tx) viewed(ctx context.Context, id uuid.UUID, read func(context.Context, db.MessageGetRow) error) (DraftView, db.MessageGetRow, *chest, error) {
	m, err := t.messageGet(ctx, id)
	if err != nil {
		return DraftView{}, m, nil, err
	}
	if err := read(ctx, m); err != nil {
		return DraftView{}, m, nil, err
	}
	v, b, err := t.viewOf(ctx, m)
	v.ByGlass = m.ByGlass
	return v, m, b, err
}

// messageGet reads a message of the actor's care teams, or one that break-glass shows them.
func (t *tx) messageGet(ctx context.Context, id uuid.UUID) (db.MessageGetRow, error) {
	m, err := t.MessageGet(ctx, db.MessageGetParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID, Reading: throughGlass[t.deed], At: t.at})
	if err != nil {
		return m, found(err)
	}
	t.subject.Patient = m.PatientID
	t.through(m.ByGlass)
	return m, nil
}

func (t *tx) viewOf(ctx context.Context, m db.MessageGetRow) (DraftView, *chest, error) {
	var v DraftView
	v.Message = headOf(m)
	p, b, err := t.patient(ctx, m.PatientID)
	if err != nil {
		return v, b, err
	}
	v.Patient = PatientHead{ID: p.ID, Name: p.Name, MRN: p.MRN, Age: p.Age, Allergies: p.Allergies}
	v.Contact, v.ContactOK, v.ContactWhy = contactWords(p, m.Channel)
	v.ByHandOnly = !m.DraftingOn
	v.CanSchedule = (m.LaterOn || m.SendAt != nil) && t.actor.Can(MessageSchedule) && schedulable(t.actor, db.MessageLockRow{Status: m.Status, SignerID: m.SignerID, AuthorID: m.AuthorID}) == nil
	br, body, shot, err := t.lastBrief(ctx, b, m.ID)
	if err != nil {
		return v, b, err
	}
	v.Brief = briefView(br, body, shot)
	if err := t.viewSettings(ctx, &v, m); err != nil {
		return v, b, err
	}
	if err := t.viewDraft(ctx, &v, b, m); err != nil {
		return v, b, err
	}
	if err := t.viewReview(ctx, &v, b, m); err != nil {
		return v, b, err
	}
	return v, b, t.viewRequest(ctx, &v)
}

func headOf(m db.MessageGetRow) MessageHead {
	h := MessageHead{ID: m.ID, PatientID: m.PatientID, Status: m.Status, Priority: Priorities[m.Priority], Kind: m.Kind, Channel: m.Channel,
		Version: int(m.Version), RedFlag: m.RedFlag, Doctor: Person{ID: m.DoctorID, Name: m.DoctorName, Role: string(Doctor)},
		Author: Person{ID: m.AuthorID, Name: m.AuthorName}, DueAt: m.DueAt, SignedAt: m.SignedAt, UndoSeconds: int(m.UndoSeconds),
		ClinicPhone: m.ClinicPhone, ClinicZone: m.ClinicZone, EmergencyLine: m.EmergencyLine, createdAt: m.CreatedAt}
	if m.SignerName != nil {
		h.signerID, h.SignerName, h.SignerRole = *m.SignerID, *m.SignerName, *m.SignerRole
	}
	h.SendAt = m.SendAt
	if m.UnsentCode != "" {
		h.Unsent = unsentWords(m.UnsentCode)
	}
	if m.SignedAt == nil {
		return h
	}
	until := m.SignedAt.Add(time.Duration(m.UndoSeconds) * time.Second)
	if m.SendAt != nil && m.SendAt.After(until) {
		until = *m.SendAt
	}
	if until.After(*m.SignedAt) {
		h.UndoUntil = &until
	}
	return h
}

func briefView(r db.BriefLastRow, body briefBody, shot briefSnapshot) BriefView {
	v := BriefView{Version: int(r.Version), By: Person{ID: r.WrittenBy, Name: r.WriterName, Role: r.WriterRole}, At: r.CreatedAt,
		Inquiry: Text(body.Inquiry), Summary: Text(shot.Summary), History: Text(shot.History), Medications: Text(shot.Medications),
		Allergies: Text(shot.Allergies), Notes: Text(shot.Notes)}
	for _, p := range body.Points {
		v.Points = append(v.Points, Text(p))
	}
	for _, f := range body.Facts {
		v.Facts = append(v.Facts, FactView{ID: f.ID, Kind: f.Kind, Text: Text(f.Text)})
	}
	return v
}

func (t *tx) viewSettings(ctx context.Context, v *DraftView, m db.MessageGetRow) error {
	s, err := t.settingsOf(ctx, m.DoctorID)
	if err != nil {
		return err
	}
	v.MaxWords, v.GradeGoal = s.MaxWords, gradeOf[s.ReadingLevel]
	signer := t.actor
	if !signer.Can(ReviewApprove) {
		signer = Actor{ID: m.DoctorID, Name: m.DoctorName, Role: Doctor}
	}
	off, err := t.signOffOf(ctx, signer)
	v.SignOff = Text(off)
	return err
}

func (t *tx) viewDraft(ctx context.Context, v *DraftView, b *chest, m db.MessageGetRow) error {
	versions, err := t.DraftsOfMessage(ctx, db.DraftsOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	if err != nil {
		return err
	}
	for _, d := range versions {
		v.Versions = append(v.Versions, DraftVersion{ID: d.ID, Version: int(d.Version), By: writer(d.Source, d.WriterName), At: d.CreatedAt})
	}
	if m.DraftID == nil {
		return nil
	}
	d, err := t.DraftGet(ctx, db.DraftGetParams{ID: *m.DraftID, ClinicID: m.ClinicID})
	if err != nil {
		return err
	}
	var report check.Report
	v.Text = b.open(d.TextSealed, "drafts", "text", d.ID)
	b.openJSON(d.ChecksSealed, "drafts", "checks", d.ID, &report)
	if b.err != nil {
		return b.err
	}
	v.DraftVersion, v.DraftBy, v.DraftAt = int(d.Version), writer(d.Source, d.WriterName), d.CreatedAt
	if m.Status == "in_review" { // what is asked now is what has to be answered to sign
		e, err := t.examine(ctx, b, lockedRow(m))
		if err != nil {
			return err
		}
		report = e.report
	}
	k, err := t.acks(ctx, m.ID)
	v.findings(report, k, t.actor)
	return err
}

// lockedRow is the row as deeds know it that change the message, as far as the checks look at it.
func lockedRow(m db.MessageGetRow) db.MessageLockRow {
	return db.MessageLockRow{ID: m.ID, ClinicID: m.ClinicID, PatientID: m.PatientID, DoctorID: m.DoctorID, Kind: m.Kind, Status: m.Status,
		Priority: m.Priority, Channel: m.Channel, DraftID: m.DraftID}
}

func writer(source, name string) string {
	if source == "model" {
		return "the model"
	}
	return name
}

func (t *tx) viewReview(ctx context.Context, v *DraftView, b *chest, m db.MessageGetRow) error {
	r, err := t.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: m.ID, ClinicID: m.ClinicID})
	if err != nil && !noRows(err) {
		return err
	}
	if err == nil {
		v.SubmittedBy, v.SubmittedAt = r.SubmitterName, r.SubmittedAt
		if r.State == "returned" {
			v.ReturnNote, v.ReturnedBy = b.open(r.NoteSealed, "reviews", "note", r.ID), r.DeciderName
		}
	}
	why := approvable(t.actor, approval{status: m.Status, submitter: r.SubmittedBy, needsDoctor: v.needsDoctor(m.Kind)})
	v.CanApprove, v.CannotApproveWhy = why == nil, Sentence(why)
	if v.CanApprove {
		err := t.fresh(ctx)
		if v.SignInAgain = Code(err) == SignInAgain; err != nil && !v.SignInAgain {
			return err
		}
	}
	if why == nil {
		v.CannotApproveWhy = ""
	}
	v.CanEdit = t.actor.Can(DraftEdit) && (m.Status == "drafting" || m.Status == "draft_ready" || m.Status == "returned" || m.Status == "in_review" && v.CanApprove)
	return b.err
}

// needsDoctor applies check.NeedsDoctor to what the view already holds.
func (v *DraftView) needsDoctor(kind string) bool {
	report := check.Report{}
	for _, f := range v.Findings {
		if f.Level != check.Info.String() {
			report.Findings = append(report.Findings, check.Finding{Check: f.Check, Level: check.Confirm})
		}
	}
	return check.NeedsDoctor(kind, check.Brief{Facts: make([]check.Fact, len(v.Brief.Facts))}, report)
}

func (t *tx) viewRequest(ctx context.Context, v *DraftView) error {
	r, err := t.DraftRequestLast(ctx, db.DraftRequestLastParams{MessageID: v.Message.ID, ClinicID: t.clinicID()})
	if noRows(err) {
		return nil
	}
	if err != nil {
		return err
	}
	v.Request = &RequestView{ID: r.ID, State: r.State, Words: int(r.Words), Attempt: int(r.Attempt), Error: modelWords(r.ErrorClass), Since: r.CreatedAt}
	return nil
}

// contactWords says how the notice will travel, and whether it can.
func contactWords(p Patient, channel string) (words string, ok bool, why string) {
	name := map[string]string{"email": "E-mail notice", "sms": "SMS notice"}[channel]
	for _, c := range p.Contacts {
		if c.Channel != channel {
			continue
		}
		switch {
		case c.OptedOut:
			return name, false, "The patient has opted out of this address. Choose another way, or call."
		case c.Bounced:
			return name, true, "The last notice to this address did not arrive. Consider the other channel."
		case c.Verified:
			return name + ", verified", true, ""
		}
		return name + ", not yet verified", true, ""
	}
	if len(p.Contacts) == 0 {
		return name, false, "There is no phone number and no e-mail address on file. Add one before you hand this in."
	}
	return name, false, map[string]string{"email": "There is no e-mail address on file. Add one, or send by SMS.",
		"sms": "There is no mobile number on file. Add one, or send by e-mail."}[channel]
}
