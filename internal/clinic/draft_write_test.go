package clinic_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// letterSentences are clinictest.Letter as a model would answer it, with the patient's name as a token.
var letterSentences = []string{"Dear [[P1]],\n\n", "Thank you for telling us about the cough. ", "Please stop taking lisinopril 10 mg tonight.\n\n",
	"Start losartan 50 mg once a day tomorrow. ", "Please book a blood test with us.\n\n", "If your lips or face swell, call 911. ",
	"Call the clinic if you have questions."}

func answered(sentences ...string) clinic.Answer {
	type sentence struct {
		Text  string   `json:"text"`
		Facts []string `json:"facts"`
	}
	list := []sentence{}
	for _, s := range sentences {
		list = append(list, sentence{s, []string{"f1"}})
	}
	raw, err := json.Marshal(map[string]any{"sentences": list, "urgency": "normal"})
	if err != nil {
		panic(err)
	}
	return clinic.Answer{Raw: string(raw), Model: "gpt-4.1-mini-2025-04-14", PromptTokens: 1000, CompletionTokens: 200}
}

const answerCost = 720 // micro-dollars: 1000 at 0.4 and 200 at 1.6 dollars a million

// asked is a message with a draft request, and the request's id.
func asked(t testing.TB, w *clinictest.World) (message, request uuid.UUID) {
	t.Helper()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
	return id, uuid.MustParse(w.Strings(t, "SELECT id::text FROM draft_requests WHERE message_id = $1", id)[0])
}

func assigned(t testing.TB, w *clinictest.World, request uuid.UUID) *clinic.Assignment {
	t.Helper()
	as, err := w.Clinic.DraftClaim(ctx, worker, request)
	must(t, err)
	if as == nil {
		t.Fatal("there was nothing to draft")
	}
	return as
}

func wantRequest(t testing.TB, w *clinictest.World, id uuid.UUID, state, class string, attempt, cost int) {
	t.Helper()
	got := w.Strings(t, "SELECT concat_ws(' ', state, error_class, attempt, cost_microusd) FROM draft_requests WHERE id = $1", id)[0]
	want, _ := json.Marshal([]any{state, class, attempt, cost})
	if got != strings.NewReplacer(`"`, "", ",", " ", "[", "", "]", "").Replace(string(want)) {
		t.Fatalf("the request is %q, want %s", got, want)
	}
}

func TestDraftGoesOutUnderPseudonymsAndComesBackWithNames(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	form := w.Brief(w.Patient, "email")
	form.Inquiry = "Rosa Delgado, born 30 May 1967, record 20441, wrote from p20441@mail.example and rang from +14155550441: cough."
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, form)
	must(t, err)
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, "Greet Ms Delgado warmly"))
	as := assigned(t, w, w.Dues()[0].ID)
	out := as.Prompt.System + as.Prompt.Settings + as.Prompt.Brief
	for _, secret := range []string{"Rosa", "Delgado", "1967", "20441", "p20441@mail.example", "5550441"} {
		if strings.Contains(out, secret) {
			t.Errorf("the model would learn %q", secret)
		}
	}
	if !strings.Contains(out, "losartan 50 mg") || !strings.Contains(out, "55-64") || !strings.Contains(out, "warmly") {
		t.Error("the model does not get the brief, the age band or the instruction")
	}
	still, err := w.Clinic.DraftProgress(ctx, as, "writing", 12)
	must(t, err)
	v := w.Show(t, w.Doctor, id)
	if !still || v.Request == nil || v.Request.State != "writing" || v.Request.Words != 12 {
		t.Fatalf("progress: %v %+v", still, v.Request)
	}
	must(t, w.Clinic.DraftFinish(ctx, worker, as, answered(letterSentences...)))
	v = w.Show(t, w.Doctor, id)
	if got := v.Text.Reveal(); !strings.HasPrefix(got, "Dear Rosa Delgado,") || strings.Contains(got, "[[") {
		t.Errorf("the draft reads %q", got)
	}
	if v.Message.Status != "draft_ready" || v.DraftBy != "the model" || v.Request.State != "ready" || len(v.Findings) == 0 && v.Ran == 0 {
		t.Errorf("after the draft: %s by %s, request %s", v.Message.Status, v.DraftBy, v.Request.State)
	}
	wantRequest(t, w, as.RequestID, "ready", "", 1, answerCost)
}

// A worker that was killed in mid-draft: its lease runs out, another takes over, and the first can only add its cost.
func TestDraftSurvivesAKilledWorker(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id, request := asked(t, w)
	first := assigned(t, w, request)
	if as, err := w.Clinic.DraftClaim(ctx, worker, request); as != nil || err != nil {
		t.Fatalf("claimed twice: %v %v", as, err)
	}
	w.Clock.Add(clinic.DefaultTimes().DraftLease + time.Second)
	second := assigned(t, w, request)
	if second.Attempt != 2 {
		t.Fatalf("the second attempt is number %d", second.Attempt)
	}
	if still, err := w.Clinic.DraftProgress(ctx, first, "writing", 5); still || err != nil {
		t.Fatalf("the first worker still believes in its claim: %v", err)
	}
	must(t, w.Clinic.DraftFinish(ctx, worker, first, answered("Dear [[P1]],\n\n", "From the dead.")))
	wantRequest(t, w, request, "writing", "", 2, answerCost)
	wantCount(t, w, 0, "drafts by a lost claim", "SELECT count(*) FROM drafts")
	must(t, w.Clinic.DraftFinish(ctx, worker, second, answered(letterSentences...)))
	wantRequest(t, w, request, "ready", "", 2, 2*answerCost)
	if v := w.Show(t, w.Staff, id); strings.Contains(v.Text.Reveal(), "dead") || v.DraftVersion != 1 {
		t.Error("the lost claim wrote the draft")
	}
}

func TestDraftFailsAfterThreeAttempts(t *testing.T) {
	t.Parallel()
	for name, finish := range map[string]func(t *testing.T, w *clinictest.World, as *clinic.Assignment){
		"timeout": func(t *testing.T, w *clinictest.World, as *clinic.Assignment) {
			must(t, w.Clinic.DraftFinish(ctx, worker, as, clinic.Answer{Code: "timeout", Retry: true}))
		},
		"bad_json": func(t *testing.T, w *clinictest.World, as *clinic.Assignment) {
			must(t, w.Clinic.DraftFinish(ctx, worker, as, clinic.Answer{Raw: "Here is your draft!"}))
		},
		"gave_up": func(*testing.T, *clinictest.World, *clinic.Assignment) {}, // killed each time
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			id, request := asked(t, w)
			for attempt := 1; attempt <= 3; attempt++ {
				finish(t, w, assigned(t, w, request))
				w.Clock.Add(clinic.DefaultTimes().DraftLease + time.Second)
			}
			if as, err := w.Clinic.DraftClaim(ctx, worker, request); as != nil || err != nil {
				t.Fatalf("begun a fourth time: %v", err)
			}
			if _, err := w.Clinic.DeliverySweep(ctx, worker); err != nil {
				t.Fatal(err)
			}
			wantRequest(t, w, request, "failed", name, 3, 0)
			v := w.Show(t, w.Staff, id)
			if v.Request.Error == "" || v.Message.Status != "drafting" {
				t.Errorf("the page says %+v", v.Request)
			}
			must(t, w.Clinic.DraftByHand(ctx, w.Staff, id))
			wantCount(t, w, 1, "an event for giving up or for the last finish",
				"SELECT count(*) FROM audit_events WHERE subject_id = $1 AND (reason = 'gave_up' OR detail->>'code' = $2 AND detail->>'attempt' = '3')", request, name)
		})
	}
}

func TestDraftOutcomesThatAreFinal(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, request := asked(t, w)
	must(t, w.Clinic.DraftFinish(ctx, worker, assigned(t, w, request), clinic.Answer{Code: "refused", PromptTokens: 1000, Model: "gpt-4.1-mini"}))
	wantRequest(t, w, request, "failed", "refused", 1, 400)

	// The message moved on while the model wrote.
	id, request := asked(t, w)
	as := assigned(t, w, request)
	must(t, w.Clinic.DraftByHand(ctx, w.Staff, id)) // cancels
	must(t, w.Clinic.DraftFinish(ctx, worker, as, answered(letterSentences...)))
	wantRequest(t, w, request, "failed", "by_hand", 1, answerCost)

	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
	request = uuid.MustParse(w.Strings(t, "SELECT id::text FROM draft_requests WHERE message_id = $1 AND state = 'requested'", id)[0])
	as = assigned(t, w, request)
	_, err := w.Clinic.DraftEdit(ctx, w.Staff, id, version(t, w, id), clinictest.Letter)
	must(t, err)
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	must(t, w.Clinic.DraftFinish(ctx, worker, as, answered("Dear [[P1]],\n\n", "Too late.")))
	wantRequest(t, w, request, "failed", "moved_on", 1, answerCost)
	if v := w.Show(t, w.Doctor, id); v.Message.Status != "in_review" || strings.Contains(v.Text.Reveal(), "Too late") {
		t.Error("a late draft replaced what is in review")
	}
}

// A message past drafting, or a brief that no model may see, ends the request at the claim and costs nothing.
func TestDraftClaimEndsWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id, request := asked(t, w)
	must(t, w.Exec(t, "UPDATE messages SET status = 'withdrawn' WHERE id = $1", id))
	if as, err := w.Clinic.DraftClaim(ctx, worker, request); as != nil || err != nil {
		t.Fatalf("a draft was begun for a withdrawn message: %v", err)
	}
	wantRequest(t, w, request, "failed", "moved_on", 1, 0)

	form := w.Brief(w.Patient, "email")
	form.Inquiry = strings.Repeat("cough and ", 999)
	for range 20 {
		form.Points = append(form.Points, strings.Repeat("rest ", 99))
	}
	form.Points = form.Points[:20]
	for range 25 {
		form.Facts = append(form.Facts, clinic.FactForm{Kind: "instruction", Text: strings.Repeat("walk ", 39)})
	}
	long, err := w.Clinic.BriefCreate(ctx, w.Staff, form)
	must(t, err)
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, long, ""))
	request = w.Dues()[1].ID
	if as, err := w.Clinic.DraftClaim(ctx, worker, request); as != nil || err != nil {
		t.Fatalf("too long a brief: %v", err)
	}
	wantRequest(t, w, request, "failed", "too_long", 1, 0)
}

func TestDraftNamesTheBriefItWasWrittenFrom(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id, request := asked(t, w)
	form := w.Brief(w.Patient, "email")
	form.Version, form.Points = version(t, w, id), []string{"Take the evening dose with food"}
	must(t, w.Clinic.BriefEdit(ctx, w.Staff, id, form))
	as := assigned(t, w, request)
	if !strings.Contains(as.Prompt.Brief, "with food") {
		t.Fatal("the model gets the old brief")
	}
	must(t, w.Clinic.DraftFinish(ctx, worker, as, answered(letterSentences...)))
	wantCount(t, w, 2, "the draft's brief version", "SELECT brief_version FROM drafts WHERE message_id = $1", id)
}
