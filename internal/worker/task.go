package worker

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"countersign/internal/clinic"
)

// fault is an error that is a code and nothing else.
type fault string

func (f fault) Error() string { return string(f) }

// SafeError tells the error reporter that the text may leave the house.
func (f fault) SafeError() string { return string(f) }

// stopping is what a task says that has rows left which did not begin: it goes back to the queue, and that is no failure.
const stopping = fault("stopping")

// task wraps a handler: it reads the payload and has each row looked at as soon as there is a place among those under way.
// Rows know nothing of each other, and one that fails has all of them looked at again: those that are done say so.
func (w *Worker) task(handle func(context.Context, uuid.UUID) error) asynq.HandlerFunc {
	return func(ctx context.Context, t *asynq.Task) error {
		ids, err := readPayload(t.Payload())
		if err != nil {
			return w.look(ctx, t.Type(), func(context.Context) error { return err })
		}
		var rows errgroup.Group
		for _, id := range ids {
			if w.begin(ctx) != nil {
				rows.Go(func() error { return stopping })
				break
			}
			rows.Go(func() error {
				defer w.underWay.Release(1)
				return w.look(ctx, t.Type(), func(ctx context.Context) error { return handle(ctx, id) })
			})
		}
		return rows.Wait()
	}
}

// begin waits for a place among the rows under way. Once the worker is asked to stop, or the task's time is over, there is none.
func (w *Worker) begin(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(w.stopping, cancel)()
	return w.underWay.Acquire(ctx, 1)
}

// look runs one row's handler: it turns every error into its code, and catches panics, whose text asynq would otherwise keep in
// Redis.
func (w *Worker) look(ctx context.Context, task string, handle func(context.Context) error) (err error) {
	started := time.Now()
	ctx = w.cfg.Tag(ctx, map[string]string{"task": task})
	ctx, done := w.cfg.Trace(ctx, "queue.task")
	defer func() {
		if v := recover(); v != nil {
			w.cfg.Recover(w.coded(ctx, "panic"), v)
			err = fault("panic")
		}
		done(task, statusOf(err), 0)
		if w.cfg.Metrics != nil {
			w.cfg.Metrics.Task(task, err, time.Since(started))
		}
	}()
	if err = handle(ctx); err == nil {
		return nil
	}
	if known := fault(""); errors.As(err, &known) {
		return known
	}
	if clinic.KindOf(err) == clinic.Internal {
		w.cfg.Report(w.coded(ctx, codeOf(err)), err)
	}
	return fault(codeOf(err))
}

// statusOf is how a task ended, as traces have it.
func statusOf(err error) int {
	if err != nil {
		return 500
	}
	return 0
}

// coded is ctx with an error's code, for the reporter.
func (w *Worker) coded(ctx context.Context, code string) context.Context {
	return w.cfg.Tag(ctx, map[string]string{"code": code})
}

func codeOf(err error) string {
	if code := clinic.Code(err); code != "" {
		return code
	}
	return "internal"
}

// isFailure tells asynq which errors count as one of a task's tries.
func isFailure(err error) bool {
	return err != nil && !errors.Is(err, asynq.ErrLeaseExpired) && !errors.Is(err, stopping)
}

// failed logs a task that ended by an error. asynq tries it again, three times, and then archives it.
func (w *Worker) failed(ctx context.Context, t *asynq.Task, err error) {
	if errors.Is(err, stopping) {
		return
	}
	id, _ := asynq.GetTaskID(ctx)
	retried, _ := asynq.GetRetryCount(ctx)
	code := "internal"
	var known fault
	if errors.As(err, &known) {
		code = string(known)
	} else if errors.Is(err, context.DeadlineExceeded) {
		code = "timeout"
	}
	w.cfg.Log.WarnContext(ctx, "task failed", "deed", t.Type(), "task", id, "code", code, "retried", retried)
}
