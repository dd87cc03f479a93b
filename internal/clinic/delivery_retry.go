package clinic

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// retryMost is how many notices one preview holds.
const retryMost = 200

// RetryRow is what would become of one notice, or what became of it.
type RetryRow struct {
	ID, MessageID uuid.UUID
	Rev           int
	Patient       Text
	Channel       string
	Priority      string
	RedFlag       bool
	State, Words  string
	Can           bool
	Why           string // why not, when it cannot
	Href          string
}

// RetryPreview is what a further round would mean, row by row. Nothing has been done yet.
type RetryPreview struct {
	Rows []RetryRow
	Can  int
	Most bool // there are more than one preview holds
}

// deadAddress are the codes after which the same address would fail again: it has to be another one first.
var deadAddress = []string{"bad_address", "bounce", "dropped_bounced", "dropped_unsubscribed", "dropped_spam", "21211", "21214", "21217", "21265", "21266",
	"21401", "21407", "21612", "21614", "21635", "30005", "30006"}

// retryable are the states after which a person may let a further round go: certainly nothing is under way.
var retryable = []string{"failed", "refused", "undelivered", "expired", "cancelled"}

// retryRefusal is the rule of a further round: the same signed message to the same address, which still is the patient's
// and takes notices.
func retryRefusal(r db.DeliveryPreviewRow) error {
	stays := func(code, sentence string) error { return refuse(Conflict, code, sentence) }
	switch {
	case r.Superseded:
		return stays("moved_on", "It was sent once more already.")
	case r.MessageStatus == "withdrawn":
		return stays("withdrawn", "The message was withdrawn.")
	case !slices.Contains(retryable, r.State):
		return stays("moved_on", "It has moved on meanwhile: "+stepTitle(r.State)+".")
	case r.MessageStatus != "approved" || !r.SameVersion:
		return stays("in_review", "The message is not signed any more. It goes out when it is signed again.")
	case r.OpenedAt != nil:
		return stays("opened", "The patient has already opened the message.")
	case r.Consent == "out":
		return stays("opted_out", "The patient has opted out of this address.")
	case r.ContactChanged:
		return stays("contact_changed", "The address was changed after signing. The signature is for the old one: take the message back for review and sign it again.")
	case r.ErrorClass == "seal":
		return stays("seal", codeWords("seal"))
	}
	for _, code := range []string{r.ErrorClass, r.BounceCode} {
		if slices.Contains(deadAddress, code) {
			return stays("bounced", codeWords(code)+" The same address would fail again: put another one on the patient's page, then take the message back and sign it again.")
		}
	}
	return nil
}

// DeliveryPreview says of each of these notices whether a further round can go out, and if not, why. With no ids it looks at
// all that the filter shows, 200 at most. Nothing is changed.
func (c *Clinic) DeliveryPreview(ctx context.Context, a Actor, ids []uuid.UUID, f DeliveryFilter) (RetryPreview, error) {
	var v RetryPreview
	err := c.do(ctx, a, DeliveryPreview, Subject{Kind: "delivery"}, func(t *tx) error {
		if len(ids) == 0 {
			shown, err := t.deliveries(ctx, f.known(), retryMost+1)
			if err != nil {
				return err
			}
			for _, r := range shown {
				ids = append(ids, r.ID)
			}
		}
		if v.Most = len(ids) > retryMost; v.Most {
			ids = ids[:retryMost]
		}
		rows, err := t.retryRows(ctx, ids)
		for _, r := range rows {
			if r.Can {
				v.Can++
			}
		}
		v.Rows = rows
		return err
	})
	return v, err
}

// retryRows reads what the rule decides on. An id that is not for the actor refuses them all: it came from no page of ours.
func (t *tx) retryRows(ctx context.Context, ids []uuid.UUID) ([]RetryRow, error) {
	wanted := map[uuid.UUID]bool{}
	for _, id := range ids {
		wanted[id] = true
	}
	rows, err := t.Queries.DeliveryPreview(ctx, db.DeliveryPreviewParams{StaffID: t.actor.ID, ClinicID: t.clinicID(), Ids: ids})
	if err != nil {
		return nil, err
	}
	if len(rows) != len(wanted) {
		return nil, notFound()
	}
	out := make([]RetryRow, len(rows))
	for i, r := range rows {
		b := t.c.chest(r.PatientID, r.Wrapped)
		out[i] = RetryRow{ID: r.ID, MessageID: *r.MessageID, Rev: int(r.Rev), Patient: b.open(r.NameSealed, "patients", "name", r.PatientID), Channel: r.Channel,
			Priority: Priorities[r.Priority], RedFlag: r.RedFlag, State: r.State, Words: deliveryWords(r.State, r.ErrorClass), Href: "/messages/" + r.MessageID.String()}
		closed, err := b.row(&out[i].Patient)
		if err != nil {
			return nil, err
		}
		if why := retryRefusal(r); why != nil {
			out[i].Why = Sentence(why)
		} else if closed {
			out[i].Why = "It waits until this patient’s record can be opened again."
		}
		out[i].Can = out[i].Why == ""
	}
	return out, nil
}

// DeliveryRetry is a person's decision to let a further round of a notice go: the same signed message to the same address,
// after a round that certainly is over. It is its own row, its own step and its own transaction: of many, each stands or
// falls by itself. rev is what the person saw. message is the notice's message, also with a Conflict.
func (c *Clinic) DeliveryRetry(ctx context.Context, a Actor, id uuid.UUID, rev int) (message uuid.UUID, err error) {
	err = c.do(ctx, a, DeliveryRetry, Subject{Kind: "delivery", ID: id}, func(t *tx) error {
		t.silent = true
		of, err := t.DeliveryMessage(ctx, db.DeliveryMessageParams{ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID})
		if err != nil {
			return found(err)
		}
		m, b, err := t.lockMessage(ctx, *of)
		if err != nil {
			return err
		}
		message = m.ID
		if _, err := t.PageLock(ctx, db.PageLockParams{MessageID: m.ID, ClinicID: m.ClinicID}); err != nil && !noRows(err) {
			return err
		}
		d, err := t.DeliveryLockIn(ctx, db.DeliveryLockInParams{ID: id, ClinicID: m.ClinicID})
		if err != nil {
			return found(err)
		}
		if err := t.mayRetry(ctx, d, rev); err != nil {
			return err
		}
		return t.furtherRound(ctx, b, m, d)
	})
	return message, err
}

// mayRetry looks at everything again, under the locks.
func (t *tx) mayRetry(ctx context.Context, d db.Delivery, rev int) error {
	rows, err := t.Queries.DeliveryPreview(ctx, db.DeliveryPreviewParams{StaffID: t.actor.ID, ClinicID: t.clinicID(), Ids: []uuid.UUID{d.ID}})
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return notFound()
	}
	if why := retryRefusal(rows[0]); why != nil {
		return why
	}
	if int(d.Rev) != rev {
		return refuse(Conflict, "moved_on", "It has moved on meanwhile: "+stepTitle(d.State)+".")
	}
	return nil
}

// furtherRound writes the next round, due at once: whoever let it go has confirmed it on a page of its own.
func (t *tx) furtherRound(ctx context.Context, b *chest, m db.MessageLockRow, d db.Delivery) error {
	contacts, err := t.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: m.ClinicID, PatientID: m.PatientID})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(contacts, func(c db.ContactsOfPatientRow) bool { return d.ContactID != nil && c.ID == *d.ContactID })
	if i < 0 {
		return refuse(Conflict, "contact_changed", "The address was changed a moment ago.")
	}
	cl, err := t.ClinicGet(ctx, m.ClinicID)
	if err != nil {
		return err
	}
	before, err := t.promised(ctx, m)
	if err != nil {
		return err
	}
	t.changed(m.ID)
	return t.promise(ctx, b, m, contacts[i], cl, t.at, before)
}
