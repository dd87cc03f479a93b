package worker

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// draftWrite claims a draft request, has the model write it, and records the answer with its cost. It stops the model
// when the claim is no longer ours, and when the worker is asked to stop: the next worker then begins again at once
// and does not wait for the lease. What was spent is recorded in every case.
func (w *Worker) draftWrite(ctx context.Context, id uuid.UUID) error {
	actor := clinic.WorkerActor(taskID(ctx))
	as, err := w.cfg.Clinic.DraftClaim(ctx, actor, id)
	if err != nil || as == nil {
		return err
	}
	writing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(w.stopping, stop)()
	words, asked := 0, time.Now()
	answer := w.cfg.Model.Draft(writing, as, func(n int) {
		words = n
		if !w.progress(writing, as, "writing", n) {
			stop()
		}
	})
	model := time.Since(asked)
	ctx = context.WithoutCancel(ctx)
	if answer.Code == "" {
		w.progress(ctx, as, "checking", words)
	}
	w.cfg.Log.InfoContext(ctx, "draft attempt", "draft_request", as.RequestID, "attempt", as.Attempt, "model", answer.Model,
		"code", answer.Code, "tokens", answer.PromptTokens+answer.CompletionTokens)
	err = w.record(ctx, func(ctx context.Context) error { return w.cfg.Clinic.DraftFinish(ctx, actor, as, answer) })
	w.processed(err, time.Since(as.DueAt)-model)
	return err
}

// progress tells the open page, and says whether the claim still holds. A database that does not answer within a
// second is no reason to stop.
func (w *Worker) progress(ctx context.Context, as *clinic.Assignment, state string, words int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	still, err := w.cfg.Clinic.DraftProgress(ctx, as, state, words)
	return err != nil || still
}
