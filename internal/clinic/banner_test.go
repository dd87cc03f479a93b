package clinic_test

import (
	"fmt"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func banners(t *testing.T, w *clinictest.World, a clinic.Actor) clinic.Banners {
	t.Helper()
	b, err := w.Clinic.BannersSee(ctx, a)
	must(t, err)
	return b
}

// What every page says is one round trip, whoever looks, and of each part only what the policy lets them know.
func TestBannersAreOneTrip(t *testing.T) {
	t.Parallel()
	var n trips
	w := clinictest.New(t, func(c *clinic.Config) { c.Tracer = &n })
	near := w.Neighbour(t)
	w.Submitted(t, w.Patient, "email")
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	hold(t, w, 7)
	evaluate(t, w, 1) // that, which is everybody's, and the emergency access, which is one clinic's
	w.Clock.Add(1)
	for _, who := range []struct {
		a         clinic.Actor
		questions int
		want      clinic.Banners
	}{
		{w.Admin, 4, clinic.Banners{GlassWaiting: 1, Alerts: 2}}, {w.Ops, 2, clinic.Banners{Alerts: 2}}, {w.Auditor, 1, clinic.Banners{}},
		{w.Doctor, 3, clinic.Banners{Waiting: 1}}, {w.Staff, 3, clinic.Banners{}}, {near.Admin, 4, clinic.Banners{Alerts: 1}}, {near.Doctor, 3, clinic.Banners{}},
		{clinic.Nobody("", "", ""), 1, clinic.Banners{}},
	} {
		n.all = nil
		got := banners(t, w, who.a)
		if len(n.all) != 1 || n.all[0] != fmt.Sprintf("%d together", who.questions) {
			t.Errorf("%s: %q", who.a.Role, n.all)
		}
		if got.Stopped == nil || got.Stopped.Witnessed != 7 {
			t.Errorf("%s is not told that nothing is sent", who.a.Role)
		}
		if got.Waiting != who.want.Waiting || got.GlassWaiting != who.want.GlassWaiting || got.AccessWaiting != 0 || got.Alerts != who.want.Alerts || len(got.Glass) != 0 {
			t.Errorf("%s is told %+v", who.a.Role, got)
		}
	}
	if open := banners(t, w, w.Doctor2).Glass; len(open) != 1 || open[0].Name.Reveal() != "Rosa Delgado" {
		t.Errorf("who has somebody open is told %v", open)
	}
	w.LoseKey(t, w.Patient)
	if got, _ := w.Clinic.BannersSee(ctx, w.Doctor2); got.Stopped == nil {
		t.Error("a key that is lost takes the other banners with it")
	}
}
