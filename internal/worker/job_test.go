package worker

import (
	"context"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
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
	for _, name := range []string{"relay", "sweep", "reconcile", "ledger", "anchors", "alerts", "alert-notices", "access", "jobs"} {
		eventually(t, name+" is written down", func() bool {
			return w.Count(t, "SELECT count(*) FROM job_runs WHERE job = $1 AND ran_at IS NOT NULL AND every_ms > 0", name) == 1
		})
	}
	if n := w.Count(t, "SELECT count(*) FROM job_runs WHERE job IN ('ledger', 'anchors') AND code = 'off'"); n != 2 {
		t.Errorf("without a key %d of two jobs are off", n)
	}
	eventually(t, "the night's work has been looked at", func() bool { return w.Count(t, "SELECT count(*) FROM job_runs WHERE job = 'nightly'") == 1 })
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

// beside are the jobs that no loop of the worker carries out, and who does.
var beside = map[string]string{anchorsJob: "the loop of sealing", "fence": "package fence, in the worker's process", "figures": "package figures, in the worker's process"}

// The table of jobs is the one that is carried out: each of its jobs by somebody, and nothing that is not in it.
func TestJobsAreTheTable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	rounds := one.rounds()
	for _, j := range clinic.Jobs {
		r, ours := rounds[j.Name]
		if delete(rounds, j.Name); ours == (beside[j.Name] != "") {
			t.Errorf("%s is carried out by a loop: %v, beside: %q", j.Name, ours, beside[j.Name])
		}
		if ours && r.every <= 0 || j.By == "" || j.Title == "" || j.What == "" {
			t.Errorf("%s is half a job: %+v %+v", j.Name, r, j)
		}
	}
	for name := range rounds {
		t.Errorf("%s is not in the table", name)
	}
}

// Who watches scheduled jobs is told of each run of those of a minute or more, however often a worker looks, and of no other.
func TestJobsAreWatched(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	w := newWorld(t, clinictest.Sealing(key, known))
	var h told
	w.config.CheckIn = h.checkIn
	w.config.JobsEvery, w.config.NightlyEvery, w.config.SealEvery, w.config.AnchorEvery = 30*time.Millisecond, 30*time.Millisecond, 30*time.Millisecond, time.Minute
	w.config.Alerts = Alerts{Every: 300 * time.Millisecond, Heartbeat: h.beat} // six looks for each run
	one, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Clinic.JobRun(t.Context(), w.Admin, clinic.JobNightlyName); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- one.Run(ctx) }()
	one.Ran(ctx, "fence", time.Second, time.Now(), "")
	nights := func() int {
		return w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'job.nightly' AND outcome = 'done'")
	}
	for _, j := range clinic.Jobs {
		if j.Watched() {
			eventually(t, j.Name+" checks in", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.jobs[j.Name] > 0 })
		}
	}
	eventually(t, "many looks", func() bool { h.mu.Lock(); defer h.mu.Unlock(); return h.beats >= 4 })
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if n := w.Count(t, "SELECT count(*) FROM job_runs WHERE code = 'idle'"); n != 0 {
		t.Errorf("of %d jobs a look is written down as a run", n)
	}
	for name, times := range h.jobs {
		if !clinic.JobOf(name).Watched() {
			t.Errorf("%s checks in, %d times", name, times)
		}
	}
	if h.jobs["nightly"] != nights() || h.beats-h.jobs["alerts"] > 1 || h.jobs["alerts"] > h.beats || h.jobs[anchorsJob] != 1 {
		t.Errorf("looks were taken for runs: %v after %d nights", h.jobs, nights())
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

// A worker whose clock has run away takes nothing for good: what is over is held to the database's clock, too.
func TestAWrongClockDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	message := w.Approved(t, w.Patient, "email")
	if err := w.Clinic.MessageWithdraw(ctx, w.Doctor, message, w.Show(t, w.Doctor, message).Message.Version); err != nil {
		t.Fatal(err)
	}
	if err := w.Exec(t, "UPDATE clinics SET retention_years = 1"); err != nil {
		t.Fatal(err)
	}
	code := func() string {
		return w.Strings(t, "SELECT coalesce((SELECT code FROM job_runs WHERE job = 'nightly' AND ran_at IS NOT NULL), 'none')")[0]
	}
	w.config.NightlyEvery = 30 * time.Millisecond
	for _, years := range []int{3, -3} {
		w.config.Clinic = w.Again(t, func(c *clinic.Config) { c.Now = func() time.Time { return time.Now().AddDate(years, 0, 0) } })
		stop := w.start(t)
		eventually(t, "the night's work has been looked at", func() bool { return code() != "none" })
		if stop(); code() != "clock" {
			t.Errorf("%d years off, the night came to %q", years, code())
		}
		if err := w.Exec(t, "UPDATE job_runs SET ran_at = NULL, code = ''"); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Count(t, "SELECT count(*) FROM messages"); n != 1 {
		t.Errorf("%d messages are left", n)
	}
}

// A message that cannot go fails the night, and neither another clinic's messages nor the rest of the night's work wait for it.
func TestOneMessageHoldsNoNightUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	near := w.Neighbour(t)
	for _, c := range []*clinictest.World{w.World, near} {
		message := c.Approved(t, c.Patient, "email")
		if err := c.Clinic.MessageWithdraw(t.Context(), c.Doctor, message, c.Show(t, c.Doctor, message).Message.Version); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{`DO $$ BEGIN SET LOCAL session_replication_role = replica; UPDATE messages SET updated_at = updated_at - interval '3 years';
			UPDATE deliveries SET updated_at = updated_at - interval '3 years'; UPDATE pages SET expires_at = expires_at - interval '3 years'; END $$`,
		"UPDATE clinics SET retention_years = 1",
		"CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'it stays'; END $$",
		"CREATE TRIGGER stays BEFORE DELETE ON messages FOR EACH ROW WHEN (OLD.clinic_id = '" + w.ClinicID.String() + "') EXECUTE FUNCTION stays()"} {
		if err := w.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	w.config.NightlyEvery = 30 * time.Millisecond
	w.config.JobsEvery = 30 * time.Millisecond
	if err := w.Clinic.JobRun(t.Context(), w.Admin, clinic.JobNightlyName); err != nil {
		t.Fatal(err)
	}
	stop := w.start(t)
	eventually(t, "the night's work has been done", func() bool {
		return w.Count(t, "SELECT count(*) FROM job_runs WHERE job = 'nightly' AND ran_at IS NOT NULL AND code <> ''") == 1 &&
			w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'job.nightly' AND outcome = 'done'") > 0
	})
	stop()
	if left := w.Strings(t, "SELECT clinic_id::text FROM messages"); len(left) != 1 || left[0] != w.ClinicID.String() {
		t.Errorf("the messages of %v are left", left)
	}
}
