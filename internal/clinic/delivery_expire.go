package clinic

import (
	"context"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// expireNotice ends a queued notice whose time is over, and gives its message back to the doctor: a message goes back, not out
// late. Whoever noticed (a claim, a sweep) holds no lock any more. Everything is looked at again here in the order in which
// undo and withdrawal lock: the message, its page, its delivery. What moved meanwhile is left alone. deed is what noticed it.
func (c *Clinic) expireNotice(ctx context.Context, a Actor, deed Deed, d db.Delivery) error {
	a.ClinicID = d.ClinicID
	return c.do(ctx, a, deed, Subject{Kind: "delivery", ID: d.ID, Patient: d.PatientID}, func(t *tx) error {
		t.silent = true
		if d.MessageID == nil {
			_, err := t.expireDelivery(ctx, d.ID)
			return err
		}
		m, err := t.MessageLockByWorker(ctx, db.MessageLockByWorkerParams{ID: *d.MessageID, ClinicID: d.ClinicID})
		if err != nil {
			return err
		}
		if _, err := t.PageLock(ctx, db.PageLockParams{MessageID: m.ID, ClinicID: m.ClinicID}); err != nil && !noRows(err) {
			return err
		}
		expired, err := t.expireDelivery(ctx, d.ID)
		if err != nil || expired == nil || expired.Kind != "notice" { // a reminder's message was handed over
			return err
		}
		return t.unsent(ctx, db.MessageLockRow(m), *expired)
	})
}

// expireDelivery takes the edge queued -> expired if it is still due to be taken, and returns the row. The code
// of the last attempt stays: it is why.
func (t *tx) expireDelivery(ctx context.Context, id uuid.UUID) (*db.Delivery, error) {
	d, err := t.DeliveryLockIn(ctx, db.DeliveryLockInParams{ID: id, ClinicID: t.clinicID()})
	if err != nil {
		return nil, found(err)
	}
	if d.State != "queued" || d.NotAfter.After(t.at) {
		return nil, nil
	}
	if d.ErrorClass == "" {
		d.ErrorClass = "expired"
	}
	return &d, t.moveDelivery(ctx, &d, move{to: "expired", code: d.ErrorClass})
}

// unsent takes the signature off a message whose notice was not sent in time and opens a round of review. What the patient
// may hold the link of (it was handed over before, or a person let it go again) stays signed, and so does its page: it is
// a delivery in trouble, and a person decides.
func (t *tx) unsent(ctx context.Context, m db.MessageLockRow, d db.Delivery) error {
	if m.Status != "approved" || d.MessageVersion == nil || m.Version != *d.MessageVersion {
		return nil
	}
	reached, err := t.DeliveryMayHaveReached(ctx, db.DeliveryMayHaveReachedParams{MessageID: &m.ID, ClinicID: m.ClinicID, MessageVersion: &m.Version})
	if err != nil || reached {
		return err
	}
	if err := t.PageRevoke(ctx, db.PageRevokeParams{At: &t.at, MessageID: m.ID, ClinicID: m.ClinicID}); err != nil {
		return err
	}
	if err := t.reviewAgain(ctx, m); err != nil {
		return err
	}
	n, err := t.MessageUnsign(ctx, db.MessageUnsignParams{UnsentCode: d.ErrorClass, At: t.at, ID: m.ID, ClinicID: m.ClinicID, Version: m.Version})
	if err == nil && n == 0 {
		return t.movedOn(ctx, m)
	}
	if err != nil {
		return err
	}
	t.changed(m.ID)
	e := t.actor.event(t.deed, Subject{Kind: "message", ID: m.ID, Patient: m.PatientID}, t.at, "done", "unsent")
	e.Detail = map[string]any{"to": "in_review", "delivery": d.ID.String(), "code": d.ErrorClass}
	return t.write(ctx, e)
}

// reviewAgain opens a further round of review on the words that were signed, in the name of who submitted them.
func (t *tx) reviewAgain(ctx context.Context, m db.MessageLockRow) error {
	last, err := t.ReviewCurrent(ctx, db.ReviewCurrentParams{MessageID: m.ID, ClinicID: m.ClinicID})
	if err != nil {
		return err
	}
	b, id := t.c.chest(m.PatientID, m.Wrapped), newID()
	note := b.seal("", "reviews", "note", id)
	if b.err != nil {
		return b.err
	}
	return t.ReviewOpen(ctx, db.ReviewOpenParams{ID: id, ClinicID: m.ClinicID, MessageID: m.ID, DraftID: *m.DraftID, SubmittedBy: last.SubmittedBy,
		At: t.at, NoteSealed: note, Cause: "unsent"})
}
