package clinic

import (
	"context"
	"fmt"
	"unicode/utf8"

	"github.com/aymanbagabas/go-udiff"
	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// DraftEdit saves the text as a version of its own (within five minutes the same person's saves are one) and checks
// it. Conflict when the message has moved on. Field: text.
func (c *Clinic) DraftEdit(ctx context.Context, a Actor, id uuid.UUID, version int, text string) (DraftView, error) {
	var v DraftView
	err := c.do(ctx, a, DraftEdit, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if text, err = draftText(text); err != nil {
			return err
		}
		if int(m.Version) != version {
			return t.movedOn(ctx, m)
		}
		if err := t.readToWrite(ctx, m); err != nil {
			return err
		}
		if err := t.mayWrite(ctx, m); err != nil {
			return err
		}
		if err := t.saveText(ctx, b, m, text); err != nil {
			return err
		}
		v, err = t.view(ctx, id)
		return err
	})
	return v, err
}

func draftText(text string) (string, error) {
	var f form
	text = f.text("text", "The message", text, 1, textMost)
	return text, f.err()
}

// mayWrite: before the review everyone on the team may write; during it only who may sign it.
func (t *tx) mayWrite(ctx context.Context, m db.MessageLockRow) error {
	switch m.Status {
	case "drafting", "draft_ready", "returned":
		return nil
	case "in_review":
		if !t.actor.Can(ReviewApprove) {
			return refuse(Conflict, "in_review", "This message is with the reviewer. Recall it first if you want to change it.")
		}
		r, err := t.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: m.ID, ClinicID: m.ClinicID})
		if err != nil {
			return err
		}
		return approvable(t.actor, approval{status: m.Status, submitter: r.SubmittedBy, needsDoctor: m.Kind == "clinical"})
	}
	return t.movedOn(ctx, m)
}

// saveText keeps what a person wrote, unless it is what is there already.
func (t *tx) saveText(ctx context.Context, b *chest, m db.MessageLockRow, text string) error {
	if m.DraftID != nil {
		d, err := t.DraftGet(ctx, db.DraftGetParams{ID: *m.DraftID, ClinicID: m.ClinicID})
		if err != nil {
			return err
		}
		if b.open(d.TextSealed, "drafts", "text", d.ID).Reveal() == text && b.err == nil {
			t.silent = true
			return nil
		}
	}
	br, _, _, err := t.lastBrief(ctx, b, m.ID)
	if err != nil {
		return err
	}
	status := "draft_ready"
	if m.Status == "in_review" {
		status = m.Status
	}
	_, err = t.saveDraft(ctx, b, m, db.DraftAppendParams{BriefVersion: br.Version, Source: "person", WrittenBy: &t.actor.ID}, text, status)
	return err
}

// DraftByHand begins a draft without the model: a greeting to start from. It never costs a budget and never stops.
func (c *Clinic) DraftByHand(ctx context.Context, a Actor, id uuid.UUID) error {
	return c.do(ctx, a, DraftByHand, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if m.Status != "drafting" {
			t.silent = true
			return nil
		}
		if err := t.DraftRequestsCancel(ctx, db.DraftRequestsCancelParams{At: &t.at, MessageID: id, ClinicID: m.ClinicID}); err != nil {
			return err
		}
		p, _, err := t.patient(ctx, m.PatientID)
		if err != nil {
			return err
		}
		return t.saveText(ctx, b, m, "Dear "+p.Name.Reveal()+",")
	})
}

// DraftCheck runs the checks on a text that is being typed. Nothing is saved.
func (c *Clinic) DraftCheck(ctx context.Context, a Actor, id uuid.UUID, text string) (DraftView, error) {
	var v DraftView
	err := c.do(ctx, a, DraftCheck, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.readMessage(ctx, id)
		if err != nil {
			return err
		}
		if text = tidy(text); utf8.RuneCountInString(text) > textMost {
			return invalid(map[string]string{"text": fmt.Sprintf("The message is too long (at most %d characters).", textMost)})
		}
		if v, err = t.view(ctx, id); err != nil {
			return err
		}
		subject, err := t.checkSubject(ctx, b, m, text)
		if err != nil {
			return err
		}
		k, err := t.acks(ctx, id)
		v.Text, v.Findings, v.Sentences, v.Grounded = Text(text), nil, 0, 0
		v.findings(check.Run(subject), k, a)
		return err
	})
	return v, err
}

// DiffLine is one line of a comparison: same, add or del.
type DiffLine struct {
	Kind string
	Text Text
}

// DiffView compares two versions of a draft.
type DiffView struct {
	MessageID uuid.UUID
	From, To  int
	Lines     []DiffLine
	ByGlass   bool // read by break-glass
}

// DraftDiff shows what changed between two versions, word for word within lines.
func (c *Clinic) DraftDiff(ctx context.Context, a Actor, id uuid.UUID, from, to int) (DiffView, error) {
	v := DiffView{MessageID: id, From: from, To: to}
	err := c.do(ctx, a, DraftDiff, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, err := t.messageGet(ctx, id)
		if err != nil {
			return err
		}
		v.ByGlass = m.ByGlass
		b := c.chest(m.PatientID, m.Wrapped)
		var texts [2]string
		for i, n := range []int{from, to} {
			d, err := t.DraftByVersion(ctx, db.DraftByVersionParams{MessageID: id, ClinicID: a.ClinicID, Version: int32(n)})
			if err != nil {
				return found(err)
			}
			texts[i] = b.open(d.TextSealed, "drafts", "text", d.ID).Reveal() + "\n"
		}
		if b.err != nil {
			return b.err
		}
		v.Lines, err = diffLines(texts[0], texts[1])
		return err
	})
	return v, err
}

func diffLines(before, after string) ([]DiffLine, error) {
	unified, err := udiff.ToUnifiedDiff("", "", before, udiff.Strings(before, after), 1000)
	if err != nil {
		return nil, err
	}
	var out []DiffLine
	for _, h := range unified.Hunks {
		for _, l := range h.Lines {
			kind := map[udiff.OpKind]string{udiff.Equal: "same", udiff.Insert: "add", udiff.Delete: "del"}[l.Kind]
			out = append(out, DiffLine{Kind: kind, Text: Text(l.Content)})
		}
	}
	if len(out) == 0 {
		out = append(out, DiffLine{Kind: "same", Text: Text(before)})
	}
	return out, nil
}
