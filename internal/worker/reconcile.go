package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"countersign/internal/clinic"
)

// lookups is how many unknown deliveries are looked up at once; a full batch is followed by another at once.
const lookups = 16

// reconcile asks the providers about deliveries of which nobody knows whether they were sent, and has what they answer
// written down. A worker that is asked to stop drops its look-ups: they change nothing, and the next worker asks again.
func (w *Worker) reconcile(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	actor := clinic.WorkerActor("reconcile")
	for ctx.Err() == nil {
		rows, err := w.cfg.Clinic.DeliveryReconcile(ctx, actor, lookups)
		if err != nil {
			return err
		}
		errs := make([]error, len(rows))
		var asking sync.WaitGroup
		for i, u := range rows {
			asking.Go(func() {
				errs[i] = fault("panic") // until it has ended well
				w.guarded(ctx, func(ctx context.Context) error {
					errs[i] = w.lookUp(ctx, actor, u)
					return nil
				})
			})
		}
		asking.Wait()
		if err := errors.Join(errs...); err != nil || len(rows) < lookups {
			return err
		}
	}
	return nil
}

// lookUp asks about one delivery. A sender that is no Finder cannot be asked.
func (w *Worker) lookUp(ctx context.Context, actor clinic.Actor, u clinic.Unknown) error {
	found := clinic.Found{Class: clinic.FoundCannotAsk}
	if finder, ok := w.cfg.Senders[u.Channel].(clinic.Finder); ok {
		asking, cancel := context.WithTimeout(ctx, w.cfg.ProviderTime)
		found = finder.Find(asking, u)
		cancel()
	}
	if ctx.Err() != nil {
		return nil
	}
	w.cfg.Log.InfoContext(ctx, "delivery looked up", "delivery", u.DeliveryID, "attempt", u.Attempt, "provider", found.Provider,
		"class", found.Class, "code", found.Code)
	return w.cfg.Clinic.DeliverySettle(ctx, actor, u, found)
}
