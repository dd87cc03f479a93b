package worker

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// recordTime is how long recording is tried while Postgres is away. What cannot be recorded becomes unknown when its
// lease ends.
const recordTime = 20 * time.Second

// deliverySend claims a delivery, makes one attempt at its provider outside any transaction, and records what it came
// to. A claim that finds nothing to do ends the task well. What was "not sent" is tried again by Postgres, not by
// asynq: the task ends nil.
func (w *Worker) deliverySend(ctx context.Context, id uuid.UUID) error {
	actor := clinic.WorkerActor(taskID(ctx))
	p, err := w.cfg.Clinic.DeliveryClaim(ctx, actor, id)
	if err != nil || p == nil {
		return err
	}
	// From here on asynq has no say: neither its deadline, nor a lost lease, nor a stop may leave an attempt unrecorded.
	ctx = context.WithoutCancel(ctx)
	provider, out := w.attempt(ctx, p)
	w.outcomes.WithLabelValues(provider, out.Class).Inc()
	w.cfg.Log.InfoContext(ctx, "delivery attempt", "delivery", p.DeliveryID, "attempt", p.Attempt, "provider", provider,
		"class", out.Class, "code", out.Code)
	err = w.record(ctx, func(ctx context.Context) error { return w.cfg.Clinic.DeliveryRecord(ctx, actor, p, provider, out) })
	w.processed(err, time.Since(p.DueAt))
	return err
}

// processed counts how long a row that is done took since it was due.
func (w *Worker) processed(err error, took time.Duration) {
	if err == nil && w.cfg.Metrics != nil {
		w.cfg.Metrics.QueueProcessing(took)
	}
}

// attempt is the one HTTP attempt. A worker that was frozen past the start window gives it up.
func (w *Worker) attempt(ctx context.Context, p *clinic.Parcel) (provider string, out clinic.Outcome) {
	sender := w.cfg.Senders[p.Channel]
	if sender == nil {
		return "none", clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "no_provider"}
	}
	if !p.StartBy.IsZero() && time.Now().After(p.StartBy) {
		return sender.Name(), clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "start_window"}
	}
	ctx, cancel := context.WithTimeout(ctx, w.cfg.ProviderTime)
	defer cancel()
	return sender.Name(), sender.Send(ctx, p)
}

// record tries again while Postgres is away: the attempt's outcome is in memory only here.
func (w *Worker) record(ctx context.Context, write func(context.Context) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 2*time.Second
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		err := write(ctx)
		if err != nil && clinic.KindOf(err) != clinic.Unavailable {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(recordTime))
	return err
}

func taskID(ctx context.Context) string {
	id, _ := asynq.GetTaskID(ctx)
	return id
}
