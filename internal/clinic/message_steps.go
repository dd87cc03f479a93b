package clinic

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"countersign/internal/db"
)

// viewSteps tells the message's life in order of time, then what is still to come.
func (t *tx) viewSteps(ctx context.Context, b *chest, v *MessageView) error {
	id, clinic := v.Message.ID, t.clinicID()
	briefs, err := t.BriefsOfMessage(ctx, db.BriefsOfMessageParams{MessageID: id, ClinicID: clinic})
	if err != nil {
		return err
	}
	for _, r := range briefs {
		title := "Brief written"
		if r.Version > 1 {
			title = "Brief changed"
		}
		v.step(Step{At: r.CreatedAt, Title: title, By: r.WriterName, Kind: "brief"})
	}
	if err := t.draftSteps(ctx, v); err != nil {
		return err
	}
	if err := t.reviewSteps(ctx, b, v); err != nil {
		return err
	}
	if err := t.signSteps(ctx, v); err != nil {
		return err
	}
	if err := t.deliverySteps(ctx, v); err != nil {
		return err
	}
	if v.lockedAt != nil {
		v.step(Step{At: *v.lockedAt, Title: "Link locked after five wrong dates of birth", Kind: "page", Level: "stop", State: "locked",
			Detail: "Call the patient, and check the date of birth on file."})
	}
	slices.SortStableFunc(v.Steps, func(a, b Step) int { return a.At.Compare(b.At) })
	v.whatIsNext()
	return b.err
}

// reviewSteps are the rounds of review, signatures aside: an undone one leaves no mark on its round.
func (t *tx) reviewSteps(ctx context.Context, b *chest, v *MessageView) error {
	reviews, err := t.ReviewsOfMessage(ctx, db.ReviewsOfMessageParams{MessageID: v.Message.ID, ClinicID: t.clinicID()})
	for _, r := range reviews {
		if r.Cause == "unsent" {
			v.step(Step{At: r.SubmittedAt, Title: "Back for review: it was not sent in time", Kind: "review", State: "unsent", Level: "stop"})
		} else {
			v.step(Step{At: r.SubmittedAt, Title: "Submitted for review", By: r.SubmitterName, Kind: "review"})
		}
		note := b.open(r.NoteSealed, "reviews", "note", r.ID)
		title := map[string]string{"returned": "Returned with a note", "recalled": "Recalled"}[r.State]
		if r.DecidedAt == nil || title == "" {
			continue
		}
		v.step(Step{At: *r.DecidedAt, Title: title, Detail: note, By: r.DeciderName, Kind: "review", State: r.State})
		if r.State == "returned" {
			v.Notes = append(v.Notes, NoteView{By: r.DeciderName, At: *r.DecidedAt, Text: note})
		}
	}
	return err
}

// signDeeds are the deeds that are told of a signature.
var signDeeds = []string{string(ReviewApprove), string(MessageUndo), string(MessageWithdraw), string(MessageSchedule)}

// signSteps reads signatures, and what was done about them later, from the trail itself.
func (t *tx) signSteps(ctx context.Context, v *MessageView) error {
	told := map[Deed]Step{ReviewApprove: {Title: "Countersigned", State: "approved"}, MessageUndo: {Title: "Signature undone", State: "undone"},
		MessageWithdraw: {Title: "Withdrawn: the page says so", State: "withdrawn", Level: "stop"}, MessageSchedule: {State: "scheduled"}}
	rows, err := t.AuditOfMessage(ctx, db.AuditOfMessageParams{ClinicID: t.clinicID(), MessageID: &v.Message.ID, Deeds: signDeeds})
	for _, r := range rows {
		s := told[Deed(r.Deed)]
		if Deed(r.Deed) == MessageSchedule {
			s.Title = scheduleTitle(r.Detail, v.Message.ClinicZone)
		}
		s.At, s.By, s.Kind = r.At, r.ActorName, "review"
		v.step(s)
	}
	return err
}

func (v *MessageView) step(s Step) {
	if s.Level == "" {
		s.Level = "done"
	}
	v.Steps = append(v.Steps, s)
}

func (t *tx) draftSteps(ctx context.Context, v *MessageView) error {
	requests, err := t.DraftRequestsOfMessage(ctx, db.DraftRequestsOfMessageParams{MessageID: v.Message.ID, ClinicID: t.clinicID()})
	if err != nil {
		return err
	}
	for _, r := range requests {
		v.step(Step{At: r.CreatedAt, Title: "Draft asked for", By: r.RequesterName, Kind: "draft"})
		if r.State == "failed" && r.FinishedAt != nil {
			v.step(Step{At: *r.FinishedAt, Title: "No draft", Detail: Text(modelWords(r.ErrorClass)), Kind: "draft", Level: "stop"})
		}
	}
	drafts, err := t.DraftsOfMessage(ctx, db.DraftsOfMessageParams{MessageID: v.Message.ID, ClinicID: t.clinicID()})
	for _, d := range drafts {
		v.step(Step{At: d.CreatedAt, Title: fmt.Sprintf("Draft %d written", d.Version), By: writer(d.Source, d.WriterName), Kind: "draft"})
	}
	return err
}

// whatIsNext marks where the message stands and what it still waits for.
func (v *MessageView) whatIsNext() {
	todo := func(title, kind string) { v.Steps = append(v.Steps, Step{Title: title, Kind: kind, Level: "todo"}) }
	switch v.Message.Status {
	case "drafting", "draft_ready", "returned":
		todo("Submit for review", "review")
	case "in_review":
		todo("Countersign", "review")
	case "approved":
		v.deliveryNext(todo)
	}
	for i := len(v.Steps) - 1; i >= 0; i-- {
		if v.Steps[i].Level == "done" {
			v.Steps[i].Level = "now"
			return
		}
		if v.Steps[i].Level == "stop" {
			return
		}
	}
}

func plainParagraphs(text string) []Paragraph {
	var out []Paragraph
	for _, p := range strings.Split(text, "\n\n") {
		if strings.TrimSpace(p) != "" {
			out = append(out, Paragraph{Pieces: []Piece{{Text: Text(p)}}})
		}
	}
	return out
}
