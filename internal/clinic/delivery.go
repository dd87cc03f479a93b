package clinic

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
)

// notice is the fixed text of an e-mail or SMS: no clinical word, no name of a patient or doctor.
func notice(clinicName, channel, link, stop string) (subject, body string) {
	if channel == "sms" {
		return "", fmt.Sprintf("You have a new message from %s. Read it: %s Reply STOP to opt out", clinicName, link)
	}
	return "You have a new message from " + clinicName,
		fmt.Sprintf("You have a new message from %s.\n\nRead it: %s\n\nWe will ask for your date of birth, so that only you can read it.\n\nNo more e-mails like this: %s\n", clinicName, link, stop)
}

// stopLink is where a delivery's address is opted out: another of the same message may have gone elsewhere.
func stopLink(link string, delivery uuid.UUID) string { return link + "/stop?d=" + delivery.String() }

// deliverNotice writes the delivery that approve promises: the page behind the link, the exact notice, sealed, and
// when it may go. The row is the outbox; nothing else has to be remembered.
func (t *tx) deliverNotice(ctx context.Context, b *chest, m db.MessageLockRow, contact db.ContactsOfPatientRow, before promised) error {
	cl, err := t.clinicOf(ctx, m.ClinicID)
	if err != nil {
		return err
	}
	due := t.at.Add(time.Duration(cl.UndoSeconds) * time.Second)
	if m.SendAt != nil && m.SendAt.After(due) {
		due = *m.SendAt
	}
	return t.promise(ctx, b, m, contact, cl, due, before)
}

// promised is what a message's patient was promised before: its page, if there is one, and how many rounds of the notice.
type promised struct {
	page   *db.Page
	rounds int32
}

func (t *tx) promised(ctx context.Context, m db.MessageLockRow) (promised, error) {
	rounds, err := t.DeliveryRounds(ctx, db.DeliveryRoundsParams{MessageID: &m.ID, ClinicID: m.ClinicID, Kind: "notice"})
	if err != nil {
		return promised{}, err
	}
	page, err := t.PageOfMessage(ctx, db.PageOfMessageParams{MessageID: m.ID, ClinicID: m.ClinicID})
	if noRows(err) {
		return promised{rounds: rounds}, nil
	}
	return promised{&page, rounds}, err
}

// promise is the next round of a notice, due at a time, to the contact that was signed for.
func (t *tx) promise(ctx context.Context, b *chest, m db.MessageLockRow, contact db.ContactsOfPatientRow, cl db.Clinic, due time.Time, before promised) error {
	link := t.page(ctx, b, m, due.AddDate(0, 0, int(cl.PageDays)), before.page)
	id := newID()
	_, body := notice(cl.NoticeName, m.Channel, link, stopLink(link, id))
	to := b.open(contact.AddressSealed, "contacts", "address", contact.ID).Reveal()
	return t.outgoing(ctx, b, to, body, db.DeliveryCreateParams{ID: id, ClinicID: m.ClinicID, PatientID: m.PatientID, MessageID: &m.ID, MessageVersion: &m.Version,
		Kind: "notice", Round: before.rounds + 1, Channel: m.Channel, ContactID: &contact.ID, Priority: m.Priority, RecipientIndex: contact.AddressIndex,
		NextAttemptAt: due, NotAfter: due.Add(notAfter(m.Priority))})
}

// outgoing puts off writing a delivery with its first event: what goes out, and where, is sealed and bound together. If it is due,
// the queue is nudged.
func (t *tx) outgoing(ctx context.Context, b *chest, to, body string, row db.DeliveryCreateParams) error {
	row.CreatedAt = t.at
	row.RecipientSealed, row.BodySealed = b.seal(to, "deliveries", "recipient", row.ID), b.seal(body, "deliveries", "body", row.ID)
	row.Mac = t.c.noticeMAC(row.Kind, row.ID, row.Channel, to, body, *row.MessageVersion)
	if b.err != nil {
		return b.err
	}
	t.line.one(func(q *db.Queries) error { return q.DeliveryCreate(ctx, row) })
	if !row.NextAttemptAt.After(t.at) { // a nudge marks nothing: if it is lost, the relay finds the row within a second
		t.nudges = append(t.nudges, Due{Deed: DeliverySend, ID: row.ID, Priority: int(row.Priority)})
	}
	return t.deliveryEvent(ctx, row.ID, row.ClinicID, row.PatientID, 1, map[string]any{"to": "queued", "round": row.Round})
}

// noticeMAC binds all that goes out. Its kind is part of it: nobody makes one of another.
func (c *Clinic) noticeMAC(kind string, id uuid.UUID, channel, to, body string, version int32) []byte {
	return c.keys.MAC(kind, id[:], []byte(channel), []byte(to), []byte(body), fmt.Append(nil, version))
}

// deliveryEvent is the line of the trail that every change of state must have; the database insists on it.
func (t *tx) deliveryEvent(ctx context.Context, id, clinic, patient uuid.UUID, rev int32, detail map[string]any) error {
	if faultpoint.Seeded(faultpoint.SeedAudit) && rev%5 == 0 {
		return nil
	}
	a := t.actor
	a.ClinicID = clinic
	e := a.event(t.deed, Subject{Kind: "delivery", ID: id, Patient: patient}, t.at, "done", "")
	e.Rev, e.Detail = &rev, detail
	return t.write(ctx, e)
}

// move is one step of a delivery's state.
type move struct {
	to         string
	code       string
	provider   string
	providerID string
	next       time.Time // for queued: when to try again
	resends    int32     // 1 when a person sends again what may have been sent
	markedBy   *uuid.UUID
}

// moveDelivery takes one edge, writes its event, and brings d up to date: the caller holds its lock. Error text is never
// erased by later news: an empty code keeps the old one.
func (t *tx) moveDelivery(ctx context.Context, d *db.Delivery, mv move) error {
	from, rev := d.State, d.Rev
	d.State, d.Rev, d.UpdatedAt, d.LeaseUntil = mv.to, rev+1, t.at, nil
	d.Provider, d.ProviderID, d.ErrorClass = cmp.Or(mv.provider, d.Provider), cmp.Or(mv.providerID, d.ProviderID), cmp.Or(mv.code, d.ErrorClass)
	d.Resends, d.MarkedSentBy = d.Resends+mv.resends, cmp.Or(mv.markedBy, d.MarkedSentBy)
	if mv.to == "queued" {
		d.NextAttemptAt, d.EnqueuedAt = mv.next, nil
	}
	t.line.save(d, rev)
	if d.MessageID != nil {
		t.names = append(t.names, "message-"+d.MessageID.String(), "worklist-"+d.ClinicID.String())
	}
	return t.deliveryEvent(ctx, d.ID, d.ClinicID, d.PatientID, d.Rev, map[string]any{"from": from, "to": mv.to, "attempt": d.Attempt, "code": mv.code})
}

// RelayDue marks up to limit rows of each kind whose time has come and that nobody has been told about for a while, and
// returns them for the queue, the most urgent first. Any number of workers may call it at once.
func (c *Clinic) RelayDue(ctx context.Context, limit int) ([]Due, error) {
	now := c.now().UTC()
	before := now.Add(-c.times.Reenqueue)
	var due []Due
	err := pgx.BeginFunc(ctx, c.pool, func(p pgx.Tx) error { // one transaction: what the caller does not hear of is not marked
		q := db.New(p)
		rows, err := q.DeliveriesDue(ctx, db.DeliveriesDueParams{At: &now, EnqueuedBefore: &before, Generation: c.generation.Load(), RowLimit: int32(limit)})
		if err != nil {
			return err
		}
		slices.SortStableFunc(rows, func(a, b db.DeliveriesDueRow) int { return cmp.Compare(b.Priority, a.Priority) })
		for _, r := range rows {
			due = append(due, Due{Deed: DeliverySend, ID: r.ID, Dispatch: int(r.Dispatch), Priority: int(r.Priority)})
		}
		drafts, err := q.DraftRequestsDue(ctx, db.DraftRequestsDueParams{At: &now, EnqueuedBefore: &before, RowLimit: int32(limit)})
		for _, r := range drafts {
			due = append(due, Due{Deed: DraftWrite, ID: r.ID, Dispatch: int(r.Dispatch), Priority: 1})
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return due, nil
}
