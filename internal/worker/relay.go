package worker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"countersign/internal/clinic"
	"countersign/internal/faultpoint"
)

// relayBatch is how many rows one look takes; a full batch is followed by another look at once.
const relayBatch = 200

// relayHands is how many tasks are handed to the queue at once.
const relayHands = 8

// Of logging's levels: what is worth a line in production, and what no log may be without.
const (
	notice = slog.LevelInfo + 2
	record = slog.LevelError + 92
)

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
		if err := w.enqueueAll(ctx, due); err != nil {
			return &clinic.Error{Kind: clinic.Unavailable, Code: "redis_away"} // the relay finds the rest again after a minute
		}
		faultpoint.Reach("relay", "enqueued")
		if len(due) < relayBatch {
			return nil
		}
	}
	return nil
}

// enqueueAll hands rows to the queue, several with each task and some tasks at a time, so that rows need not wait for one trip to
// Redis after the other. The more urgent are all in it before the next ones.
func (w *Worker) enqueueAll(ctx context.Context, due []clinic.Due) error {
	for n := 0; len(due) > 0; due = due[n:] {
		n = slices.IndexFunc(due, func(d clinic.Due) bool { return d.Priority != due[0].Priority || d.Deed != due[0].Deed })
		if n < 0 {
			n = len(due)
		}
		hands, ctx := errgroup.WithContext(ctx)
		hands.SetLimit(relayHands)
		for rows := range slices.Chunk(due[:n], w.rowsOf(due[0].Deed)) {
			hands.Go(func() error { return w.queue.Enqueue(ctx, rows[0], rows[1:]...) })
		}
		if err := hands.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// rowsOf is how many rows one task of a deed takes along. A worker that has few under way takes few at a time, and leaves more
// to the others.
func (w *Worker) rowsOf(deed clinic.Deed) int {
	return max(1, min(routes[deed].rows, w.cfg.Concurrency/8))
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
