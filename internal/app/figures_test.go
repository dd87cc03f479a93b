package app

import (
	"context"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/figures"
	"countersign/internal/slo"
)

// The figure of the score looks at the same guards as the page, with nobody asking, and falls with a control.
func TestScoreOfTheFigure(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	asked, err := w.Clinic.GuardsSee(t.Context())
	shown, e := w.Clinic.SecurityShow(t.Context(), w.Admin)
	if shown.SignFresh = asked.SignFresh; err != nil || e != nil || asked != shown { // a setting, which the score does not look at
		t.Errorf("%v %v: %+v, the page has %+v", err, e, asked, shown)
	}
	before := w.Count(t, "SELECT count(*) FROM audit_events")
	if err := w.Exec(t, "UPDATE staff SET created_at = now() - interval '1 year' WHERE id = $1", w.Staff.ID); err != nil {
		t.Fatal(err)
	}
	if asked, err = w.Clinic.GuardsSee(t.Context()); err != nil || asked.Unseen != 1 {
		t.Errorf("%v: %+v", err, asked)
	}
	if n := w.Count(t, "SELECT count(*) FROM audit_events"); n != before {
		t.Error("looking for the figure is on the trail")
	}
}

// The figure is good while the controls are on, and bad as soon as one is off.
func TestScoreOfTheFigureFallsWithAControl(t *testing.T) {
	t.Parallel()
	a := scoredHouse(t)
	at := time.Now()
	cfg := a.figures()
	cfg.Now = func() time.Time { return at }
	cfg.Score = func(context.Context) (int, error) { return a.anew(t, clinic.Guards{}).Percent(), nil }
	r := figures.New(cfg)
	look := func() slo.Measure {
		at = at.Add(time.Hour) // so that it is time to look, and later than what the web itself found
		r.Tick(t.Context())
		all, err := a.clinic.FiguresShow(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return all[len(all)-1]
	}
	if m := look(); m.Figure != slo.SecurityScore || m.Verdict != slo.Good || m.Now.Value != .97 {
		t.Errorf("with all controls: %+v", m)
	}
	a.cfg.SentryDSN = ""
	if m := look(); m.Verdict != slo.Bad || m.Now.Value != .94 {
		t.Errorf("with one off: %+v", m)
	}
}
