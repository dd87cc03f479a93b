package worker

import (
	"testing"
	"time"

	"countersign/internal/clinic"
)

// Of two workers one runs what somebody asked for, once, and every loop's runs are written down.
func TestJobIsRunWhenAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.JobsEvery, w.config.NightlyEvery = 30*time.Millisecond, time.Hour
	w.start(t)
	w.start(t)
	nights := func() int {
		return w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'job.nightly' AND outcome = 'done'")
	}
	for _, name := range []string{"relay", "sweep", "reconcile", "ledger", "nightly", "jobs"} {
		eventually(t, name+" is written down", func() bool {
			return w.Count(t, "SELECT count(*) FROM job_runs WHERE job = $1 AND ran_at IS NOT NULL AND every_ms > 0", name) == 1
		})
	}
	before := nights() // one, or before two o'clock none
	if err := w.Clinic.JobRun(t.Context(), w.Admin, clinic.JobNightlyName); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the night's work is done", func() bool { return nights() == before+1 })
	if n := w.Count(t, "SELECT count(*) FROM job_runs WHERE asked_at IS NOT NULL"); n != 0 {
		t.Errorf("%d jobs are still asked for", n)
	}
	if err := w.Clinic.JobRun(t.Context(), w.Admin, "sweep"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sweep is taken up", func() bool { return w.Count(t, "SELECT count(*) FROM job_runs WHERE asked_at IS NOT NULL") == 0 })
	if nights() != before+1 {
		t.Error("the night's work was done again")
	}
}

// A job that goes as before is written down seldom, and a change at once.
func TestJobIsNotedSeldom(t *testing.T) {
	t.Parallel()
	var j jobs
	j.woken("relay")
	now := time.Now()
	for _, step := range []struct {
		after time.Duration
		code  string
		due   bool
	}{{0, "", true}, {time.Second, "", false}, {2 * time.Second, "redis_away", true}, {3 * time.Second, "redis_away", false}, {4 * time.Second, "", true},
		{18 * time.Second, "", false}, {19 * time.Second, "", true}} {
		if got := j.due("relay", now.Add(step.after), step.code); got != step.due {
			t.Errorf("after %s with %q: %v", step.after, step.code, got)
		}
	}
	j.forget("relay")
	if !j.due("relay", now.Add(20*time.Second), "") {
		t.Error("what could not be written is not written again")
	}
}
