package clinic_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestWorklistSaysWhatWaitsForWhom(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	open := ready(t, w, w.Brief(w.Patient, "email"))
	writing, _ := asked(t, w)
	review := w.Submitted(t, w.Patient, "sms")
	f := w.Brief(w.Patient, "email")
	f.Inquiry = "Crushing chest pain since this morning."
	flagged, err := w.Clinic.BriefCreate(ctx, w.Staff, f)
	must(t, err)
	todo := func(a clinic.Actor) map[uuid.UUID]string {
		t.Helper()
		list, err := w.Clinic.WorklistShow(ctx, a, "")
		must(t, err)
		out := map[uuid.UUID]string{}
		for _, r := range list.Rows {
			out[r.ID] = r.Todo + " at " + r.Href[:8]
		}
		return out
	}
	mine := todo(w.Staff)
	if len(mine) != 3 || mine[open] != "to submit at /drafts/" || mine[writing] != "drafting … at /drafts/" || mine[flagged] != "to draft at /drafts/" {
		t.Errorf("staff: %v", mine)
	}
	if got := todo(w.Staff2); len(got) != 0 {
		t.Errorf("a colleague: %v", got)
	}
	if got := todo(w.Doctor); got[review] != "all checks pass at /reviews" || len(got) != 4 {
		t.Errorf("the doctor, whose messages they are: %v", got)
	}
	if got := todo(w.Reviewer); len(got) != 1 || got[review] == "" {
		t.Errorf("the reviewer: %v", got)
	}
	if got := todo(w.Auditor); len(got) != 0 {
		t.Errorf("the auditor: %v", got)
	}
	list, err := w.Clinic.WorklistShow(ctx, w.Staff, "")
	must(t, err)
	if list.Rows[0].ID != flagged || !list.Rows[0].RedFlag || list.Rows[0].Gist.Reveal() != f.Inquiry || list.Waiting != 3 {
		t.Errorf("first is %q of %d", list.Rows[0].Gist.Reveal(), list.Waiting)
	}
	w.Clock.Add(25 * time.Hour)
	list, err = w.Clinic.ReviewList(ctx, w.Doctor, "")
	must(t, err)
	if !list.Rows[0].Late {
		t.Error("a day later it is not late")
	}
}

func TestWorklistPages(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Submitted(t, w.Patient, "email")
	must(t, w.Exec(t, `DO $$ DECLARE o uuid; n uuid; BEGIN SELECT id INTO o FROM messages;
		FOR i IN 1..119 LOOP n := gen_random_uuid();
			INSERT INTO messages SELECT (jsonb_populate_record(m, jsonb_build_object('id', n, 'draft_id', null, 'priority', i % 4, 'due_at', m.due_at + (i % 7) * interval '1 hour'))).* FROM messages m WHERE id = o;
			INSERT INTO briefs SELECT (jsonb_populate_record(b, jsonb_build_object('message_id', n))).* FROM briefs b WHERE message_id = o;
		END LOOP; END $$`))
	seen, after, pages := map[uuid.UUID]bool{}, "", 0
	last := clinic.MessageRow{Priority: "urgent"}
	rank := map[string]int{"low": 0, "normal": 1, "high": 2, "urgent": 3}
	for {
		list, err := w.Clinic.ReviewList(ctx, w.Doctor, after)
		must(t, err)
		pages++
		for _, r := range list.Rows {
			if seen[r.ID] || rank[r.Priority] > rank[last.Priority] || r.Priority == last.Priority && r.DueAt.Before(last.DueAt) {
				t.Fatalf("out of order or twice: %s after %s", r.Priority, last.Priority)
			}
			seen[r.ID], last = true, r
		}
		if after = list.Next; after == "" {
			break
		}
	}
	if len(seen) != 120 || pages != 3 {
		t.Errorf("%d rows on %d pages", len(seen), pages)
	}
	for _, bad := range []string{"x", "bm90IGpzb24", "e30"} {
		if list, err := w.Clinic.ReviewList(ctx, w.Doctor, bad); err != nil || len(list.Rows) == 0 {
			t.Errorf("a cursor of nonsense: %v", err)
		}
	}
}

func TestWorklistShowsWhatWentWrong(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for _, tc := range []struct{ class, code, todo, words string }{
		{clinic.OutcomeUnknown, "timeout", "not known", "it is not known whether it was sent"},
		{clinic.OutcomeFailed, "21614", "not delivered", "The number is not a mobile number. Check the number with the patient, or call."},
	} {
		p := claimed(t, w, w.Approved(t, w.Patient, "sms"))
		must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(tc.class, tc.code)))
	}
	for _, a := range []clinic.Actor{w.Doctor, w.Staff, w.Reviewer} {
		list, err := w.Clinic.WorklistShow(ctx, a, "")
		must(t, err)
		if len(list.Rows) != 2 {
			t.Fatalf("%s sees %d troubles", a.Name, len(list.Rows))
		}
		for _, r := range list.Rows {
			if r.TodoLevel != "stop" || r.DeliveryWords == "" || r.Href != "/messages/"+r.ID.String() {
				t.Errorf("%s sees %q, %q", a.Name, r.Todo, r.DeliveryWords)
			}
		}
	}
}
