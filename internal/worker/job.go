package worker

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"countersign/internal/clinic"
)

// notedEvery is how seldom a job that goes as before is written down.
const notedEvery = 15 * time.Second

// jobs are what this worker's loops are called, when each was last written down, and how to wake it.
type jobs struct {
	mu    sync.Mutex
	noted map[string]noted
	wake  map[string]chan struct{}
}

type noted struct {
	at   time.Time
	code string
}

// woken is how a loop hears that somebody asked for its job.
func (j *jobs) woken(name string) <-chan struct{} {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.wake == nil {
		j.wake = map[string]chan struct{}{}
	}
	j.wake[name] = make(chan struct{}, 1)
	return j.wake[name]
}

// due says whether a run has to be written down: the first, one that ended otherwise than the one before, and each notedEvery.
func (j *jobs) due(name string, at time.Time, code string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	last, known := j.noted[name]
	if known && last.code == code && at.Sub(last.at) < notedEvery {
		return false
	}
	if j.noted == nil {
		j.noted = map[string]noted{}
	}
	j.noted[name] = noted{at, code}
	return true
}

// forget has the next run written down.
func (j *jobs) forget(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.noted, name)
}

// takeUp wakes the loops whose jobs somebody asked for.
func (w *Worker) takeUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	w.jobs.mu.Lock()
	wake := maps.Clone(w.jobs.wake)
	w.jobs.mu.Unlock()
	asked, err := w.cfg.Clinic.JobsTake(ctx, slices.Collect(maps.Keys(wake)))
	for _, name := range asked {
		select {
		case wake[name] <- struct{}{}:
		default: // it is about to run
		}
	}
	return err
}

// askedFor marks the context of a run that somebody asked for.
type askedFor struct{}

func wasAsked(ctx context.Context) bool { return ctx.Value(askedFor{}) != nil }

// How long the night's work may take at a time; what is left goes on a minute later.
const (
	nightlyTime  = 5 * time.Minute
	retiringTime = 4 * time.Minute
)

// nightly does the night's work when it is due, or asked for, by a clock that can be believed: first the messages that go by the
// clinics' settings, then the rest. A message that cannot go is an error of this night, and keeps nothing else waiting.
func (w *Worker) nightly(ctx context.Context) error {
	asked := wasAsked(ctx)
	ctx, cancel := context.WithTimeout(ctx, nightlyTime)
	defer cancel()
	if err := w.cfg.Clinic.ClockFits(ctx); err != nil {
		return err
	}
	more, failed := w.retire(ctx, asked)
	did, err := w.cfg.Clinic.JobNightly(ctx, clinic.WorkerActor("nightly"), asked, more)
	err = cmp.Or(failed, err)
	if err == nil && !did {
		return idle
	}
	return err
}

// retire takes messages whose time is over, clinic by clinic and batch by batch, and says whether it had to stop before the end.
// What a clinic failed at waits for the next night; the other clinics' go.
func (w *Worker) retire(ctx context.Context, asked bool) (more bool, err error) {
	until := time.Now().Add(retiringTime)
	due, err := w.cfg.Clinic.RetentionDue(ctx, asked)
	for i := range due {
		left, failed := true, error(nil)
		for left && failed == nil {
			if time.Now().After(until) {
				return true, err
			}
			_, left, failed = w.cfg.Clinic.MessageRetire(ctx, clinic.WorkerActor("nightly"), &due[i])
		}
		err = cmp.Or(err, failed)
	}
	return false, err
}
