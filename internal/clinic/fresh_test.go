package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// An administrator sets how old a sign-in may be when its person signs: signing obeys from the next signature on, in this clinic
// alone, each change is on the trail with what was before, and taken away the installation's own time holds again.
func TestSigningObeysTheAdministrator(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t, func(c *clinic.Config) { c.SignFresh = 2 * time.Hour })
	id := w.Submitted(t, w.Patient, "email")
	doctor := signIn(t, w, w.Doctor).actor
	w.Answer(t, doctor, id)
	asks := func(age time.Duration) bool {
		t.Helper()
		d := doctor
		d.SignedInAt = w.Clock.Now().Add(-age)
		v, err := w.Clinic.ReviewShow(ctx, d, id)
		must(t, err)
		if v.SignInAgain {
			wantCode(t, w.Clinic.ReviewApprove(ctx, d, id, version(t, w, id), nil), clinic.SignInAgain, "what the panel says")
		}
		return v.SignInAgain
	}
	for _, step := range []struct{ set, holds time.Duration }{{0, 2 * time.Hour}, {15 * time.Minute, 15 * time.Minute}, {30 * time.Minute, 30 * time.Minute},
		{12 * time.Hour, 12 * time.Hour}, {0, 2 * time.Hour}} {
		must(t, w.Clinic.SecurityEdit(ctx, w.Admin, step.set))
		g, err := w.Clinic.SecurityShow(ctx, w.Admin)
		if err != nil || g.SignFresh != (clinic.SignFresh{Set: step.set, Standard: 2 * time.Hour}) || g.SignFresh.Now() != step.holds {
			t.Errorf("set to %s: %+v %v", step.set, g.SignFresh, err)
		}
		if asks(step.holds) || !asks(step.holds+time.Second) {
			t.Errorf("set to %s, the panel asks %v at %s and %v a second later", step.set, asks(step.holds), step.holds, asks(step.holds+time.Second))
		}
	}
	wantCount(t, w, 1, "changes on the trail with what was before", `SELECT count(*) FROM audit_events WHERE deed = 'security.edit' AND outcome = 'done'
		AND detail->>'minutes' = '30' AND detail->>'before' = '15' AND actor_id = $1`, w.Admin.ID)
	must(t, w.Clinic.SecurityEdit(ctx, w.Admin, 15*time.Minute))
	neighbour := w.Neighbour(t)
	g, err := w.Clinic.SecurityShow(ctx, neighbour.Admin)
	if err != nil || g.SignFresh.Set != 0 {
		t.Errorf("the next clinic has %+v %v", g.SignFresh, err)
	}
	d := doctor
	d.SignedInAt = w.Clock.Now().Add(-15 * time.Minute)
	must(t, w.Clinic.ReviewApprove(ctx, d, id, version(t, w, id), nil))
}

// No other time is taken, by whomever, and the database would not take one either.
func TestSecurityEditRefuses(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.SecurityEdit(ctx, w.Admin, time.Hour))
	for _, fresh := range []time.Duration{-1, time.Second, 15*time.Minute - time.Second, 15*time.Minute + time.Second, 12*time.Hour + time.Minute, 1 << 62} {
		err := w.Clinic.SecurityEdit(ctx, w.Admin, fresh)
		wantKind(t, err, clinic.Invalid, fresh.String())
		if clinic.Fields(err)["sign_fresh"] == "" {
			t.Errorf("%s: %v", fresh, clinic.Fields(err))
		}
	}
	for _, minutes := range []int{14, 721} {
		if err := w.Exec(t, "UPDATE clinics SET sign_fresh_minutes = $1", minutes); err == nil {
			t.Errorf("the database takes %d minutes", minutes)
		}
	}
	wantKind(t, w.Clinic.SecurityEdit(ctx, w.Doctor, time.Hour), clinic.Forbidden, "a doctor")
	g, err := w.Clinic.SecurityShow(ctx, w.Admin)
	if err != nil || g.SignFresh.Set != time.Hour {
		t.Errorf("%+v %v", g.SignFresh, err)
	}
}
