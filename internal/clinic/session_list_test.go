package clinic_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// signedIn is a person at a browser of their own.
type signedIn struct {
	t      testing.TB
	w      *clinictest.World
	who    clinic.Identity
	cookie string
	actor  clinic.Actor
}

func signIn(t testing.TB, w *clinictest.World, a clinic.Actor) *signedIn {
	t.Helper()
	who := person(a)
	who.SignedInAt = w.Clock.Now()
	s := &signedIn{t: t, w: w, who: who}
	from := clinic.Nobody("192.0.2.44", "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "request")
	var err error
	s.cookie, s.actor, err = w.Clinic.SessionOpen(ctx, from, who, "")
	must(t, err)
	return s
}

// code is what the next request is told: "" when it is let in.
func (s *signedIn) code() string {
	s.t.Helper()
	_, err := s.w.Clinic.SessionFind(ctx, nobody, s.cookie, s.who, true)
	if err == nil {
		return ""
	}
	return clinic.Code(err)
}

func TestSessionListAndEndOwn(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	here, there, third, other := signIn(t, w, w.Staff), signIn(t, w, w.Staff), signIn(t, w, w.Staff), signIn(t, w, w.Doctor)
	idle := signIn(t, w, w.Staff)
	w.Clock.Add(10 * time.Minute)
	for _, s := range []*signedIn{here, there, third, other} {
		if c := s.code(); c != "" {
			t.Fatal(c)
		}
	}
	w.Clock.Add(6 * time.Minute) // one has lain idle, and nobody has noticed yet
	rows, err := w.Clinic.SessionList(ctx, here.actor)
	must(t, err)
	if len(rows) != 3 || slices.ContainsFunc(rows, func(r clinic.SessionRow) bool { return r.ID == idle.actor.SessionID || !r.Yours }) {
		t.Errorf("own sign-ins: %+v", rows)
	}
	for _, r := range rows {
		if r.IP != "192.0.2.44" || r.Agent == "" || r.Since.IsZero() || !r.Last.After(r.Since) || r.Current != (r.ID == here.actor.SessionID) {
			t.Errorf("row %+v", r)
		}
	}
	for name, id := range map[string]uuid.UUID{"a colleague's": other.actor.SessionID, "none at all": uuid.Must(uuid.NewV7())} {
		wantKind(t, w.Clinic.SessionEndOther(ctx, here.actor, id), clinic.NotFound, name)
	}
	wantKind(t, w.Clinic.SessionEndAny(ctx, n.Doctor, here.actor.SessionID), clinic.Forbidden, "by a doctor")
	must(t, w.Clinic.SessionEndOther(ctx, here.actor, there.actor.SessionID))
	must(t, w.Clinic.SessionEndOther(ctx, here.actor, there.actor.SessionID)) // twice is once
	if got := []string{here.code(), there.code(), third.code(), other.code()}; !slices.Equal(got, []string{"", "ended", "", ""}) {
		t.Errorf("after one was ended: %q", got)
	}
	wantCount(t, w, 1, "events", "SELECT count(*) FROM audit_events WHERE deed = 'session.end-other' AND outcome = 'done' AND subject_id = $1", there.actor.SessionID)
	if !slices.Contains(w.Names(), "session-"+there.actor.SessionID.String()) {
		t.Error("its open pages are not told")
	}
	ended, err := w.Clinic.SessionEndOthers(ctx, here.actor)
	must(t, err)
	if got := []string{here.code(), third.code(), other.code()}; ended != 2 || !slices.Equal(got, []string{"", "ended", ""}) {
		t.Errorf("after all others were ended (%d, one of them idle): %q", ended, got)
	}
}

func TestSessionListAndEndByAdmin(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	staff, doctor := signIn(t, w, w.Staff), signIn(t, w, w.Doctor)
	admin, stranger := signIn(t, w, w.Admin), n.Admin
	page, err := w.Clinic.SessionListAll(ctx, admin.actor, uuid.Nil, "")
	must(t, err)
	if len(page.Rows) != 3 || page.Next != "" || page.Rows[0].Person.Name != "Ruth Ebbing" {
		t.Errorf("everybody's sign-ins: %+v", page)
	}
	page, err = w.Clinic.SessionListAll(ctx, admin.actor, w.Staff.ID, "")
	must(t, err)
	if len(page.Rows) != 1 || page.Rows[0].ID != staff.actor.SessionID || page.Rows[0].Yours {
		t.Errorf("one person's: %+v", page)
	}
	page, err = w.Clinic.SessionListAll(ctx, stranger, uuid.Nil, "")
	must(t, err)
	if len(page.Rows) != 0 {
		t.Errorf("another clinic's admin sees %+v", page)
	}
	wantKind(t, w.Clinic.SessionEndAny(ctx, stranger, staff.actor.SessionID), clinic.NotFound, "by another clinic's admin")
	must(t, w.Clinic.SessionEndAny(ctx, admin.actor, staff.actor.SessionID))
	if got := []string{staff.code(), doctor.code(), admin.code()}; !slices.Equal(got, []string{"ended", "", ""}) {
		t.Errorf("after one was ended: %q", got)
	}
	wantCount(t, w, 1, "events that say whose", "SELECT count(*) FROM audit_events WHERE deed = 'session.end-any' AND outcome = 'done' AND detail->>'staff' = $1", w.Staff.ID.String())
}

func TestSessionListPages(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	admin := signIn(t, w, w.Admin)
	for range 54 {
		signIn(t, w, w.Staff) // all at one moment of the World's clock
	}
	seen := map[uuid.UUID]bool{}
	for after, pages := "", 0; pages == 0 || after != ""; pages++ {
		page, err := w.Clinic.SessionListAll(ctx, admin.actor, uuid.Nil, after)
		must(t, err)
		for _, r := range page.Rows {
			if seen[r.ID] {
				t.Errorf("%s stands on two pages", r.ID)
			}
			seen[r.ID] = true
		}
		if after = page.Next; pages > 3 {
			t.Fatal("the pages do not end")
		}
	}
	if len(seen) != 55 {
		t.Errorf("%d of 55 sign-ins are listed", len(seen))
	}
	if page, err := w.Clinic.SessionListAll(ctx, admin.actor, uuid.Nil, "bm9uc2Vuc2U"); err != nil || len(page.Rows) != 50 {
		t.Errorf("a cursor of rubbish: %d rows, %v", len(page.Rows), err)
	}
}

// A new sign-in gives a new secret and ends the session that the browser had; the old cookie is worth nothing.
func TestSessionReplacesTheOneBefore(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	first := signIn(t, w, w.Doctor)
	who := person(w.Doctor)
	cookie, actor, err := w.Clinic.SessionOpen(ctx, nobody, who, first.cookie)
	must(t, err)
	if first.code() != "ended" || cookie == first.cookie || actor.SessionID == first.actor.SessionID {
		t.Errorf("the session before is %q", first.code())
	}
	wantCount(t, w, 1, "the trail says which", "SELECT count(*) FROM audit_events WHERE deed = 'session.open' AND subject_id = $1 AND detail->>'replaced' = $2",
		actor.SessionID, first.actor.SessionID.String())
	if _, err := w.Clinic.SessionFind(ctx, nobody, cookie, who, true); err != nil {
		t.Error(err)
	}
}
