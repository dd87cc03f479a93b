package clinic

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// post is what a provider told at once.
type post struct {
	actor    Actor
	receipts []Receipt
}

// DeliveryReceive stores each report once and folds it. The caller has verified the provider's signature on the raw
// bytes, and answers an error so that the provider reports again. A report that matches nothing yet is kept.
//
// Posts that come together share a transaction, up to receiveMost reports; each is answered once its own are committed. If
// that fails, each post gets one of its own, and then each report: one bad report takes no other with it.
func (c *Clinic) DeliveryReceive(ctx context.Context, a Actor, receipts []Receipt) error {
	if !a.Can(DeliveryReceive) {
		return c.do(ctx, a, DeliveryReceive, Subject{Kind: "delivery"}, nil)
	}
	var failed error
	for batch := range slices.Chunk(receipts, receiveMost) {
		if err := c.receipts.ride(ctx, &post{a, batch}); err != nil {
			failed = cmp.Or(failed, err)
			if KindOf(err) == Unavailable {
				break
			}
		}
	}
	return failed
}

// receiveAll takes some posts in one transaction. One post by itself that fails is taken report by report.
func (c *Clinic) receiveAll(ctx context.Context, posts []*post, patient bool) (tell func(), err error) {
	tell, err = c.receive(ctx, posts, patient)
	if err == nil || !patient || len(posts[0].receipts) == 1 || KindOf(err) == Unavailable {
		return tell, err
	}
	err = nil
	for _, r := range posts[0].receipts {
		tell, failed := c.receive(ctx, []*post{{posts[0].actor, []Receipt{r}}}, true)
		if err = cmp.Or(err, failed); failed == nil {
			tell()
		}
	}
	return nil, err
}

func (c *Clinic) receive(ctx context.Context, posts []*post, patient bool) (tell func(), err error) {
	return c.shared(ctx, DeliveryReceive, patient, func(t *tx) error {
		by := map[string][]report{}
		for _, one := range posts {
			part := t.as(one.actor, Subject{Kind: "delivery"})
			for _, r := range one.receipts {
				r.Code, r.EventKey, r.ProviderID = codeOf(r.Code), keyOf(r.EventKey), keyOf(r.ProviderID)
				by[r.Provider] = append(by[r.Provider], report{r, part})
			}
		}
		for _, provider := range slices.Sorted(maps.Keys(by)) {
			if err := t.receive(ctx, provider, by[provider]); err != nil {
				return err
			}
		}
		return nil
	})
}

// report is one of a post's, with whose it is.
type report struct {
	Receipt
	by *tx
}

// known are the deliveries of some reports, by our id and by the provider's.
type known struct {
	byID       map[uuid.UUID]*db.Delivery
	byProvider map[string]*db.Delivery
}

// of finds the delivery that a report is about: by the id it carries, else by the provider's own.
func (k known) of(r Receipt) *db.Delivery {
	if d := k.byID[r.DeliveryID]; d != nil {
		return d
	}
	return k.byProvider[r.ProviderID]
}

// lockAll locks every delivery that is told of.
func (t *tx) lockAll(ctx context.Context, provider string, batch []report) (known, error) {
	k := known{map[uuid.UUID]*db.Delivery{}, map[string]*db.Delivery{}}
	p := db.DeliveriesLockParams{Provider: provider}
	for _, r := range batch {
		p.Ids, p.ProviderIds = append(p.Ids, r.DeliveryID), append(p.ProviderIds, r.ProviderID)
	}
	rows, err := t.DeliveriesLock(ctx, p)
	for _, d := range rows {
		k.byID[d.ID] = &d
		if d.ProviderID != "" && d.Provider == p.Provider {
			k.byProvider[d.ProviderID] = &d
		}
	}
	return k, err
}

// receive takes one provider's reports: the deliveries locked in one order, the reports stored, and those that are new folded in the
// order in which they came.
func (t *tx) receive(ctx context.Context, provider string, batch []report) error {
	k, err := t.lockAll(ctx, provider, batch)
	if err != nil {
		return err
	}
	fresh, err := t.store(ctx, provider, batch, k)
	if err != nil {
		return err
	}
	named := map[string]told{}
	for _, r := range fresh {
		d := k.of(r.Receipt)
		if d == nil {
			continue
		}
		if err := r.by.foldInto(ctx, d, r.Receipt); err != nil {
			return err
		}
		if r.ProviderID != "" {
			named[r.ProviderID] = told{d, r.by}
		}
	}
	if len(named) == 0 {
		return nil
	}
	return t.matchEvents(ctx, provider, named)
}

// store appends the reports, in the order of their keys so that two posts of the same ones never wait for each other in a
// ring, and returns those that are new.
func (t *tx) store(ctx context.Context, provider string, batch []report, k known) (fresh []report, err error) {
	sorted := slices.Clone(batch)
	slices.SortStableFunc(sorted, func(a, b report) int { return cmp.Compare(a.EventKey, b.EventKey) })
	p := db.EventsAppendParams{Provider: provider, ReceivedAt: t.at}
	at := map[uuid.UUID]string{}
	for _, r := range sorted {
		id, of := newID(), &db.Delivery{}
		if d := k.of(r.Receipt); d != nil {
			of = d
		}
		at[id] = r.EventKey
		p.Ids, p.ClinicIds, p.DeliveryIds = append(p.Ids, id), append(p.ClinicIds, of.ClinicID), append(p.DeliveryIds, of.ID)
		p.EventKeys, p.ProviderIds = append(p.EventKeys, r.EventKey), append(p.ProviderIds, r.ProviderID)
		p.States, p.Codes, p.HappenedAts = append(p.States, r.State), append(p.Codes, r.Code), append(p.HappenedAts, r.At)
	}
	ids, err := t.EventsAppend(ctx, p)
	isNew := map[string]bool{}
	for _, id := range ids {
		isNew[at[id]] = true
	}
	for _, r := range batch {
		if isNew[r.EventKey] {
			fresh = append(fresh, r)
			delete(isNew, r.EventKey) // the same report twice in one post
		}
	}
	return fresh, err
}

// foldInto applies one piece of evidence to a delivery that is locked. A bounce is noted on the contact, an opt-out in the
// consent ledger. Only a proved opening verifies a contact: that something arrived does not say at whose.
func (t *tx) foldInto(ctx context.Context, d *db.Delivery, r Receipt) error {
	t.actor.ClinicID = d.ClinicID
	to := fold(d.State, tries(d), r.State)
	if to != d.State {
		if err := t.moveDelivery(ctx, d, move{to: to, code: r.Code, provider: r.Provider, providerID: r.ProviderID}); err != nil {
			return err
		}
	} else {
		t.learnProviderID(d, r)
	}
	if r.Code == stoppedCode {
		if err := t.consent(ctx, d.RecipientIndex, d.Channel, "out", "provider", ""); err != nil {
			return err
		}
	}
	if to != "undelivered" || r.State != "undelivered" || d.ContactID == nil {
		return nil
	}
	t.line.bounce(*d.ContactID, d.ClinicID, t.at, r.Code)
	return nil
}
