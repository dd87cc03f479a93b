package clinic

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// writes are what a deed has put off, one statement's arrays for each kind.
type writes struct {
	any     bool
	rest    []func(*db.Queries) error // of one row each, in their own order, and before all others
	saved   waves[uuid.UUID, db.DeliveriesSaveParams]
	begun   db.AttemptsBeginParams
	ended   waves[attemptKey, db.AttemptsEndParams]
	matched db.EventsMatchParams
	bounced []db.ContactBounceParams
	events  db.AuditAppendParams
}

type attemptKey struct {
	delivery uuid.UUID
	attempt  int32
}

// waves are a kind's statements. A row's second write goes with the second statement, so that each of its steps is taken by
// itself, by the database's rules.
type waves[Key comparable, Params any] struct {
	times map[Key]int
	all   []Params
}

// of is the statement that the row's next write belongs to.
func (w *waves[Key, Params]) of(row Key) *Params {
	if w.times == nil {
		w.times = map[Key]int{}
	}
	n := w.times[row]
	w.times[row]++
	if n == len(w.all) {
		w.all = append(w.all, *new(Params))
	}
	return &w.all[n]
}

// save puts off writing a delivery as it is now, over what was read at rev: that row must still be there.
func (w *writes) save(d *db.Delivery, rev int32) {
	w.any = true
	p := w.saved.of(d.ID)
	p.Ids, p.ClinicIds, p.ReadRevs, p.Revs = append(p.Ids, d.ID), append(p.ClinicIds, d.ClinicID), append(p.ReadRevs, rev), append(p.Revs, d.Rev)
	p.States, p.Attempts, p.ErrorClasses = append(p.States, d.State), append(p.Attempts, d.Attempt), append(p.ErrorClasses, d.ErrorClass)
	p.Leases, p.NextAttempts, p.Enqueued = append(p.Leases, orZero(d.LeaseUntil)), append(p.NextAttempts, d.NextAttemptAt), append(p.Enqueued, orZero(d.EnqueuedAt))
	p.Providers, p.ProviderIds = append(p.Providers, d.Provider), append(p.ProviderIds, d.ProviderID)
	p.Resends, p.MarkedBy, p.Updated = append(p.Resends, d.Resends), append(p.MarkedBy, orZero(d.MarkedSentBy)), append(p.Updated, d.UpdatedAt)
}

// begin puts off the row of a claim's attempt.
func (w *writes) begin(d *db.Delivery, at time.Time) {
	w.any = true
	p := &w.begun
	p.DeliveryIds, p.ClinicIds, p.Attempts, p.Ats = append(p.DeliveryIds, d.ID), append(p.ClinicIds, d.ClinicID), append(p.Attempts, d.Attempt), append(p.Ats, at)
}

// end puts off what an attempt came to. It is written once; only that it was accepted is written over less.
func (w *writes) end(d *db.Delivery, attempt int32, at time.Time, outcome, code string) {
	w.any = true
	p := w.ended.of(attemptKey{d.ID, attempt})
	p.DeliveryIds, p.ClinicIds, p.Attempts, p.Ats = append(p.DeliveryIds, d.ID), append(p.ClinicIds, d.ClinicID), append(p.Attempts, attempt), append(p.Ats, at)
	p.Outcomes, p.ErrorClasses = append(p.Outcomes, outcome), append(p.ErrorClasses, code)
}

// match puts off saying whose an early report is.
func (w *writes) match(event uuid.UUID, d *db.Delivery) {
	w.any = true
	p := &w.matched
	p.Ids, p.ClinicIds, p.DeliveryIds = append(p.Ids, event), append(p.ClinicIds, d.ClinicID), append(p.DeliveryIds, d.ID)
}

// bounce puts off the note on a contact that something came back from it.
func (w *writes) bounce(contact, clinic uuid.UUID, at time.Time, code string) {
	w.any = true
	w.bounced = append(w.bounced, db.ContactBounceParams{At: &at, Code: &code, ID: contact, ClinicID: clinic})
}

// one puts off a write of exactly one row, whose lock the deed holds or which it creates: that it finds none is errMoved.
func (w *writes) one(write func(q *db.Queries) error) {
	w.any = true
	w.rest = append(w.rest, write)
}

// only is the error of a write that is put off: how many rows it changed is looked at when it is sent.
func only(_ int64, err error) error { return err }

// append puts off an event of the trail.
func (w *writes) append(e event) error {
	w.any = true
	return e.appendTo(&w.events)
}

// queue makes the statements. Bounces lock contacts, so they go in one order.
func (w *writes) queue(ctx context.Context, off *putOff) error {
	q := db.New(off)
	var failed error
	off.next = 1
	for _, write := range w.rest {
		failed = cmp.Or(failed, write(q))
	}
	for _, p := range w.saved.all {
		off.next = len(p.Ids)
		failed = cmp.Or(failed, q.DeliveriesSave(ctx, p))
	}
	off.next = anyRows
	if len(w.begun.Attempts) > 0 {
		failed = cmp.Or(failed, q.AttemptsBegin(ctx, w.begun))
	}
	for _, p := range w.ended.all {
		failed = cmp.Or(failed, q.AttemptsEnd(ctx, p))
	}
	if len(w.matched.Ids) > 0 {
		failed = cmp.Or(failed, q.EventsMatch(ctx, w.matched))
	}
	slices.SortStableFunc(w.bounced, func(a, b db.ContactBounceParams) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	for _, p := range w.bounced {
		failed = cmp.Or(failed, q.ContactBounce(ctx, p))
	}
	if len(w.events.Ids) > 0 {
		failed = cmp.Or(failed, q.AuditAppend(ctx, w.events))
	}
	return failed
}

func orZero[T any](v *T) (zero T) {
	if v == nil {
		return zero
	}
	return *v
}
