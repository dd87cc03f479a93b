package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// GlassRow is one entry of the review list.
type GlassRow struct {
	ID, PatientID uuid.UUID
	By            Person
	Patient       Text
	Reason, Note  Text
	ByMRN         bool // found by record number, else by name and date of birth
	At, Until     time.Time
	Ended         bool // before its time, by the person's own word
	Running       bool
	Looks         int // what the person read of the patient meanwhile
	Reviewer      string
	ReviewedAt    *time.Time
	CanReview     bool
	Closed        bool // cannot be opened: neither its reason read nor its review sealed
}

// GlassPage is one page of the list; Next is the cursor of the following one, or empty.
type GlassPage struct {
	Rows []GlassRow
	Next string
}

// GlassList is every break-glass of the clinic, newest first: those that wait for a review, or those that had one.
func (c *Clinic) GlassList(ctx context.Context, a Actor, reviewed bool, after string) (GlassPage, error) {
	var page GlassPage
	err := c.do(ctx, a, GlassList, Subject{Kind: "glass"}, func(t *tx) error {
		from := t.cursorFrom(after)
		rows, err := t.GlassListByAdmin(ctx, db.GlassListByAdminParams{ClinicID: t.clinicID(), Open: !reviewed, Before: from.At, BeforeID: from.ID, RowLimit: glassPage + 1})
		if err != nil {
			return err
		}
		if len(rows) > glassPage {
			rows = rows[:glassPage]
			last := rows[len(rows)-1]
			page.Next = timeCursor{last.OpenedAt, last.ID}.String()
		}
		for _, r := range rows {
			row, err := t.glassRow(r)
			if err != nil {
				return err
			}
			page.Rows = append(page.Rows, row)
		}
		return nil
	})
	return page, err
}

func (t *tx) glassRow(r db.GlassListByAdminRow) (GlassRow, error) {
	b := t.c.chest(r.PatientID, r.Wrapped)
	out := GlassRow{ID: r.ID, PatientID: r.PatientID, By: Person{r.StaffID, r.StaffName, r.StaffRole}, ByMRN: r.FoundBy == "mrn",
		Patient: b.open(r.NameSealed, "patients", "name", r.PatientID), Reason: b.open(r.ReasonSealed, "glass", "reason", r.ID),
		At: r.OpenedAt, Until: r.ExpiresAt, Ended: r.EndedAt != nil, Looks: int(r.Looks), Reviewer: r.ReviewerName, ReviewedAt: r.ReviewedAt,
		CanReview: r.ReviewedAt == nil && r.StaffID != t.actor.ID}
	if out.Ended {
		out.Until = *r.EndedAt
	}
	out.Running = out.Until.After(t.at)
	if r.NoteSealed != nil {
		out.Note = b.open(r.NoteSealed, "glass", "note", r.ID)
	}
	var err error
	if out.Closed, err = b.row(&out.Patient); out.Closed {
		out.CanReview = false
	}
	return out, err
}

// GlassReview marks an entry as reviewed, with what the reviewer found: 1 to 1,000 characters. Nobody reviews themselves.
// Conflict when somebody was faster. Field: note.
func (c *Clinic) GlassReview(ctx context.Context, a Actor, id uuid.UUID, note string) error {
	return c.do(ctx, a, GlassReview, Subject{Kind: "glass", ID: id}, func(t *tx) error {
		g, err := t.GlassLockByAdmin(ctx, db.GlassLockByAdminParams{ID: id, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		t.subject.Patient = g.PatientID
		if g.StaffID == a.ID {
			return refuse(Forbidden, "own", "This was you. Somebody else has to review it.")
		}
		if g.ReviewedAt != nil {
			return refuse(Conflict, "reviewed", "Somebody reviewed this a moment ago. It is in the list of those that are done.")
		}
		var f form
		note = f.text("note", "The note", note, 1, 1000)
		if err := f.err(); err != nil {
			return err
		}
		b := c.chest(g.PatientID, g.Wrapped)
		sealed := b.seal(note, "glass", "note", id)
		if b.err != nil {
			return b.err
		}
		t.names = append(t.names, "worklist-"+t.clinicID().String())
		return t.GlassReviewed(ctx, db.GlassReviewedParams{StaffID: &a.ID, At: &t.at, NoteSealed: sealed, ID: id, ClinicID: t.clinicID()})
	})
}
