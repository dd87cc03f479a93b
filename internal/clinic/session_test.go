package clinic_test

import (
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// person is the identity behind an actor of the World, with an assertion of its own.
func person(a clinic.Actor) clinic.Identity {
	return clinic.Identity{Method: clinic.ByAssertion, Issuer: clinictest.Issuer, Subject: a.Name, Email: a.Email, Name: a.Name, SignedInAt: time.Now().UTC(), TokenHash: sha256.Sum256([]byte(uuid.NewString()))}
}

func TestSessionOneForAnAssertion(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	who := person(w.Doctor)
	cookie, a, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
	must(t, err)
	if a.ID != w.Doctor.ID || a.Role != clinic.Doctor || a.ClinicName != "Riverside Care" || !a.SignedIn() {
		t.Errorf("signed in as %+v", a)
	}
	if strings.Contains(strings.Join(w.Strings(t, "SELECT se::text FROM sessions se"), ""), cookie) {
		t.Error("the cookie itself is stored")
	}
	_, _, err = w.Clinic.SessionOpen(ctx, nobody, who, "")
	wantCode(t, err, "token_used", "the assertion again")
	wantKind(t, err, clinic.Unauthenticated, "the assertion again")
	wantCount(t, w, 1, "refusals", "SELECT count(*) FROM audit_events WHERE deed = 'session.open' AND reason = 'token_used'")
	wantCount(t, w, 1, "sign-ins on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'session.open' AND outcome = 'done'")
	must(t, w.Clinic.SessionEnd(ctx, a, "signed_out"))
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	wantCode(t, err, "ended", "after signing out")
	_, _, err = w.Clinic.SessionOpen(ctx, nobody, who, "")
	wantCode(t, err, "token_used", "the assertion after signing out")
}

func TestSessionClocks(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	open := func() (string, clinic.Identity) {
		who := person(w.Staff)
		cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
		must(t, err)
		return cookie, who
	}
	find := func(cookie string, who clinic.Identity, touch bool) error {
		_, err := w.Clinic.SessionFind(ctx, nobody, cookie, who, touch)
		return err
	}
	cookie, who := open()
	for range 4 { // acts keep it open
		w.Clock.Add(14 * time.Minute)
		must(t, find(cookie, who, true))
	}
	w.Clock.Add(15*time.Minute + time.Second)
	wantCode(t, find(cookie, who, true), "idle", "idle for more than 15 minutes")
	wantCode(t, find(cookie, who, true), "idle", "the reason is the same when asked again, by the page after its own event stream")
	wantCount(t, w, 1, "the end on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'session.end' AND detail->>'reason' = 'idle'")

	cookie, who = open()
	w.Clock.Add(10 * time.Minute)
	must(t, find(cookie, who, false)) // a live stream is no activity
	w.Clock.Add(6 * time.Minute)
	wantCode(t, find(cookie, who, false), "idle", "kept open by polling only")

	cookie, who = open()
	for range 72 {
		w.Clock.Add(10 * time.Minute)
		must(t, find(cookie, who, true))
	}
	w.Clock.Add(time.Minute)
	wantCode(t, find(cookie, who, true), "absolute", "12 hours after sign-in")
}

func TestSessionBelongsToItsPerson(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	who := person(w.Staff)
	cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
	must(t, err)
	for name, id := range map[string]clinic.Identity{"another person": person(w.Doctor), "another issuer": {Method: clinic.ByAssertion, Issuer: "http://else.test", Subject: who.Subject}} {
		_, err := w.Clinic.SessionFind(ctx, nobody, cookie, id, true)
		wantCode(t, err, "mismatch", name)
	}
	wantCount(t, w, 2, "mismatches on the trail", "SELECT count(*) FROM audit_events WHERE reason = 'mismatch'")
	for _, c := range []string{"", "no-such-cookie"} {
		_, err := w.Clinic.SessionFind(ctx, nobody, c, who, true)
		wantCode(t, err, "none", "no cookie")
	}
	// A changed role ends the sessions at once.
	_, err = w.Clinic.StaffPut(ctx, w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: clinictest.Issuer, Subject: w.Staff.Name, Name: w.Staff.Name, Email: "x@y.example", Role: clinic.Staff})
	must(t, err)
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	must(t, err)
	_, err = w.Clinic.StaffPut(ctx, w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: clinictest.Issuer, Subject: w.Staff.Name, Name: w.Staff.Name, Email: "x@y.example", Role: clinic.Ops})
	must(t, err)
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	wantCode(t, err, "ended", "after the role changed")
}

func TestSessionOfAnUnknownPersonHasNoRole(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	who := clinic.Identity{Method: clinic.ByAssertion, Issuer: clinictest.Issuer, Subject: "casey", Email: "casey@elsewhere.example", Name: "Casey Stranger"}
	errs := together(4, func(i int) error { // four tabs at the first sign-in
		id := who
		id.TokenHash[0] = byte(i + 1)
		cookie, a, err := w.Clinic.SessionOpen(ctx, nobody, id, "")
		if err != nil {
			return err
		}
		if a.Role != clinic.RoleNobody || a.SignedIn() || a.Can(clinic.PatientList) {
			t.Errorf("a stranger is %+v", a)
		}
		_, err = w.Clinic.SessionFind(ctx, nobody, cookie, id, true)
		return err
	})
	for _, err := range errs {
		must(t, err)
	}
	wantCount(t, w, 1, "rows for the stranger", "SELECT count(*) FROM staff WHERE subject = 'casey' AND role IS NULL")
}
