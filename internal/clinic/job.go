package clinic

import (
	"context"
	"slices"
	"time"

	"countersign/internal/db"
)

// Job is what the workers do by themselves, again and again.
type Job struct {
	Name, Title, What string
	Every             time.Duration // unless its worker says otherwise; 0: at night
	By                string        // who runs it
	MayAsk            bool          // somebody may want it to run now
	Needs             string        // the setting without which it has nothing to do
}

// Who runs a job: each worker does its part of it, or whichever worker comes first does all of it.
const (
	ByEach = "each worker"
	ByOne  = "one worker at a time"
)

// Jobs is the one table of them: the workers run what it says, the page shows it, and who watches scheduled jobs from outside
// (Sentry) is told of those that are Watched. Each is safe to repeat, and of those that must not run twice at once one worker
// leads, by a lock in Postgres.
var Jobs = []Job{
	{"relay", "Relay", "Hands notices and drafts that are due to the queue.", time.Second, ByEach, false, ""},
	{"sweep", "Sweep", "Looks for notices and drafts whose worker died.", 15 * time.Second, ByEach, true, ""},
	{"reconcile", "Reconcile", "Asks the providers about notices of which nobody knows whether they went out.", 15 * time.Second, ByEach, true, ""},
	{JobRemindersName, "Reminders", "Reminds patients of messages that nobody has opened, and then asks staff to call.", 5 * time.Minute, ByOne, true, ""},
	{"ledger", "Sealing", "Seals what is new on the audit trail.", time.Second, ByOne, false, "LEDGER_KEY"},
	{"anchors", "Anchors", "Writes the audit trail’s newest checkpoint outside the database.", time.Minute, ByEach, false, "LEDGER_KEY"},
	{"fence", "Fence", "Looks whether this is the database that it was, and counts that in it and outside.", 10 * time.Second, ByEach, false, "BLOB_URL"},
	{"figures", "Figures", "Writes down what the worker counted, and asks whether the web answers.", 15 * time.Second, ByEach, false, ""},
	{"alerts", "Alerts", "Evaluates the alert rules.", time.Minute, ByOne, false, ""},
	{"alert-notices", "Alert notices", "Tells people of alerts.", 15 * time.Second, ByEach, false, ""},
	{"refusals", "Refusals", "Puts on the trail how often strangers were refused, once their minute is over.", 15 * time.Second, ByEach, false, ""},
	{"verify", "Verify", "Carries out the verifications of the audit trail that somebody asked for.", time.Second, ByOne, false, ""},
	{"access", "Access review", "Puts the week’s access together for its review.", 15 * time.Minute, ByOne, true, ""},
	{"jobs", "Run now", "Takes up the jobs that somebody asked for on this page.", 5 * time.Second, ByEach, false, ""},
	{JobNightlyName, "Nightly", "Takes away sign-ins, patients’ sessions and counted tries that are long over, and messages that ended longer ago than the clinic keeps them; looks for records that miss what belongs to them.", 0, ByOne, true, ""},
}

// Watched says whether each run is told to whoever watches scheduled jobs: those of a minute or more, which nobody would miss
// for a while. That one of a few seconds stands still, other figures show within a minute.
func (j Job) Watched() bool { return j.Every == 0 || j.Every >= time.Minute }

// JobOf is the job of a name; one that is not in the table has nothing but that.
func JobOf(name string) Job {
	if i := slices.IndexFunc(Jobs, func(j Job) bool { return j.Name == name }); i >= 0 {
		return Jobs[i]
	}
	return Job{Name: name, Title: name, Every: -1}
}

// JobNightlyName is the job of JobNightly.
const JobNightlyName = "nightly"

// jobNoted is how seldom a worker writes a job down that goes as before.
const jobNoted = 15 * time.Second

// JobStatus is a job with its last run.
type JobStatus struct {
	Job
	RanAt, GoodAt *time.Time
	Took          time.Duration
	Code, Words   string // why the last run failed, or nothing
	Off           bool   // it has nothing to do without the setting that it Needs
	Late          bool   // it should have run again by now
	Next          *time.Time
	AskedAt       *time.Time
	Found         []string // what the nightly job found, in words
	Trouble       bool     // and it has to be looked into
}

// JobList is every job with its last run, outcome and next time.
func (c *Clinic) JobList(ctx context.Context, a Actor) ([]JobStatus, error) {
	var all []JobStatus
	err := c.do(ctx, a, JobList, Subject{Kind: "job"}, func(t *tx) error {
		cl, err := t.clinicOf(ctx, t.clinicID())
		if err != nil {
			return found(err)
		}
		all, err = t.jobs(ctx, cl)
		return err
	})
	return all, err
}

func (t *tx) jobs(ctx context.Context, cl db.Clinic) (all []JobStatus, err error) {
	rows, err := t.Queries.JobList(ctx)
	if err != nil {
		return nil, err
	}
	of := map[string]db.JobRun{}
	for _, r := range rows {
		of[r.Job] = r
	}
	for _, j := range Jobs {
		all = append(all, jobStatus(j, of[j.Name], t.at, zoneOf(cl)))
		delete(of, j.Name)
	}
	for _, r := range rows { // of a worker of another version, which has more jobs
		if _, left := of[r.Job]; left && r.RanAt != nil && t.at.Sub(*r.RanAt) < 24*time.Hour {
			all = append(all, jobStatus(JobOf(r.Job), r, t.at, zoneOf(cl)))
		}
	}
	return all, nil
}

func jobStatus(j Job, r db.JobRun, now time.Time, zone *time.Location) JobStatus {
	s := JobStatus{Job: j, RanAt: r.RanAt, GoodAt: r.GoodAt, Took: time.Duration(r.TookMs) * time.Millisecond, Code: r.Code, AskedAt: r.AskedAt}
	if s.Off = s.Code == JobOff; s.Off {
		s.Code = ""
	}
	if s.Code != "" {
		s.Words = jobWords(s.Code)
	}
	if r.EveryMs > 0 && j.Every != 0 {
		s.Every = time.Duration(r.EveryMs) * time.Millisecond
	}
	switch {
	case s.Off:
	case s.Every > 0:
		s.Late = r.RanAt == nil || now.Sub(*r.RanAt) > 3*max(s.Every, jobNoted)
	case s.Every == 0:
		next := nightOf(now, zone)
		if r.DoneDay < next.Format(time.DateOnly) && !now.Before(next) {
			s.Late = now.Sub(next) > 15*time.Minute
		} else if !now.Before(next) {
			next = nightOf(next.AddDate(0, 0, 1), zone)
		}
		s.Next = &next
		s.Found, s.Trouble = nightlyWords(r.Found)
	}
	return s
}

// jobWords is a code of a job that failed, as a sentence.
func jobWords(code string) string {
	words, ok := map[string]string{"redis_away": "Redis cannot be reached.", "database_away": "Postgres cannot be reached.", "anchor_away": "The place outside the database cannot be reached.",
		"panic": "The program made a mistake, which was reported.", "held": "Sending is stopped: see the line above.",
		"clock":     "The worker’s clock is more than an hour away from the database’s, so it takes nothing away.",
		"unchecked": "The place outside the database cannot be read, so this worker sends nothing.", "bucket_away": "The place outside the database cannot be reached; sending goes on."}[code]
	if !ok {
		words = "It failed (" + code + ")."
	}
	return words
}

// JobRun asks for a job to run now: one worker takes it up within seconds. A second time before that changes nothing.
func (c *Clinic) JobRun(ctx context.Context, a Actor, name string) error {
	return c.do(ctx, a, JobRun, Subject{Kind: "job"}, func(t *tx) error {
		if !JobOf(name).MayAsk {
			return notFound()
		}
		t.detail["job"] = name
		return t.JobAsk(ctx, db.JobAskParams{Job: name, At: t.at})
	})
}

// JobsTake gives a worker the jobs, of those that it has, that somebody asked for. Nobody else gets them.
func (c *Clinic) JobsTake(ctx context.Context, mine []string) ([]string, error) {
	return db.New(c.pool).JobsTake(ctx, mine)
}

// JobOff is the code of a job that has nothing to do without the setting that it Needs.
const JobOff = "off"

// JobOutcome is how one run of a job went: Code says what went wrong, and is empty when nothing did.
type JobOutcome struct {
	Job         string
	Began       time.Time
	Took, Every time.Duration
	Code        string
}

// JobRan writes a job's last run down.
func (c *Clinic) JobRan(ctx context.Context, o JobOutcome) error {
	return db.New(c.pool).JobRan(ctx, db.JobRanParams{Job: o.Job, RanAt: o.Began.UTC(), TookMs: o.Took.Milliseconds(), EveryMs: o.Every.Milliseconds(), Code: codeOf(o.Code)})
}
