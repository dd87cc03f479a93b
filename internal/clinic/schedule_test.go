package clinic_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func chicago(t testing.TB) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("America/Chicago") // where the World's clinic is
	must(t, err)
	return zone
}

// in is a time some way ahead, as it is typed on the clinic's clock.
func in(t testing.TB, w *clinictest.World, d time.Duration) (typed string, at time.Time) {
	t.Helper()
	at = w.Clock.Now().Add(d).Truncate(time.Minute)
	return at.In(chicago(t)).Format("2006-01-02T15:04"), at
}

// A time in the brief is kept by the signature: the notice is due then, is given up so long after then, and its link lasts
// from then.
func TestMessageScheduleFromTheBrief(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	f := w.Brief(w.Patient, "email")
	typed, at := in(t, w, 20*24*time.Hour)
	f.SendAt = typed
	id := ready(t, w, f)
	page, err := w.Clinic.BriefShow(ctx, w.Staff, id)
	must(t, err)
	if page.Form.SendAt != typed || page.Zone != "America/Chicago" {
		t.Errorf("the form shows %q in %s", page.Form.SendAt, page.Zone)
	}
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff, id, version(t, w, id)))
	w.Answer(t, w.Doctor, id)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, version(t, w, id), nil))
	wantCount(t, w, 1, "due then, given up 72 h later", "SELECT count(*) FROM deliveries WHERE message_id = $1 AND next_attempt_at = $2 AND not_after = $2::timestamptz + interval '72 h'", id, at)
	wantCount(t, w, 1, "its link lasts from then", "SELECT count(*) FROM pages WHERE message_id = $1 AND expires_at = $2::timestamptz + interval '7 days'", id, at)
	if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 0 {
		t.Errorf("due already: %v %v", due, err)
	}
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, id)
	must(t, err)
	if d := v.Deliveries[0]; !v.CanUndo || !v.UndoUntil.Equal(at) || d.NextAt == nil || !d.NextAt.Equal(at) || !v.CanSchedule {
		t.Errorf("the page: undo %v until %s, %+v", v.CanUndo, v.UndoUntil, d)
	}
	w.Clock.Add(20*24*time.Hour + 71*time.Hour)
	claimed(t, w, id)
}

// What cannot be is said beside the field, and nothing else of the form is lost.
func TestMessageScheduleRefusesTimes(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := w.Submitted(t, w.Patient, "email")
	passed, _ := in(t, w, -time.Hour)
	tooFar, _ := in(t, w, 60*24*time.Hour+2*time.Minute)
	for typed, words := range map[string]string{passed: "has passed", tooFar: "too far", "soon": "a day and a time", "2026-02-30T09:00": "a day and a time"} {
		err := w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: version(t, w, id), SendAt: typed})
		wantKind(t, err, clinic.Invalid, typed)
		if got := clinic.Fields(err)["send_at"]; !strings.Contains(got, words) {
			t.Errorf("%s: %q", typed, got)
		}
		f := w.Brief(w.Patient, "email")
		f.SendAt = typed
		_, err = w.Clinic.BriefCreate(ctx, w.Staff, f)
		if got := clinic.Fields(err)["send_at"]; !strings.Contains(got, words) {
			t.Errorf("a brief for %s: %q", typed, got)
		}
	}
	wantCount(t, w, 0, "schedules", "SELECT count(*) FROM messages WHERE send_at IS NOT NULL")
}

// The hour that a spring night leaves out is no time; the clinic's zone counts, not the server's.
func TestMessageScheduleKnowsTheClock(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Clock.Add(time.Date(2027, 3, 10, 12, 0, 0, 0, time.UTC).Sub(w.Clock.Now()))
	id := w.Submitted(t, w.Patient, "email")
	err := w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: version(t, w, id), SendAt: "2027-03-14T02:30"})
	if got := clinic.Fields(err)["send_at"]; !strings.Contains(got, "clocks change") {
		t.Errorf("an hour that is not there: %v %q", err, got)
	}
	for typed, utc := range map[string]string{"2027-03-13 09:00": "2027-03-13 15:00:00+00", "2027-03-14T09:00": "2027-03-14 14:00:00+00"} {
		now := w.Strings(t, "SELECT coalesce(to_char(send_at AT TIME ZONE 'America/Chicago', 'YYYY-MM-DD\"T\"HH24:MI'), '') FROM messages WHERE id = $1", id)[0]
		must(t, w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: version(t, w, id), Seen: now, SendAt: typed}))
		wantCount(t, w, 1, typed, "SELECT count(*) FROM messages WHERE id = $1 AND send_at = $2::text::timestamptz", id, utc)
	}
}

// Who may: until the signature who wrote the brief, afterwards who signed it, and a doctor of the care team always.
func TestMessageScheduleRules(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, w.Doctor2.ID))
	typed, _ := in(t, w, 48*time.Hour)
	open, signed := w.Submitted(t, w.Patient, "email"), w.Approved(t, w.Patient, "email")
	for _, tc := range []struct {
		who     clinic.Actor
		message uuid.UUID
		may     bool
	}{{w.Staff, open, true}, {w.Staff2, open, false}, {w.Reviewer, open, false}, {w.Doctor, open, true}, {w.Doctor2, open, true},
		{w.Staff, signed, false}, {w.Reviewer, signed, false}, {w.Doctor, signed, true}, {w.Doctor2, signed, true}} {
		v, err := w.Clinic.MessageShow(ctx, tc.who, tc.message)
		must(t, err)
		if v.CanSchedule != tc.may {
			t.Errorf("the page of %s says %v", tc.who.Name, v.CanSchedule)
		}
		seen := ""
		if v.Message.SendAt != nil {
			seen = typed
		}
		err = w.Clinic.MessageSchedule(ctx, tc.who, tc.message, clinic.ScheduleForm{Version: v.Message.Version, Seen: seen, SendAt: typed})
		if tc.may {
			must(t, err)
			continue
		}
		wantCode(t, err, "own", tc.who.Name)
	}
}

// After the signature the time may change until the notice is tried: the signature holds, and "now" is at once. Who had
// another time before them is told.
func TestMessageScheduleAfterSigning(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.UndoWindow(t, 30)
	id := w.Approved(t, w.Patient, "sms")
	v := version(t, w, id)
	typed, at := in(t, w, 48*time.Hour)
	must(t, w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: v, SendAt: typed}))
	wantCount(t, w, v, "its version", "SELECT version FROM messages WHERE id = $1", id)
	wantCount(t, w, 1, "the notice", "SELECT count(*) FROM deliveries WHERE message_id = $1 AND next_attempt_at = $2 AND not_after = $2::timestamptz + interval '72 h' AND rev = 1", id, at)
	wantCount(t, w, 1, "the page", "SELECT count(*) FROM pages WHERE message_id = $1 AND expires_at = $2::timestamptz + interval '7 days'", id, at)
	wantStep(t, w, id, "To go out not before "+at.In(chicago(t)).Format("Mon 2 Jan, 15:04"), "Dr Amara Osei")
	wantCode(t, w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: v}), "moved_on", "from a page that did not show it")
	must(t, w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: v, Seen: typed}))
	w.Clock.Add(29 * time.Second)
	notClaimed(t, w, deliveryOf(t, w, id)) // the time to undo stays
	w.Clock.Add(time.Second)
	if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 1 {
		t.Errorf("not due: %v %v", due, err)
	}
	claimed(t, w, id)
	wantCode(t, w.Clinic.MessageSchedule(ctx, w.Doctor, id, clinic.ScheduleForm{Version: v, SendAt: typed}), "too_late", "after the claim")

	w.UndoWindow(t, 0)
	other := w.Approved(t, w.Patient, "sms")
	must(t, w.Clinic.MessageSchedule(ctx, w.Doctor, other, clinic.ScheduleForm{Version: version(t, w, other), SendAt: typed}))
	nudged := len(w.Dues())
	must(t, w.Clinic.MessageSchedule(ctx, w.Doctor, other, clinic.ScheduleForm{Version: version(t, w, other), Seen: typed}))
	if len(w.Dues()) != nudged+1 {
		t.Error("what goes now is not told to the queue")
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, other), "twilio", outcome(clinic.OutcomeNotSent, "dns")))
	wantCode(t, w.Clinic.MessageSchedule(ctx, w.Doctor, other, clinic.ScheduleForm{Version: version(t, w, other), SendAt: typed}), "too_late", "what was tried")
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, other, version(t, w, other)))
	wantCode(t, w.Clinic.MessageSchedule(ctx, w.Doctor, other, clinic.ScheduleForm{Version: version(t, w, other), SendAt: typed}), "withdrawn", "what was withdrawn")
}

// The race with the claim has one winner: either it goes now, and who put it off is told, or it waits.
func TestMessageScheduleRacesTheClaim(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	typed, _ := in(t, w, 48*time.Hour)
	for range 10 {
		message := w.Approved(t, w.Patient, "email")
		id, v := deliveryOf(t, w, message), version(t, w, message)
		var parcel *clinic.Parcel
		errs := together(2, func(i int) (err error) {
			if i == 0 {
				return w.Clinic.MessageSchedule(ctx, w.Doctor, message, clinic.ScheduleForm{Version: v, SendAt: typed})
			}
			parcel, err = w.Clinic.DeliveryClaim(ctx, worker, id)
			return err
		})
		must(t, errs[1])
		if (errs[0] == nil) == (parcel != nil) {
			t.Fatalf("put off: %v, claimed: %v", errs[0], parcel != nil)
		}
		if errs[0] != nil {
			wantCode(t, errs[0], "too_late", "who lost")
			wantCount(t, w, 0, "a time that means nothing", "SELECT count(*) FROM messages WHERE id = $1 AND send_at IS NOT NULL", message)
		}
	}
}
