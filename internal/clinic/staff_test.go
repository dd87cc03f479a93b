package clinic_test

import (
	"slices"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestStaffDisableEndsSessionsAtOnce(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	who := person(w.Staff)
	cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
	must(t, err)
	wantKind(t, w.Clinic.StaffDisable(ctx, n.Operator, w.Staff.ID), clinic.NotFound, "by the operator of another clinic")
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	must(t, err)
	must(t, w.Clinic.StaffDisable(ctx, w.Operator, w.Staff.ID))
	must(t, w.Clinic.StaffDisable(ctx, w.Operator, w.Staff.ID)) // twice is once
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	wantCode(t, err, "ended", "the session of who was switched off")
	wantCount(t, w, 1, "the session's own end", "SELECT count(*) FROM sessions WHERE staff_id = $1 AND end_reason = 'disabled'", w.Staff.ID)
	if ended := w.Strings(t, "SELECT 'session-' || id FROM sessions WHERE staff_id = $1", w.Staff.ID)[0]; !slices.Contains(w.Names(), ended) {
		t.Error("its open pages are not told")
	}
	wantCount(t, w, 1, "events", "SELECT count(*) FROM audit_events WHERE deed = 'staff.disable' AND outcome = 'done' AND subject_id = $1", w.Staff.ID)
	people, err := w.Clinic.StaffList(ctx, w.Operator)
	must(t, err)
	off := 0
	for _, p := range people {
		if p.Disabled {
			off++
		}
	}
	if len(people) != 8 || off != 1 {
		t.Errorf("%d people, %d of them switched off", len(people), off)
	}
}

// Who is switched on again is who they were: role and patients. What was ended stays ended, and nobody switches themselves on.
func TestStaffEnable(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n, who := w.Neighbour(t), person(w.Staff)
	cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, who, "")
	must(t, err)
	other, err := w.Clinic.PatientCreate(ctx, w.Doctor2, clinic.PatientForm{Name: "Ada Winter", BirthDate: "1950-01-02", MRN: "80001", Language: "en"})
	must(t, err)
	_, err = w.Clinic.GlassBreak(ctx, w.Staff, clinic.GlassForm{MRN: "80001", Reason: "Collapsed in the waiting room."})
	must(t, err)
	must(t, w.Clinic.StaffDisable(ctx, w.Admin, w.Staff.ID))
	again := person(w.Staff)
	_, _, err = w.Clinic.SessionOpen(ctx, nobody, again, "")
	wantCode(t, err, "disabled", "signing in while switched off")
	wantCode(t, w.Clinic.StaffEnable(ctx, w.Admin, w.Admin.ID), "own", "oneself")
	wantKind(t, w.Clinic.StaffEnable(ctx, n.Operator, w.Staff.ID), clinic.NotFound, "by the operator of another clinic")
	_, _, err = w.Clinic.SessionOpen(ctx, nobody, again, "")
	wantCode(t, err, "disabled", "after that")
	must(t, w.Clinic.StaffEnable(ctx, w.Admin, w.Staff.ID))
	must(t, w.Clinic.StaffEnable(ctx, w.Admin, w.Staff.ID)) // twice is once
	wantCount(t, w, 1, "events", "SELECT count(*) FROM audit_events WHERE deed = 'staff.enable' AND outcome = 'done' AND subject_id = $1 AND detail->>'role' = 'staff'", w.Staff.ID)
	_, err = w.Clinic.SessionFind(ctx, nobody, cookie, who, true)
	wantCode(t, err, "ended", "the session from before")
	_, a, err := w.Clinic.SessionOpen(ctx, nobody, again, "")
	must(t, err)
	if a.ID != w.Staff.ID || a.Role != clinic.Staff {
		t.Errorf("signed in as %+v", a)
	}
	_, err = w.Clinic.PatientShow(ctx, a, w.Patient)
	must(t, err)
	_, err = w.Clinic.PatientShow(ctx, a, other)
	wantKind(t, err, clinic.NotFound, "the emergency access from before")
}

func TestClinicCreate(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	good := clinic.ClinicForm{ID: uuid.Must(uuid.NewV7()), Name: "Hilltop", NoticeName: "Hilltop", Phone: "+1 415 555 0190", Emergency: "911", Zone: "Europe/Madrid", UndoSeconds: 120}
	must(t, w.Clinic.ClinicCreate(ctx, w.Operator, good))
	must(t, w.Clinic.ClinicCreate(ctx, w.Operator, good)) // twice is once
	wantCount(t, w, 1, "events", "SELECT count(*) FROM audit_events WHERE deed = 'clinic.create' AND clinic_id = $1", good.ID)
	for field, spoil := range map[string]func(*clinic.ClinicForm){
		"zone":         func(f *clinic.ClinicForm) { f.Zone = "Mars/Olympus" },
		"undo_seconds": func(f *clinic.ClinicForm) { f.UndoSeconds = 121 },
		"name":         func(f *clinic.ClinicForm) { f.NoticeName = "" },
	} {
		f := good
		f.ID = uuid.Must(uuid.NewV7())
		spoil(&f)
		if err := w.Clinic.ClinicCreate(ctx, w.Operator, f); clinic.KindOf(err) != clinic.Invalid || clinic.Fields(err)[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := w.Clinic.StaffPut(ctx, w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: "i", Subject: "s", Name: "X", Role: clinic.RoleWorker}); clinic.Fields(err)["role"] == "" {
		t.Errorf("a person became a machine: %v", err)
	}
}
