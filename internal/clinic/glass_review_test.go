package clinic_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Limits are rows in Postgres: ten look-ups an hour that find nobody, twenty patients a day, per person; of many requests
// at once none slips through.
func TestGlassLimits(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	errs := together(14, func(i int) error { return ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN(fmt.Sprint("999", i)))) })
	missed := 0
	for _, err := range errs {
		if clinic.KindOf(err) == clinic.Invalid {
			missed++
		} else {
			wantCode(t, err, "glass_tries", "one look too many")
		}
	}
	if missed != 10 {
		t.Errorf("%d look-ups were allowed in an hour", missed)
	}
	wantCode(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))), "glass_tries", "a good one, too many bad ones before it")
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Staff2, byMRN("20441")))) // the others are not held up
	wantCount(t, w, 5, "refusals on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'glass.break' AND outcome = 'refused' AND reason = 'glass_tries'")
	w.Clock.Add(time.Hour)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	for i := range 20 {
		mrn := fmt.Sprintf("5%04d", i)
		w.AddPatient(t, w.Staff, "Ada Brook", "1980-02-03", mrn)
		err := ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN(mrn)))
		if i < 19 {
			must(t, err)
		} else {
			wantCode(t, err, "glass_day", "the 21st patient of a day")
		}
	}
	w.Clock.Add(24 * time.Hour)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("50019"))))
}

// The review list: every break-glass with reason and how much was read; an administrator reviews it once, with a note.
func TestGlassReview(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byName("Rosa Delgado", "1967-05-30"))))
	_, err := w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	must(t, err)
	w.Clock.Add(time.Minute)
	_, err = w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	must(t, err)
	page, err := w.Clinic.GlassList(ctx, w.Admin, false, "")
	must(t, err)
	if len(page.Rows) != 1 {
		t.Fatalf("the list has %d rows", len(page.Rows))
	}
	r := page.Rows[0]
	if r.By.ID != w.Doctor2.ID || r.PatientID != w.Patient || r.Reason.Reveal() != why || r.ByMRN || !r.Running || !r.CanReview || r.Looks != 2 {
		t.Errorf("the entry: %+v", r)
	}
	if waiting := banners(t, w, w.Admin).GlassWaiting; waiting != 1 {
		t.Errorf("%d wait", waiting)
	}
	if other, err := w.Clinic.GlassList(ctx, n.Admin, false, ""); len(other.Rows) != 0 || err != nil {
		t.Error("next door sees it", err)
	}
	wantKind(t, w.Clinic.GlassReview(ctx, n.Admin, r.ID, "Fine."), clinic.NotFound, "reviewed from next door")
	wantKind(t, w.Clinic.GlassReview(ctx, w.Admin, r.ID, "  "), clinic.Invalid, "without a note")
	must(t, w.Clinic.GlassReview(ctx, w.Admin, r.ID, "Called the ward: it was an emergency."))
	wantCode(t, w.Clinic.GlassReview(ctx, w.Admin, r.ID, "Again."), "reviewed", "reviewed twice")
	wantCount(t, w, 1, "the review on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'glass.review' AND outcome = 'done' AND subject_id = $1 AND patient_id = $2", r.ID, w.Patient)
	wantCount(t, w, 0, "the note on the trail", "SELECT count(*) FROM audit_events e WHERE e::text LIKE '%Called the ward%'")
	page, err = w.Clinic.GlassList(ctx, w.Admin, false, "")
	must(t, err)
	done, err := w.Clinic.GlassList(ctx, w.Admin, true, "")
	must(t, err)
	if len(page.Rows) != 0 || len(done.Rows) != 1 || done.Rows[0].Note.Reveal() != "Called the ward: it was an emergency." || done.Rows[0].Reviewer != "Ruth Ebbing" || done.Rows[0].CanReview {
		t.Errorf("after the review: %d open, %+v", len(page.Rows), done.Rows)
	}
}

// Who was a doctor yesterday does not review what they did then.
func TestGlassReviewIsNotOnesOwn(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	must(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Doctor2.ID, clinic.Admin))
	me := w.Doctor2
	me.Role = clinic.Admin
	page, err := w.Clinic.GlassList(ctx, me, false, "")
	must(t, err)
	if page.Rows[0].CanReview {
		t.Error("it is offered")
	}
	err = w.Clinic.GlassReview(ctx, me, page.Rows[0].ID, "I looked at myself.")
	wantCode(t, err, "own", "one's own")
	wantKind(t, err, clinic.Forbidden, "one's own")
}

// People and roles by an administrator: a new role holds at once, and nobody takes their own.
func TestStaffAssign(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	who := person(w.Staff)
	cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
	must(t, err)
	must(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Staff.ID, clinic.Staff))
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	must(t, err) // the same role changes nothing
	must(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Staff.ID, clinic.Reviewer))
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	wantCode(t, err, "ended", "the session of the old role")
	wantCount(t, w, 1, "the change on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'staff.assign' AND subject_id = $1 AND detail->>'role' = 'reviewer' AND detail->>'before' = 'staff'", w.Staff.ID)
	must(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Staff.ID, clinic.RoleNobody))
	wantCount(t, w, 1, "people without a role", "SELECT count(*) FROM staff WHERE id = $1 AND role IS NULL", w.Staff.ID)
	wantKind(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Staff.ID, "worker"), clinic.Invalid, "a machine's role")
	wantCode(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Admin.ID, clinic.Doctor), "own", "one's own role")
	wantCode(t, w.Clinic.StaffDisable(ctx, w.Admin, w.Admin.ID), "own", "oneself")
	for _, id := range []uuid.UUID{n.Staff.ID, uuid.Must(uuid.NewV7())} {
		wantKind(t, w.Clinic.StaffAssign(ctx, w.Admin, id, clinic.Admin), clinic.NotFound, "somebody who is not of this clinic")
		wantKind(t, w.Clinic.StaffDisable(ctx, w.Admin, id), clinic.NotFound, "somebody who is not of this clinic")
	}
}

// A doctor's settings: their own to change, an administrator's to see, and nobody else's.
func TestSettingsOfOthers(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	v, err := w.Clinic.SettingsShow(ctx, w.Admin, w.Doctor.ID)
	must(t, err)
	if v.Doctor.Name != "Dr Amara Osei" || v.Settings.Tone == "" {
		t.Errorf("an administrator sees %+v", v)
	}
	wantKind(t, w.Clinic.SettingsEdit(ctx, w.Admin, v.Settings), clinic.Forbidden, "an administrator's change")
	for name, err := range map[string]error{
		"a doctor at another's":     settingsOf(w, w.Doctor2, w.Doctor.ID),
		"an administrator at staff": settingsOf(w, w.Admin, w.Staff.ID),
		"next door":                 settingsOf(w, n.Admin, w.Doctor.ID),
	} {
		wantKind(t, err, clinic.NotFound, name)
	}
}

func settingsOf(w *clinictest.World, a clinic.Actor, doctor uuid.UUID) error {
	_, err := w.Clinic.SettingsShow(ctx, a, doctor)
	return err
}
