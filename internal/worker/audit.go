package worker

import (
	"context"

	"countersign/internal/clinic"
)

// verify carries out the verifications of the ledger that people asked for, one after the other.
func (w *Worker) verify(ctx context.Context) error {
	for {
		ran, err := w.cfg.Clinic.AuditRun(ctx, clinic.WorkerActor("verify"), w.cfg.Anchors)
		if err != nil || !ran {
			return err
		}
	}
}

// access makes the weekly access reviews that are due. Of any number of workers one makes each.
func (w *Worker) access(ctx context.Context) error {
	made, err := w.cfg.Clinic.AccessMake(ctx, clinic.WorkerActor("access"))
	if made > 0 {
		w.cfg.Log.InfoContext(ctx, "access reviews made", "count", made)
	}
	return err
}

// refusals puts on the trail what strangers were refused more than once in a minute that is over.
func (w *Worker) refusals(ctx context.Context) error {
	_, err := w.cfg.Clinic.RefusalsClose(ctx)
	return err
}
