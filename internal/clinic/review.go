package clinic

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// approval is what approvable decides on.
type approval struct {
	status      string
	submitter   uuid.UUID
	needsDoctor bool
}

// approvable is the rule of signing: only what is in review; never one's own submission, doctors aside; a clinical
// message, or one that turns out to be, needs a doctor; and never through break-glass.
func approvable(a Actor, m approval) error {
	switch {
	case a.Reading:
		return refuse(Forbidden, "glass", "Emergency access is for reading. Whoever is on the care team signs.")
	case !a.Can(ReviewApprove):
		return refuse(Forbidden, "role", "Your role does not include signing.")
	case m.status != "in_review":
		return refuse(Conflict, "not_in_review", "This message is not waiting for a signature.")
	case a.May(ReviewApprove) == TeamNotOwn && m.submitter == a.ID:
		return refuse(Forbidden, "own", "You submitted this message yourself, so somebody else has to sign it.")
	case m.needsDoctor && !a.Can(ReviewApproveClinical):
		return refuse(Forbidden, "needs_doctor", "This message is clinical and needs a doctor's signature.")
	}
	return nil
}

// ReviewShow reads a message for its review, with its place in the actor's queue and its neighbours.
func (c *Clinic) ReviewShow(ctx context.Context, a Actor, id uuid.UUID) (DraftView, error) {
	var v DraftView
	err := c.do(ctx, a, ReviewShow, Subject{Kind: "message", ID: id}, func(t *tx) (err error) {
		if v, _, _, err = t.viewed(ctx, id, t.readToReview); err != nil {
			return err
		}
		t.subject.Patient = v.Message.PatientID
		queue, err := t.ReviewQueue(ctx, db.ReviewQueueParams{ClinicID: a.ClinicID, StaffID: a.ID})
		v.Message.placed(queue)
		return err
	})
	return v, err
}

func (h *MessageHead) placed(queue []uuid.UUID) {
	h.Of = len(queue)
	at := slices.Index(queue, h.ID)
	h.Position = at + 1
	if at > 0 {
		h.PreviousID = &queue[at-1]
	}
	if at+1 < len(queue) { // one that is no longer in the queue is followed by its head
		h.NextID = &queue[at+1]
	}
}

// ReviewSubmit hands one's own message to the reviewer: that of the brief's author or doctor. Invalid while a check blocks or the patient cannot be reached
// that way; findings to confirm may be left to the signer.
func (c *Clinic) ReviewSubmit(ctx context.Context, a Actor, id uuid.UUID, version int) error {
	return c.do(ctx, a, ReviewSubmit, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if int(m.Version) != version || m.DraftID == nil || m.Status != "draft_ready" && m.Status != "returned" {
			return t.movedOn(ctx, m)
		}
		if m.AuthorID != a.ID && m.DoctorID != a.ID {
			return refuse(Forbidden, "own", "Only whoever wrote the brief, or the doctor it names, can submit this message.")
		}
		e, err := t.examine(ctx, b, m)
		if err != nil {
			return err
		}
		if len(e.report.Blocking()) > 0 {
			return blocked(e.report)
		}
		t.detail["needs_doctor"] = check.NeedsDoctor(m.Kind, e.subject.Brief, e.report)
		if _, err := t.reachable(ctx, m); err != nil {
			return err
		}
		rid := newID()
		note := b.seal("", "reviews", "note", rid)
		if b.err != nil {
			return b.err
		}
		if err := t.ReviewOpen(ctx, db.ReviewOpenParams{ID: rid, ClinicID: m.ClinicID, MessageID: id, DraftID: *m.DraftID, SubmittedBy: a.ID, At: t.at, NoteSealed: note, Cause: "submitted"}); err != nil {
			return err
		}
		t.changed(id)
		return t.move(ctx, m, "in_review")
	})
}

func blocked(r check.Report) error {
	n := len(r.Blocking())
	if n == 1 {
		return &Error{Kind: Invalid, Code: "blocked", Sentence: "One check stops this message. It is marked in the text."}
	}
	return &Error{Kind: Invalid, Code: "blocked", Sentence: fmt.Sprintf("%d checks stop this message. They are marked in the text.", n)}
}

// move changes a message's status from what was locked.
func (t *tx) move(ctx context.Context, m db.MessageLockRow, status string) error {
	n, err := t.MessageMove(ctx, db.MessageMoveParams{Status: status, At: t.at, ChangedBy: orNull(t.actor.ID), ID: m.ID, ClinicID: m.ClinicID, Version: m.Version, FromStatus: m.Status})
	if err == nil && n == 0 {
		return t.movedOn(ctx, m)
	}
	return err
}

// reachable finds the contact that the notice would go to, refusing before anybody spends a review on it.
func (t *tx) reachable(ctx context.Context, m db.MessageLockRow) (db.ContactsOfPatientRow, error) {
	cl, err := t.clinicOf(ctx, m.ClinicID)
	if err != nil {
		return db.ContactsOfPatientRow{}, err
	}
	if !channelOn(cl, m.Channel) {
		return db.ContactsOfPatientRow{}, &Error{Kind: Invalid, Code: "channel_off", Sentence: channelOff(m.Channel)}
	}
	contacts, err := t.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: m.ClinicID, PatientID: m.PatientID})
	if err != nil {
		return db.ContactsOfPatientRow{}, err
	}
	i := slices.IndexFunc(contacts, func(c db.ContactsOfPatientRow) bool { return c.Channel == m.Channel })
	if i < 0 {
		return db.ContactsOfPatientRow{}, &Error{Kind: Invalid, Code: "no_contact", Sentence: "The patient cannot be reached this way: there is no address on file. Add one on the patient's page, or change the channel in the brief."}
	}
	if contacts[i].Consent == "out" {
		return contacts[i], &Error{Kind: Invalid, Code: "opted_out", Sentence: "The patient has opted out of this address. Change the channel in the brief, or call."}
	}
	return contacts[i], nil
}

// ReviewRecall takes one's own submission back.
func (c *Clinic) ReviewRecall(ctx context.Context, a Actor, id uuid.UUID, version int) error {
	return c.do(ctx, a, ReviewRecall, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		r, err := t.openReview(ctx, m, version)
		if err != nil {
			return err
		}
		if r.SubmittedBy != a.ID {
			return refuse(Forbidden, "own", "Only "+r.SubmitterName+", who submitted this message, can recall it.")
		}
		return t.decide(ctx, b, m, r, "recalled", "draft_ready", "")
	})
}

// ReviewReturn gives the message back with a note of 1 to 2,000 characters. Field: note.
func (c *Clinic) ReviewReturn(ctx context.Context, a Actor, id uuid.UUID, version int, note string) error {
	return c.do(ctx, a, ReviewReturn, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		var f form
		note = f.text("note", "The note", note, 1, 2000)
		if err := f.err(); err != nil {
			return err
		}
		r, err := t.openReview(ctx, m, version)
		if err != nil {
			return err
		}
		return t.decide(ctx, b, m, r, "returned", "returned", note)
	})
}

func (t *tx) openReview(ctx context.Context, m db.MessageLockRow, version int) (db.ReviewCurrentRow, error) {
	if int(m.Version) != version || m.Status != "in_review" {
		return db.ReviewCurrentRow{}, t.movedOn(ctx, m)
	}
	return t.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: m.ID, ClinicID: m.ClinicID})
}

func (t *tx) decide(ctx context.Context, b *chest, m db.MessageLockRow, r db.ReviewCurrentRow, state, status, note string) error {
	if err := t.closeReview(ctx, b, r, state, note, *m.DraftID); err != nil {
		return err
	}
	t.changed(m.ID)
	return t.move(ctx, m, status)
}

// closeReview puts the decision off. The message's lock keeps it open until then.
func (t *tx) closeReview(ctx context.Context, b *chest, r db.ReviewCurrentRow, state, note string, draft uuid.UUID) error {
	sealed := b.seal(note, "reviews", "note", r.ID)
	if b.err != nil {
		return b.err
	}
	row := db.ReviewCloseParams{State: state, StaffID: &t.actor.ID, At: &t.at, NoteSealed: sealed, DraftID: draft, ID: r.ID, ClinicID: r.ClinicID}
	t.line.one(func(q *db.Queries) error { return only(q.ReviewClose(ctx, row)) })
	return nil
}
