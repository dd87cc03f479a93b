package clinic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// spend writes down a draft that cost so much, some days ago at noon of the clinic.
func spend(t *testing.T, w *clinictest.World, who clinic.Actor, message uuid.UUID, at time.Time, model string, micro int64) {
	t.Helper()
	must(t, w.Exec(t, `INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, state, next_attempt_at, model,
		prompt_tokens, completion_tokens, cost_microusd, created_at, finished_at) SELECT $1, clinic_id, id, 1, '\x00', $2, doctor_id, 'ready', $3, $4, 1000, 200, $5, $3, $3 FROM messages WHERE id = $6`,
		uuid.Must(uuid.NewV7()), who.ID, at, model, micro, message))
}

// What was spent stands by person against the budget, by day on the clinic's clock and by model; a month shows its own only,
// and the clinic next door nothing of it.
func TestUsage(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	chicago, err := time.LoadLocation("America/Chicago")
	must(t, err)
	now := w.Clock.Now().In(chicago)
	noon := time.Date(now.Year(), now.Month(), 15, 12, 0, 0, 0, chicago)
	w.Clock.Add(noon.Sub(w.Clock.Now()))
	message, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	midnight := time.Date(now.Year(), now.Month(), 15, 0, 0, 0, 0, chicago)
	spend(t, w, w.Staff, message, midnight.Add(time.Second), "gpt-4.1-mini", 1_200_000)
	spend(t, w, w.Staff, message, midnight.Add(-time.Second), "gpt-4.1-mini", 300_000) // yesterday, on the clinic's clock
	spend(t, w, w.Doctor, message, noon.AddDate(0, 0, -3), "home-made", 20_000_000)
	spend(t, w, w.Doctor, message, noon.AddDate(0, -1, 0), "gpt-4.1", 7_000_000)

	u, err := w.Clinic.UsageShow(ctx, w.Admin, "")
	must(t, err)
	if !u.This || u.Cost != 21_500_000 || u.CostToday != 1_200_000 || u.Drafts != 3 || u.Today != 1 || u.Over != 1 {
		t.Errorf("this month: %d for %d, today %d for %d, %d over", u.Cost, u.Drafts, u.CostToday, u.Today, u.Over)
	}
	of := map[string]clinic.UsagePerson{}
	for _, p := range u.People {
		of[p.Name] = p
	}
	if p := of["Tom Reyes"]; p.Today != 1 || p.CostToday != 1_200_000 || p.Cost != 1_500_000 || p.State != "over today’s budget" || p.Level != clinic.BudgetWarn {
		t.Errorf("staff: %+v", p)
	}
	if p := of["Dr Amara Osei"]; p.Today != 0 || p.Cost != 20_000_000 || p.Level != clinic.BudgetFine {
		t.Errorf("doctor: %+v", p)
	}
	if _, listed := of["Ruth Ebbing"]; listed || len(u.People) != 5 {
		t.Errorf("%d people, the administrator among them: %v", len(u.People), listed)
	}
	if n := len(u.Days); n != 30 || u.Days[n-1].Cost != 1_200_000 || u.Days[n-2].Cost != 300_000 || u.Days[n-4].Drafts != 1 || !u.Days[n-1].Day.Equal(midnight) {
		t.Errorf("the days: %d, %+v", n, u.Days[n-4:])
	}
	if len(u.Models) != 2 || u.Models[0].Model != "home-made" || u.Models[0].Price.Known || u.Models[1].Cost != 1_500_000 || u.Models[1].PromptTokens != 2000 || !u.Models[1].Price.Known {
		t.Errorf("the models: %+v", u.Models)
	}
	last, err := w.Clinic.UsageShow(ctx, w.Admin, noon.AddDate(0, -1, 0).Format("2006-01"))
	must(t, err)
	if last.This || last.Cost != 7_000_000 || len(last.Days) < 28 || last.Days[14].Cost != 7_000_000 {
		t.Errorf("the month before: %d over %d days", last.Cost, len(last.Days))
	}
	next := w.Neighbour(t)
	theirs, err := w.Clinic.UsageShow(ctx, clinic.Actor{Kind: clinic.ActorPerson, Role: clinic.Admin, ID: next.Doctor.ID, ClinicID: next.ClinicID}, "")
	must(t, err)
	drafts := 0
	for _, d := range theirs.Days {
		drafts += d.Drafts
	}
	if theirs.Cost != 0 || theirs.Drafts != 0 || drafts != 0 || len(theirs.Models) != 0 {
		t.Errorf("next door sees %d for %d, on %d days, of %d models", theirs.Cost, theirs.Drafts, drafts, len(theirs.Models))
	}
}

// A version of the prompt is judged by what became of its drafts: signed as they were, changed first, or returned.
func TestPromptVersions(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	draft := func() uuid.UUID {
		id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
		must(t, err)
		must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
		must(t, w.Clinic.DraftFinish(ctx, worker, assigned(t, w, w.Dues()[len(w.Dues())-1].ID), answered(letterSentences...)))
		return id
	}
	version := func(id uuid.UUID) int { return w.Show(t, w.Staff, id).Message.Version }
	sign := func(id uuid.UUID) {
		must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(id)))
		w.Answer(t, w.Doctor, id)
		must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(id), nil))
	}
	sign(draft())
	changed := draft()
	_, err := w.Clinic.DraftEdit(ctx, w.Staff, changed, version(changed), strings.Replace(clinictest.Letter, "Thank you", "Thanks", 1))
	must(t, err)
	sign(changed)
	returned := draft()
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, returned, version(returned)))
	must(t, w.Clinic.ReviewReturn(ctx, w.Doctor, returned, version(returned), "Say the date first."))
	must(t, w.Exec(t, "UPDATE drafts SET prompt_version = 'an older one' WHERE message_id = $1 AND source = 'model'", returned))

	all, err := w.Clinic.PromptList(ctx, w.Admin)
	must(t, err)
	if len(all) != 2 || !all[0].Current || all[0].Messages != 2 || all[0].Signed != 2 || all[0].Untouched != 1 || all[0].UntouchedRate() != 50 || all[0].Returned != 0 {
		t.Errorf("the version in use: %+v", all[0])
	}
	if old := all[1]; old.ID != "an older one" || old.Current || old.Messages != 1 || old.ReturnedRate() != 100 || old.UntouchedRate() != -1 || old.What != "" {
		t.Errorf("one that is not known: %+v", old)
	}
}
