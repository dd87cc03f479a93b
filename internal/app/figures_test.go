package app

import (
	"testing"

	"countersign/internal/clinictest"
)

// The figure of the score looks at the same guards as the page, with nobody asking, and falls with a control.
func TestScoreOfTheFigure(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	asked, err := w.Clinic.GuardsSee(t.Context())
	if shown, e := w.Clinic.SecurityShow(t.Context(), w.Admin); err != nil || e != nil || asked != shown {
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
