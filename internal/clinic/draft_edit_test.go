package clinic_test

import (
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestDraftEditVersions(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	edit := func(a clinic.Actor, text string) clinic.DraftView {
		t.Helper()
		v, err := w.Clinic.DraftEdit(ctx, a, id, version(t, w, id), text)
		must(t, err)
		return v
	}
	if v := edit(w.Staff, clinictest.Letter+"\n\nOne."); len(v.Versions) != 1 || v.Words == 0 || v.DraftBy != "Tom Reyes" {
		t.Errorf("saves within five minutes are %d versions by %s", len(v.Versions), v.DraftBy)
	}
	if v := edit(w.Staff2, clinictest.Letter+"\n\nTwo."); len(v.Versions) != 2 {
		t.Errorf("another person's save: %d versions", len(v.Versions))
	}
	w.Clock.Add(6 * time.Minute)
	if v := edit(w.Staff2, clinictest.Letter+"\n\nThree."); len(v.Versions) != 3 {
		t.Errorf("a save after six minutes: %d versions", len(v.Versions))
	}
	at := version(t, w, id)
	if v := edit(w.Staff2, "  "+clinictest.Letter+"\r\n\r\nThree.  "); v.Message.Version != at {
		t.Error("saving what is there already is a change")
	}
	diff, err := w.Clinic.DraftDiff(ctx, w.Doctor, id, 2, 3)
	must(t, err)
	got := ""
	for _, l := range diff.Lines {
		if l.Kind != "same" {
			got += l.Kind + ":" + strings.TrimSpace(l.Text.Reveal()) + " "
		}
	}
	if got != "del:Two. add:Three. " {
		t.Errorf("the diff says %q", got)
	}
	_, err = w.Clinic.DraftDiff(ctx, w.Doctor, id, 1, 9)
	wantKind(t, err, clinic.NotFound, "a version that is not there")
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	must(t, w.Clinic.ReviewReturn(ctx, w.Doctor, id, version(t, w, id), "Shorter."))
	if v := edit(w.Staff2, clinictest.Letter); len(v.Versions) != 4 {
		t.Errorf("what was submitted stays as it was: %d versions", len(v.Versions))
	}
}

func TestDraftEditConflict(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	at, people := version(t, w, id), []clinic.Actor{w.Staff, w.Staff2, w.Reviewer}
	errs := together(3, func(i int) error {
		_, err := w.Clinic.DraftEdit(ctx, people[i], id, at, clinictest.Letter+"\n\nBy "+people[i].Name)
		return err
	})
	winner := ""
	for i, err := range errs {
		if err == nil && winner != "" {
			t.Fatal("two edits of one version were taken")
		}
		if err == nil {
			winner = people[i].Name
		}
	}
	for _, err := range errs {
		if err == nil {
			continue
		}
		wantCode(t, err, "moved_on", "a slower edit")
		if s := clinic.Sentence(err); !strings.HasPrefix(s, winner+" changed this message at ") || !strings.Contains(s, "What you typed is still here") {
			t.Errorf("%s won, the slower one reads %q", winner, s)
		}
	}
	// The model may be the one who was faster.
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
	at = version(t, w, id)
	must(t, w.Clinic.DraftFinish(ctx, worker, assigned(t, w, w.Dues()[0].ID), answered(letterSentences...)))
	_, err := w.Clinic.DraftEdit(ctx, w.Staff, id, at, "Dear Rosa Delgado,")
	if !strings.HasPrefix(clinic.Sentence(err), "The model changed this message at ") {
		t.Errorf("after the model: %q", clinic.Sentence(err))
	}
}

func TestDraftEditLimits(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	for _, text := range []string{"", " \n ", strings.Repeat("é", 6001)} {
		_, err := w.Clinic.DraftEdit(ctx, w.Staff, id, version(t, w, id), text)
		if clinic.KindOf(err) != clinic.Invalid || clinic.Fields(err)["text"] == "" {
			t.Errorf("a text of %d: %v", len(text), err)
		}
	}
	_, err := w.Clinic.DraftEdit(ctx, w.Staff, id, version(t, w, id), strings.Repeat("é", 6000))
	must(t, err)
}

func TestDraftCheckSavesNothing(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := ready(t, w, w.Brief(w.Patient, "email"))
	before := records(t, w)
	v, err := w.Clinic.DraftCheck(ctx, w.Staff, id, "Dear Rosa Delgado,\n\nTake 75 mg [name].")
	must(t, err)
	if v.Blocking == 0 || v.Open < 2 || v.Words == 0 || v.Text.Reveal() != "Dear Rosa Delgado,\n\nTake 75 mg [name]." {
		t.Errorf("while typing: %d block, %d open, %d words", v.Blocking, v.Open, v.Words)
	}
	marked := 0
	for _, p := range v.Paragraphs {
		for _, x := range p.Pieces {
			if x.Mark != "" {
				marked++
			}
		}
	}
	if marked < 2 {
		t.Errorf("%d marks in the text", marked)
	}
	_, err = w.Clinic.DraftCheck(ctx, w.Staff, id, strings.Repeat("x", 6001))
	wantKind(t, err, clinic.Invalid, "too long a text")
	if after := records(t, w); after != before {
		t.Error("checking saved something")
	}
}

// Another patient of the team is recognised in the text, one of another team is not known there.
func TestDraftCheckKnowsTheTeamsPatients(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.AddPatient(t, w.Staff, "Uma Fieldstone", "1990-04-05", "31313")
	id := ready(t, w, w.Brief(w.Patient, "email"))
	v, err := w.Clinic.DraftCheck(ctx, w.Staff, id, clinictest.Letter+"\n\nUma Fieldstone, record 31313, sends regards.")
	must(t, err)
	if v.Blocking == 0 {
		t.Error("another patient's name passes")
	}
}
