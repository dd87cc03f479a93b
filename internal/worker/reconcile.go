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

// LookUp asks a provider about one delivery, for most at the longest. A sender that is no Finder cannot be asked.
func LookUp(ctx context.Context, sender clinic.Sender, most time.Duration, u clinic.Unknown) clinic.Found {
	finder, ok := sender.(clinic.Finder)
	if !ok {
		return clinic.Found{Class: clinic.FoundCannotAsk}
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	return finder.Find(ctx, u)
}

// lookUp asks about one delivery, and has the answer written down.
func (w *Worker) lookUp(ctx context.Context, actor clinic.Actor, u clinic.Unknown) error {
	found := LookUp(ctx, w.cfg.Senders[u.Channel], w.cfg.ProviderTime, u)
	if ctx.Err() != nil {
		return nil
	}
	w.cfg.Log.InfoContext(ctx, "delivery looked up", "delivery", u.DeliveryID, "attempt", u.Attempt, "provider", found.Provider,
		"class", found.Class, "code", found.Code)
	return w.cfg.Clinic.DeliverySettle(ctx, actor, u, found)
}
