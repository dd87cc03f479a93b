package worker

import (
	"context"
	"errors"
	"time"

	"countersign/internal/clinic"
)

// round is how this worker carries out a job of clinic.Jobs.
type round struct {
	step  func(context.Context) error
	every time.Duration // between two looks
	runs  time.Duration // between two runs, where every worker looks and whichever finds it due runs it; 0: each look is a run
}

// rounds are the jobs that are loops of the worker.
func (w *Worker) rounds() map[string]round {
	c := w.cfg
	return map[string]round{
		clinic.JobRemindersName: {step: w.remind, every: c.RemindEvery},
		"refusals":              {step: w.refusals, every: c.SweepEvery},
		"relay":                 {step: w.relay, every: c.RelayEvery},
		"sweep":                 {step: w.sweep, every: c.SweepEvery},
		"reconcile":             {step: w.reconcile, every: c.SweepEvery},
		"ledger":                {step: (&anchoring{Worker: w}).seal, every: c.SealEvery},
		"alerts":                {step: w.evaluate, every: c.Alerts.Every / alertTries, runs: c.Alerts.Every},
		"alert-notices":         {step: w.notices, every: c.SweepEvery},
		"verify":                {step: w.verify, every: c.RelayEvery},
		"access":                {step: w.access, every: clinic.JobOf("access").Every},
		"jobs":                  {step: w.takeUp, every: c.JobsEvery},
		clinic.JobNightlyName:   {step: w.nightly, every: c.NightlyEvery, runs: 24 * time.Hour},
	}
}

// What a step says that is no trouble.
const (
	idle = fault("idle")        // nothing was due, or another worker has it: this was a look and no run
	off  = fault(clinic.JobOff) // there is nothing to do without a setting
)

// every runs a job's step now and then again each time its time has passed, or somebody asked for it, until ctx ends. An error is
// logged once and then only when it changes, so that an outage is two lines and not two thousand.
func (w *Worker) every(ctx context.Context, name string, r round) {
	ctx = w.cfg.Tag(ctx, map[string]string{"task": name})
	ticker := time.NewTicker(r.every)
	defer ticker.Stop()
	woken := w.jobs.woken(name)
	last, run := "", ctx
	if r.runs == 0 {
		r.runs = r.every
	}
	for {
		began := time.Now()
		code := w.guarded(run, r.step)
		if code != string(idle) {
			w.ran(ctx, clinic.JobOutcome{Job: name, Began: began, Took: time.Since(began), Every: r.runs, Code: code}, wasAsked(run))
		}
		if code == string(idle) || code == string(off) {
			code = ""
		}
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
	err := step(ctx)
	if errors.Is(err, idle) || errors.Is(err, off) {
		return err.Error()
	}
	if err != nil {
		if clinic.KindOf(err) == clinic.Internal {
			w.cfg.Report(w.coded(ctx, codeOf(err)), err)
		}
		return codeOf(err)
	}
	return ""
}

// Ran tells of a run of a job that another room carries out in this process, beside the worker's own loops: on the page of jobs,
// and to who watches them.
func (w *Worker) Ran(ctx context.Context, job string, every time.Duration, began time.Time, code string) {
	w.ran(ctx, clinic.JobOutcome{Job: job, Began: began, Took: time.Since(began), Every: every, Code: code}, false)
}

// ran tells of a run: who watches the job of each, and the page of those that are due to be written down. That it cannot be
// written down is no reason for the job to stop. What the end of the worker cut off was no run.
func (w *Worker) ran(ctx context.Context, o clinic.JobOutcome, asked bool) {
	if ctx.Err() != nil {
		return
	}
	if o.Code != clinic.JobOff && clinic.JobOf(o.Job).Watched() {
		w.cfg.CheckIn(o.Job, o.Every, o.Took, o.Code == "")
	}
	if !w.jobs.due(o.Job, o.Began, o.Code) && !asked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := w.cfg.Clinic.JobRan(ctx, o); err != nil {
		w.jobs.forget(o.Job)
	}
}
