package worker

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
	"countersign/internal/faultpoint"
)

// relayBatch is how many rows one look takes; a full batch is followed by another look at once.
const relayBatch = 200

// notice is logging's level of what has to be in every log.
const notice = slog.LevelInfo + 2

// every runs step now and then again each time d has passed, or somebody asked for it, until ctx ends. An error is logged once and then only
// when it changes, so that an outage is two lines and not two thousand.
func (w *Worker) every(ctx context.Context, d time.Duration, name string, step func(context.Context) error) {
	ctx = w.cfg.Tag(ctx, map[string]string{"task": name})
	ticker := time.NewTicker(d)
	defer ticker.Stop()
	woken := w.jobs.woken(name)
	last, run := "", ctx
	for {
		began := time.Now()
		code := w.guarded(run, step)
		w.ran(ctx, clinic.JobOutcome{Job: name, Began: began, Took: time.Since(began), Every: d, Code: code}, wasAsked(run))
		if code != last && ctx.Err() == nil {
			if code != "" {
				w.cfg.Log.WarnContext(ctx, name+" is held up", "code", code)
			} else {
				w.cfg.Log.Log(ctx, notice, name+" goes on")
			}
			last = code
		}
		run = ctx
		select {
		case <-ticker.C:
		case <-woken:
			run = context.WithValue(ctx, askedFor{}, true)
		case <-ctx.Done():
			return
		}
	}
}

// guarded runs one step and gives its error's code; a panic ends the step and not the worker.
func (w *Worker) guarded(ctx context.Context, step func(context.Context) error) (code string) {
	defer func() {
		if v := recover(); v != nil {
			w.cfg.Recover(w.coded(ctx, "panic"), v)
			code = "panic"
		}
	}()
	if err := step(ctx); err != nil {
		if clinic.KindOf(err) == clinic.Internal {
			w.cfg.Report(w.coded(ctx, codeOf(err)), err)
		}
		return codeOf(err)
	}
	return ""
}

// relay hands due rows to the queue. It asks Redis first: a row that is marked and then cannot be enqueued would lie
// for a minute.
func (w *Worker) relay(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	w.relaying.Store(time.Now().UnixMilli())
	if faultpoint.Seeded(faultpoint.SeedRelay) {
		return nil
	}
	if err := w.cfg.Redis.Ping(ctx).Err(); err != nil {
		return &clinic.Error{Kind: clinic.Unavailable, Code: "redis_away"}
	}
	for ctx.Err() == nil {
		due, err := w.cfg.Clinic.RelayDue(ctx, relayBatch)
		if err != nil {
			return err
		}
		faultpoint.Reach("relay", "marked")
		for _, d := range due {
			if err := w.queue.Enqueue(ctx, d); err != nil {
				return &clinic.Error{Kind: clinic.Unavailable, Code: "redis_away"} // the relay finds the rest again after a minute
			}
		}
		faultpoint.Reach("relay", "enqueued")
		if len(due) < relayBatch {
			return nil
		}
	}
	return nil
}

// sweep looks for leases that ran out.
func (w *Worker) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	n, err := w.cfg.Clinic.DeliverySweep(ctx, clinic.WorkerActor("sweep"))
	if n > 0 {
		w.cfg.Log.WarnContext(ctx, "deliveries whose lease ran out", "count", n)
	}
	return err
}

// asynqLog passes asynq's own words on. They hold task ids and the texts of Redis errors, never a payload.
type asynqLog struct{ log *slog.Logger }

var _ asynq.Logger = asynqLog{}

func (l asynqLog) Debug(args ...any) { l.log.Debug(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Info(args ...any)  { l.log.Info(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Warn(args ...any)  { l.log.Warn(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Error(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }
func (l asynqLog) Fatal(args ...any) { l.log.Error(fmt.Sprint(args...), "from", "asynq") }
