package clinic_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// at moves the clock on to an hour of the clinic's day, tomorrow or later.
func at(t *testing.T, w *clinictest.World, days, hour int) {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago")
	must(t, err)
	now := w.Clock.Now().In(zone)
	then := time.Date(now.Year(), now.Month(), now.Day()+days, hour, 0, 0, 0, zone)
	if then.Hour() != hour { // the clocks go forward that night, and there is no such hour
		then = then.Add(time.Hour)
	}
	w.Clock.Add(then.Sub(now))
}

// night is a worker's look whether the night's work is due.
func night(t *testing.T, w *clinictest.World, asked bool) (did bool) {
	t.Helper()
	did, err := w.Clinic.JobNightly(ctx, worker, asked, false)
	must(t, err)
	return did
}

const nights = "SELECT count(*) FROM audit_events WHERE deed = 'job.nightly' AND outcome = 'done'"

// The night's work is done once a night, at its hour on the clinic's clock, by one worker; and again when somebody asks.
func TestNightlyOnceANight(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	at(t, w, 1, 1)
	night(t, w, false)
	wantCount(t, w, 0, "nights before the hour", nights)
	at(t, w, 0, 2)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if _, err := w.Clinic.JobNightly(ctx, worker, false, false); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	wantCount(t, w, 1, "nights of six workers", nights)
	at(t, w, 0, 23)
	night(t, w, false)
	wantCount(t, w, 1, "nights later that day", nights)
	night(t, w, true)
	wantCount(t, w, 2, "nights, one of them asked for", nights)
	at(t, w, 1, 1)
	night(t, w, true) // a wish before the hour is not this day's night
	at(t, w, 0, 3)
	night(t, w, false)
	wantCount(t, w, 4, "nights of the next day", nights)
}

// What is long over goes, what may still be asked about stays, and what misses a part of it is counted and told.
func TestNightlyTakesAwayAndLooks(t *testing.T) {
	t.Parallel()
	var alarms []string
	w := clinictest.New(t, func(c *clinic.Config) {
		c.Alarm = func(_ context.Context, code string) { alarms = append(alarms, code) }
	})
	w.Approved(t, w.Patient, "email")
	session := func(age time.Duration) {
		must(t, w.Exec(t, `INSERT INTO sessions (id, clinic_id, staff_id, token_hash, assertion_hash, signed_in_at, created_at, last_seen_at, method, ip, agent)
			VALUES ($1, $2, $3, $4, $4, $5, $5, $5, 'assertion', '', '')`, uuid.Must(uuid.NewV7()), w.ClinicID, w.Staff.ID, []byte(uuid.NewString()), w.Clock.Now().Add(-age)))
	}
	session(181 * 24 * time.Hour)
	session(179 * 24 * time.Hour)
	for _, age := range []time.Duration{time.Hour, 49 * time.Hour} {
		must(t, w.Exec(t, "INSERT INTO glass_tries (id, clinic_id, staff_id, at) VALUES ($1, $2, $3, $4)", uuid.Must(uuid.NewV7()), w.ClinicID, w.Staff.ID, w.Clock.Now().Add(-age)))
		must(t, w.Exec(t, "INSERT INTO page_sessions (id, clinic_id, page_id, token_hash, expires_at, created_at) SELECT $1, clinic_id, id, $2, $3, $3 FROM pages LIMIT 1",
			uuid.Must(uuid.NewV7()), []byte(uuid.NewString()), w.Clock.Now().Add(-age)))
	}
	night(t, w, true)
	wantCount(t, w, 1, "sign-ins", "SELECT count(*) FROM sessions")
	wantCount(t, w, 1, "tries", "SELECT count(*) FROM glass_tries")
	wantCount(t, w, 1, "patients' sessions", "SELECT count(*) FROM page_sessions")
	if len(alarms) != 0 {
		t.Errorf("a whole clinic is alarmed about: %v", alarms)
	}
	broken := w.Submitted(t, w.Patient, "email")
	must(t, w.Exec(t, "DELETE FROM reviews WHERE message_id = $1", broken))
	night(t, w, true)
	if len(alarms) != 1 || alarms[0] != "orphans" {
		t.Errorf("alarms: %v", alarms)
	}
	for _, j := range jobs(t, w) {
		if j.Name == "nightly" && (!j.Trouble || len(j.Found) != 1 || j.Found[0] != "1 message in review without its review") {
			t.Errorf("the page says %+v", j)
		}
	}
}

func jobs(t *testing.T, w *clinictest.World) []clinic.JobStatus {
	t.Helper()
	all, err := w.Clinic.JobList(ctx, w.Ops)
	must(t, err)
	return all
}

// A wish goes to one worker; the page knows of it until then, and what each run came to.
func TestJobs(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.JobRun(ctx, w.Admin, "nightly"))
	must(t, w.Clinic.JobRun(ctx, w.Admin, "nightly"))
	wantKind(t, w.Clinic.JobRun(ctx, w.Admin, "relay"), clinic.NotFound, "a job that nobody may ask for")
	wantKind(t, w.Clinic.JobRun(ctx, w.Ops, "nightly"), clinic.Forbidden, "operations")
	taken := make(chan string, 10)
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			names, err := w.Clinic.JobsTake(ctx, []string{"nightly", "sweep"})
			if err != nil {
				t.Error(err)
			}
			for _, name := range names {
				taken <- name
			}
		})
	}
	all.Wait()
	if len(taken) != 1 || <-taken != "nightly" {
		t.Errorf("the wish went to %d workers", len(taken))
	}
	began := w.Clock.Now()
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "relay", Began: began, Took: 12 * time.Millisecond, Every: time.Second}))
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "sweep", Began: began, Every: time.Hour, Code: "redis_away"}))
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "tomorrow", Began: began, Every: time.Minute}))
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "yesterday", Began: began.Add(-25 * time.Hour), Every: time.Minute}))
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "fence", Began: began, Code: clinic.JobOff}))
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "ledger", Began: began, Every: time.Hour}))
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "ledger", Began: began.Add(time.Second), Code: clinic.JobOff})) // another worker, which has no key
	must(t, w.Clinic.JobRan(ctx, clinic.JobOutcome{Job: "sweep", Began: began.Add(-time.Minute), Every: time.Hour}))    // told late: the newer one stays
	w.Clock.Add(10 * time.Minute)
	of := map[string]clinic.JobStatus{}
	for _, j := range jobs(t, w) {
		of[j.Name] = j
	}
	if j := of["relay"]; !j.Late || j.Took != 12*time.Millisecond || j.Code != "" {
		t.Errorf("relay: %+v", j)
	}
	if j := of["sweep"]; j.Late || j.Words != "Redis cannot be reached." || j.Every != time.Hour {
		t.Errorf("sweep: %+v", j)
	}
	if j := of["tomorrow"]; j.Title != "tomorrow" || j.RanAt == nil {
		t.Errorf("a job that is not described: %+v", j)
	}
	if _, there := of["yesterday"]; there {
		t.Error("what a version before had, and nobody has any more, is still shown")
	}
	if j := of["fence"]; !j.Off || j.Late || j.Code != "" || j.Needs != "BLOB_URL" {
		t.Errorf("fence: %+v", j)
	}
	if j := of["ledger"]; j.Off || j.Late {
		t.Errorf("ledger: %+v", j)
	}
	if j := of["nightly"]; j.Next == nil || j.AskedAt != nil {
		t.Errorf("nightly: %+v", j)
	}
}
