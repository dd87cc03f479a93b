package clinic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestBriefCreateByDoubleClick(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	f := w.Brief(w.Patient, "email")
	f.ID = uuid.Must(uuid.NewV7())
	for _, err := range together(4, func(int) error { _, err := w.Clinic.BriefCreate(ctx, w.Staff, f); return err }) {
		must(t, err)
	}
	wantCount(t, w, 1, "messages", "SELECT count(*) FROM messages")
	wantCount(t, w, 1, "briefs", "SELECT count(*) FROM briefs")
	wantCount(t, w, 1, "events", "SELECT count(*) FROM audit_events WHERE deed = 'brief.create'")
}

func TestBriefForm(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	many := func(n int, s string) (out []string) {
		for range n {
			out = append(out, s)
		}
		return out
	}
	for field, spoil := range map[string]func(*clinic.BriefForm){
		"inquiry":   func(f *clinic.BriefForm) { f.Inquiry = "\n \x00" },
		"points":    func(f *clinic.BriefForm) { f.Points = []string{" - ", ""} },
		"facts":     func(f *clinic.BriefForm) { f.Facts = []clinic.FactForm{{Kind: "rumour", Text: "x"}} },
		"priority":  func(f *clinic.BriefForm) { f.Priority = "asap" },
		"kind":      func(f *clinic.BriefForm) { f.Kind = "" },
		"channel":   func(f *clinic.BriefForm) { f.Channel = "fax" },
		"doctor_id": func(f *clinic.BriefForm) { f.DoctorID = w.Doctor2.ID },
	} {
		f := w.Brief(w.Patient, "email")
		spoil(&f)
		_, err := w.Clinic.BriefCreate(ctx, w.Staff, f)
		wantKind(t, err, clinic.Invalid, field)
		if got := clinic.Fields(err); got[field] == "" || len(got) != 1 {
			t.Errorf("%s: the sentences are at %v", field, got)
		}
	}
	f := w.Brief(w.Patient, "email")
	f.Points = many(21, "rest")
	if _, err := w.Clinic.BriefCreate(ctx, w.Staff, f); clinic.Fields(err)["points"] == "" {
		t.Errorf("21 points: %v", err)
	}
	f = w.Brief(w.Patient, "email")
	f.Points = []string{"- rest", "• drink", " ", "walk"}
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, f)
	must(t, err)
	page, err := w.Clinic.BriefShow(ctx, w.Staff2, id)
	must(t, err)
	if got := strings.Join(page.Form.Points, "/"); got != "rest/drink/walk" {
		t.Errorf("the points are kept as %q", got)
	}
}

// A red flag makes the brief urgent, whoever forgets to, and takes its deadlines with it.
func TestBriefRedFlag(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	f := w.Brief(w.Patient, "email")
	f.Inquiry, f.Priority = "I have had crushing chest pain since this morning.", "low"
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, f)
	must(t, err)
	v := w.Show(t, w.Doctor, id)
	if !v.Message.RedFlag || v.Message.Priority != "urgent" || v.Message.DueAt.Sub(w.Clock.Now()) != 2*time.Hour {
		t.Errorf("flag %v, %s, due in %s", v.Message.RedFlag, v.Message.Priority, v.Message.DueAt.Sub(w.Clock.Now()))
	}
	f.Version, f.Inquiry = v.Message.Version, "I have a cough. No chest pain."
	must(t, w.Clinic.BriefEdit(ctx, w.Staff, id, f))
	if v = w.Show(t, w.Doctor, id); v.Message.RedFlag || v.Message.Priority != "low" {
		t.Errorf("after the correction: flag %v, %s", v.Message.RedFlag, v.Message.Priority)
	}
}

func TestBriefEdit(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	f := w.Brief(w.Patient, "email")
	f.Version, f.Facts, f.Points = version(t, w, id), nil, []string{"Rest"}
	before := w.Show(t, w.Staff, id).Open
	errs := together(2, func(i int) error { return w.Clinic.BriefEdit(ctx, []clinic.Actor{w.Staff, w.Staff2}[i], id, f) })
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("two edits at once: %v", errs)
	}
	for i, err := range errs {
		if err == nil {
			continue
		}
		wantKind(t, err, clinic.Conflict, "the slower edit")
		winner := []clinic.Actor{w.Staff, w.Staff2}[1-i].Name
		if !strings.HasPrefix(clinic.Sentence(err), winner+" changed this message") {
			t.Errorf("the slower one reads %q, %s won", clinic.Sentence(err), winner)
		}
	}
	wantCount(t, w, 2, "brief versions", "SELECT count(*) FROM briefs WHERE message_id = $1", id)
	if after := w.Show(t, w.Staff, id).Open; after <= before {
		t.Errorf("the draft was not checked against the new brief: %d findings, then %d", before, after)
	}
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	f.Version = version(t, w, id)
	wantKind(t, w.Clinic.BriefEdit(ctx, w.Staff, id, f), clinic.Conflict, "a brief in review")
}

func TestBriefOffersDoctorsWhoCanSign(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, w.Doctor2.ID))
	page, err := w.Clinic.BriefNew(ctx, w.Doctor2, w.Patient)
	must(t, err)
	if len(page.Doctors) != 2 || page.Form.DoctorID != w.Doctor2.ID || page.Form.ID == uuid.Nil || page.Form.Channel != "sms" {
		t.Errorf("offered %d doctors, %s first, by %s", len(page.Doctors), page.Doctors[0].Name, page.Form.Channel)
	}
	must(t, w.Exec(t, "UPDATE staff SET disabled_at = now() WHERE id = $1", w.Doctor2.ID))
	must(t, w.Clinic.ConsentReply(ctx, texter, text("+14155550441", "STOP")))
	page, err = w.Clinic.BriefNew(ctx, w.Staff, w.Patient)
	must(t, err)
	if len(page.Doctors) != 1 || page.Doctors[0].ID != w.Doctor.ID || page.Form.Channel != "email" {
		t.Errorf("offered %d doctors, by %s", len(page.Doctors), page.Form.Channel)
	}
	f := w.Brief(w.Patient, "email")
	f.DoctorID = w.Doctor2.ID
	if _, err := w.Clinic.BriefCreate(ctx, w.Staff, f); clinic.Fields(err)["doctor_id"] == "" {
		t.Errorf("a brief for a doctor who was switched off: %v", err)
	}
}
