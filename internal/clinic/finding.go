package clinic

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// FindingAnswer records that this person looked at one finding and stands by the text. Conflict when the text has
// changed so that it is not asked any more, or when the message is past signing.
func (c *Clinic) FindingAnswer(ctx context.Context, a Actor, id uuid.UUID, key string) error {
	return c.do(ctx, a, FindingAnswer, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if m.DraftID == nil {
			return notFound()
		}
		if m.Status == "approved" || m.Status == "withdrawn" {
			return t.movedOn(ctx, m)
		}
		e, err := t.examine(ctx, b, m)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(e.report.Findings, func(f check.Finding) bool { return f.Key == key && f.Level == check.Confirm })
		if i < 0 {
			return refuse(Conflict, "finding_gone", "The text has changed since, and this finding is no longer there.")
		}
		t.detail["check"], t.detail["key"] = e.report.Findings[i].Check, key
		n, err := t.Acknowledge(ctx, db.AcknowledgeParams{MessageID: id, ClinicID: m.ClinicID, FindingKey: key, CheckCode: e.report.Findings[i].Check,
			StaffID: a.ID, At: t.at})
		if err != nil || n == 0 {
			t.silent = true // answered before
			return err
		}
		t.changed(id)
		return t.countFindings(ctx, m, e.report)
	})
}

// countFindings keeps the lists' number of what a signer still has to settle.
func (t *tx) countFindings(ctx context.Context, m db.MessageLockRow, r check.Report) error {
	k, err := t.acks(ctx, m.ID)
	if err != nil {
		return err
	}
	return t.MessageFindings(ctx, db.MessageFindingsParams{OpenFindings: k.open(r), ID: m.ID, ClinicID: m.ClinicID})
}
