package clinic_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// byCode is a person whom an OpenID provider saw a while ago.
func byCode(w *clinictest.World, a clinic.Actor, ago time.Duration) clinic.Identity {
	who := person(a)
	who.Method, who.SignedInAt, who.TokenHash = clinic.ByCode, w.Clock.Now().Add(-ago), sha256.Sum256([]byte(uuid.NewString()))
	return who
}

// With an OpenID provider the cookie vouches after the sign-in, for sessions that were opened that way and by this
// provider, and for no others.
func TestSessionByCode(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	cookie, a, err := w.Clinic.SessionOpen(ctx, nobody, byCode(w, w.Doctor, time.Minute), "")
	must(t, err)
	now := clinic.Identity{Method: clinic.ByCode, Issuer: clinictest.Issuer}
	found, err := w.Clinic.SessionFind(ctx, nobody, cookie, now, true)
	must(t, err)
	if found.ID != w.Doctor.ID || found.SessionID != a.SessionID || !found.SignedInAt.Equal(w.Clock.Now().Add(-time.Minute)) {
		t.Errorf("found %+v", found)
	}
	asserted := signIn(t, w, w.Staff)
	for name, c := range map[string]struct {
		cookie string
		id     clinic.Identity
	}{
		"another provider":                     {cookie, clinic.Identity{Method: clinic.ByCode, Issuer: "http://else.test"}},
		"an assertion for a session by code":   {cookie, person(w.Doctor)},
		"nothing for a session by code":        {cookie, clinic.Identity{}},
		"a session by assertion, by code only": {asserted.cookie, now},
		"a session by assertion, with nothing": {asserted.cookie, clinic.Identity{Issuer: clinictest.Issuer}},
	} {
		_, err := w.Clinic.SessionFind(ctx, nobody, c.cookie, c.id, true)
		wantCode(t, err, "mismatch", name)
	}
	_, _, err = w.Clinic.SessionOpen(ctx, nobody, clinic.Identity{Issuer: clinictest.Issuer, Subject: w.Doctor.Name}, "")
	if err == nil {
		t.Error("a session was opened in no way that is known")
	}
}

// A provider that remembers people must not undo the end of a session: who left it idle, ended it or lost it has to be
// asked anew before another is opened.
func TestSessionByCodeIsNotOpenedAgainByMemory(t *testing.T) {
	t.Parallel()
	ends := map[string]func(w *clinictest.World, a clinic.Actor){
		"signed out": func(w *clinictest.World, a clinic.Actor) { must(t, w.Clinic.SessionEnd(ctx, a, "signed_out")) },
		"ended by an admin": func(w *clinictest.World, a clinic.Actor) {
			admin := w.Admin
			must(t, w.Clinic.SessionEndAny(ctx, admin, a.SessionID))
		},
		"idle, unnoticed": func(w *clinictest.World, _ clinic.Actor) { w.Clock.Add(16 * time.Minute) },
	}
	for name, end := range ends {
		w := clinictest.New(t)
		seen := w.Clock.Now()
		remembered := func() clinic.Identity {
			who := byCode(w, w.Staff, 0)
			who.SignedInAt = seen
			return who
		}
		w.Clock.Add(time.Minute)
		_, first, err := w.Clinic.SessionOpen(ctx, nobody, remembered(), "")
		must(t, err)
		_, _, err = w.Clinic.SessionOpen(ctx, nobody, remembered(), "") // another browser of theirs, while all is open
		must(t, err)
		w.Clock.Add(time.Minute)
		end(w, first)
		_, _, err = w.Clinic.SessionOpen(ctx, nobody, remembered(), "")
		wantCode(t, err, "sign_in_anew", name)
		wantKind(t, err, clinic.Unauthenticated, name)
		wantCount(t, w, 1, "refusals on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'session.open' AND reason = 'sign_in_anew' AND actor_id = $1", w.Staff.ID)
		anew := remembered() // a provider whose clock is behind says an earlier time even so
		anew.Anew = true
		if _, _, err = w.Clinic.SessionOpen(ctx, nobody, anew, ""); err != nil {
			t.Errorf("%s, asked anew: %v", name, err)
		}
		later := byCode(w, w.Staff, 0)
		w.Clock.Add(time.Minute)
		if _, _, err = w.Clinic.SessionOpen(ctx, nobody, later, ""); err != nil {
			t.Errorf("%s, seen since: %v", name, err)
		}
		if _, _, err = w.Clinic.SessionOpen(ctx, nobody, byCode(w, w.Doctor, 3*time.Hour), ""); err != nil {
			t.Errorf("%s: somebody else: %v", name, err)
		}
	}
}

// Who signs must have signed in within the clinic's time, whatever else is in order, and nothing else asks for it.
func TestApproveAsksForAFreshSignIn(t *testing.T) {
	t.Parallel()
	for name, fresh := range map[string]time.Duration{"unless told otherwise": 0, "an hour": time.Hour} {
		w := clinictest.New(t, func(c *clinic.Config) { c.SignFresh = fresh })
		limit := fresh
		if limit == 0 {
			limit = 4 * time.Hour
		}
		id := w.Submitted(t, w.Patient, "email")
		doctor := signIn(t, w, w.Doctor).actor
		w.Answer(t, doctor, id)
		if v, err := w.Clinic.ReviewShow(ctx, doctor, id); err != nil || v.SignInAgain {
			t.Errorf("%s: at once the panel asks: %v %v", name, v.SignInAgain, err)
		}
		w.Clock.Add(limit + time.Second)
		text := clinictest.Letter + "\n\nWe are glad that you asked."
		for _, edited := range []*string{nil, &text} {
			err := w.Clinic.ReviewApprove(ctx, doctor, id, version(t, w, id), edited)
			wantCode(t, err, clinic.SignInAgain, name)
			wantKind(t, err, clinic.Forbidden, name)
		}
		v, err := w.Clinic.ReviewShow(ctx, doctor, id)
		if err != nil || !v.SignInAgain || !v.CanApprove || v.Open != 0 {
			t.Errorf("%s: the panel: %+v %v", name, v.SignInAgain, err)
		}
		wantCount(t, w, 2, "refusals on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'review.approve' AND reason = $1", clinic.SignInAgain)
		again := doctor
		again.SignedInAt = w.Clock.Now().Add(-limit)
		must(t, w.Clinic.ReviewApprove(ctx, again, id, version(t, w, id), &text))
	}
}
