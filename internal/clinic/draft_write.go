package clinic

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/drafting"
)

// DraftClaim begins one attempt at a draft request, or returns nil when there is nothing to begin: it is done, claimed
// by another, was begun three times, or its message has moved on. The claim is a lease with a fencing number; whoever
// holds an older one can record cost and nothing else.
func (c *Clinic) DraftClaim(ctx context.Context, a Actor, id uuid.UUID) (*Assignment, error) {
	var out *Assignment
	err := c.do(ctx, a, DraftClaim, Subject{Kind: "draft_request", ID: id}, func(t *tx) error {
		at, err := t.DraftRequestMessage(ctx, id)
		if noRows(err) {
			t.silent = true
			return nil
		}
		if err != nil {
			return err
		}
		t.actor.ClinicID = at.ClinicID
		// The message before the request: the order in which the deeds of people lock them.
		m, err := t.MessageLockByWorker(ctx, db.MessageLockByWorkerParams{ID: at.MessageID, ClinicID: at.ClinicID})
		if err != nil {
			return err
		}
		r, err := t.DraftRequestClaim(ctx, db.DraftRequestClaimParams{ID: id, ClinicID: at.ClinicID, LeaseUntil: ptr(t.at.Add(c.times.DraftLease)), At: t.at})
		if noRows(err) {
			t.silent = true
			return nil
		}
		if err != nil {
			return err
		}
		t.subject.Patient, t.detail["attempt"] = m.PatientID, r.Attempt
		t.changed(r.MessageID)
		out, err = t.assign(ctx, db.MessageLockRow(m), r)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// assign writes the prompt. A brief that no model may see, or a message that has moved on, ends the request here.
func (t *tx) assign(ctx context.Context, m db.MessageLockRow, r db.DraftRequest) (*Assignment, error) {
	b := t.c.chest(m.PatientID, m.Wrapped)
	out := &Assignment{RequestID: r.ID, MessageID: r.MessageID, Attempt: int(r.Attempt), Schema: drafting.Schema(), DueAt: r.NextAttemptAt, clinicID: r.ClinicID, patientID: m.PatientID}
	code := ""
	cl, err := t.clinicOf(ctx, r.ClinicID)
	if err != nil {
		return nil, err
	}
	switch {
	case settled(m.Status):
		code = "moved_on"
	case !cl.DraftingOn: // since it was asked for
		code = "drafting_off"
	default:
		out.Prompt, out.briefVersion, err = t.prompt(ctx, b, m, b.open(r.InstructionSealed, "draft_requests", "instruction", r.ID).Reveal())
		var de *drafting.Error
		if errors.As(err, &de) {
			code = de.Code
		} else if err != nil {
			return nil, err
		}
	}
	if code == "" {
		return out, nil
	}
	t.detail["code"] = code
	_, err = t.DraftRequestFinish(ctx, db.DraftRequestFinishParams{State: "failed", At: &t.at, ErrorClass: code, ID: r.ID, ClinicID: r.ClinicID, Attempt: r.Attempt})
	return nil, err
}

// settled: past drafting, so that no draft has a place any more.
func settled(status string) bool {
	return status == "in_review" || status == "approved" || status == "withdrawn"
}

// prompt turns the brief into what the model may see, and says which version of the brief that was.
func (t *tx) prompt(ctx context.Context, b *chest, m db.MessageLockRow, instruction string) (drafting.Prompt, int32, error) {
	br, _, _, err := t.lastBrief(ctx, b, m.ID)
	if err != nil {
		return drafting.Prompt{}, 0, err
	}
	subject, err := t.checkSubject(ctx, b, m, "")
	if err != nil {
		return drafting.Prompt{}, 0, err
	}
	s, err := t.settingsOf(ctx, m.DoctorID)
	if err != nil {
		return drafting.Prompt{}, 0, err
	}
	marker := make([]byte, 8)
	_, _ = rand.Read(marker) // crypto/rand never fails: it aborts the program
	p, err := drafting.Build(drafting.Input{Brief: subject.Brief, Patient: subject.Patient, AgeBand: drafting.AgeBand(subject.Patient.BirthDates[0], t.at),
		Instruction: instruction, Marker: hex.EncodeToString(marker),
		Settings: drafting.Settings{Tone: s.Tone, ReadingLevel: s.ReadingLevel, Grade: int(gradeOf[s.ReadingLevel]), MaxWords: s.MaxWords,
			Specialty: s.Specialty, Language: subject.Settings.Language}})
	return p, br.Version, err
}

// DraftProgress tells the open page how far the model is, and extends the lease. It answers false when the claim is no
// longer this worker's: the caller stops.
func (c *Clinic) DraftProgress(ctx context.Context, as *Assignment, state string, words int) (bool, error) {
	q := db.New(c.pool)
	n, err := q.DraftRequestProgress(ctx, db.DraftRequestProgressParams{State: state, Words: int32(words), LeaseUntil: ptr(c.now().Add(c.times.DraftLease)),
		ID: as.RequestID, ClinicID: as.clinicID, Attempt: int32(as.Attempt)})
	if err != nil {
		return true, err
	}
	c.announce(ctx, []string{"message-" + as.MessageID.String()})
	return n == 1, nil
}

// DraftFinish records an attempt: its cost always; its text only when it passed the parser, the names went back in, and
// the claim is still this worker's. A failure that may pass is tried again, at most three times in all.
func (c *Clinic) DraftFinish(ctx context.Context, a Actor, as *Assignment, answer Answer) error {
	a.ClinicID = as.clinicID
	answer.Model = codeOf(answer.Model)
	text, code := restore(as, answer)
	code = codeOf(code)
	return c.do(ctx, a, DraftFinish, Subject{Kind: "draft_request", ID: as.RequestID, Patient: as.patientID}, func(t *tx) error {
		// The message before the request: the order in which the deeds of people lock them.
		m, err := t.MessageLockByWorker(ctx, db.MessageLockByWorkerParams{ID: as.MessageID, ClinicID: as.clinicID})
		if err != nil {
			return err
		}
		if code == "" && settled(m.Status) {
			code = "moved_on"
		}
		t.detail["attempt"], t.detail["code"], t.detail["tokens"] = as.Attempt, code, answer.PromptTokens+answer.CompletionTokens
		n, err := t.endAttempt(ctx, as, answer, code)
		if err != nil {
			return err
		}
		t.changed(as.MessageID)
		if n == 0 {
			return t.charge(ctx, as, answer)
		}
		if code != "" {
			return nil
		}
		_, err = t.saveDraft(ctx, c.chest(m.PatientID, m.Wrapped), db.MessageLockRow(m), db.DraftAppendParams{BriefVersion: as.briefVersion, Source: "model",
			Model: answer.Model, PromptVersion: as.Prompt.Version}, text, "draft_ready")
		return err
	})
}

// endAttempt takes the request out of this worker's hands: ready, failed, or to be tried again. It answers 0 when it is
// no longer in them.
func (t *tx) endAttempt(ctx context.Context, as *Assignment, answer Answer, code string) (int64, error) {
	cost := drafting.Cost(answer.Model, answer.PromptTokens, answer.CompletionTokens)
	mayPass := answer.Retry || answer.Code == "" // an answer that cannot be read may be better next time
	if code != "" && code != "moved_on" && mayPass && as.Attempt < draftAttempts {
		return t.DraftRequestRetry(ctx, db.DraftRequestRetryParams{NextAttemptAt: t.at.Add(time.Duration(as.Attempt) * draftRetryIn), ErrorClass: code, Model: answer.Model,
			PromptTokens: int64(answer.PromptTokens), CompletionTokens: int64(answer.CompletionTokens), CostMicrousd: cost,
			ID: as.RequestID, ClinicID: as.clinicID, Attempt: int32(as.Attempt)})
	}
	state := "ready"
	if code != "" {
		state = "failed"
	}
	return t.DraftRequestFinish(ctx, db.DraftRequestFinishParams{State: state, At: &t.at, ErrorClass: code, Model: answer.Model,
		PromptTokens: int64(answer.PromptTokens), CompletionTokens: int64(answer.CompletionTokens), CostMicrousd: cost,
		ID: as.RequestID, ClinicID: as.clinicID, Attempt: int32(as.Attempt)})
}

// charge adds the cost of an attempt whose claim was lost: it was spent all the same.
func (t *tx) charge(ctx context.Context, as *Assignment, answer Answer) error {
	t.detail["lost"] = true
	return t.DraftRequestCharge(ctx, db.DraftRequestChargeParams{PromptTokens: int64(answer.PromptTokens), CompletionTokens: int64(answer.CompletionTokens),
		CostMicrousd: drafting.Cost(answer.Model, answer.PromptTokens, answer.CompletionTokens), ID: as.RequestID, ClinicID: as.clinicID})
}

// restore parses the answer strictly and puts the names back. The code says what was wrong, never the text.
func restore(as *Assignment, answer Answer) (text, code string) {
	if answer.Code != "" {
		return "", answer.Code
	}
	d, err := drafting.Parse(answer.Raw)
	if err == nil {
		text, _, err = as.Prompt.Restore(d)
	}
	var de *drafting.Error
	if errors.As(err, &de) {
		return "", de.Code
	}
	if err != nil {
		return "", "bad_answer"
	}
	return text, ""
}

func ptr[T any](v T) *T { return &v }
