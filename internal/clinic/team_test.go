package clinic_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// An administrator sees every patient of the clinic by name, contacts and care team, and nothing that is clinical.
func TestTeamShowByAdmin(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	w.Submitted(t, w.Patient, "email")
	v, err := w.Clinic.TeamShow(ctx, w.Admin, w.Patient)
	must(t, err)
	if v.Name.Reveal() != "Rosa Delgado" || v.MRN.Reveal() != "20441" || len(v.Contacts) != 2 || len(v.Members) != 4 || len(v.Others) != 1 || v.Others[0].ID != w.Doctor2.ID {
		t.Errorf("the team: %+v", v)
	}
	page, err := w.Clinic.TeamList(ctx, w.Admin, "")
	must(t, err)
	if len(page.Rows) != 1 || page.Rows[0].ID != w.Patient || !page.Rows[0].HasDoctor || !slices.Contains(page.Rows[0].People, "Helen Marsh") {
		t.Errorf("the list: %+v", page)
	}
	seen := fmt.Sprintf("%#v %#v", v, page)
	for _, clinical := range []string{"lisinopril", "penicillin", "High blood pressure", "cough", "1967-05-30"} {
		if strings.Contains(seen, clinical) {
			t.Errorf("an administrator reads %q", clinical)
		}
	}
	wantCount(t, w, 1, "the look on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'team.show' AND outcome = 'done' AND patient_id = $1 AND actor_id = $2", w.Patient, w.Admin.ID)
	for name, err := range map[string]error{
		"the neighbours' patient": func() error { _, err := w.Clinic.TeamShow(ctx, w.Admin, n.Patient); return err }(),
		"a patient to join":       w.Clinic.TeamJoin(ctx, w.Admin, n.Patient, w.Doctor2.ID),
		"a patient to leave":      w.Clinic.TeamLeave(ctx, w.Admin, n.Patient, n.Staff.ID),
	} {
		wantKind(t, err, clinic.NotFound, name)
	}
	_, err = w.Clinic.PatientShow(ctx, w.Admin, w.Patient)
	wantKind(t, err, clinic.Forbidden, "the record itself")
}

func TestTeamSearch(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Neighbour(t)
	for term, hits := range map[string]int{"20441": 1, " 20 441 ": 1, "p20441@mail.example": 1, "+1 415 555 0441": 1, "Rosa Delgado": 0, "2044": 0, "90417": 0, "": 0} {
		rows, err := w.Clinic.TeamSearch(ctx, w.Admin, term)
		must(t, err)
		if len(rows) != hits {
			t.Errorf("%q finds %d, want %d", term, len(rows), hits)
		}
	}
	wantCount(t, w, 0, "a term on the trail", "SELECT count(*) FROM audit_events WHERE detail::text LIKE '%20441%'")
	wantCount(t, w, 4, "searches that found one", "SELECT count(*) FROM audit_events WHERE deed = 'team.search' AND (detail->>'hits')::int = 1")
}

func TestTeamListPages(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for i := range 52 {
		w.Clock.Add(1)
		w.AddPatient(t, w.Staff, "Uma Field", "1990-04-05", fmt.Sprintf("3%04d", i))
	}
	first, err := w.Clinic.TeamList(ctx, w.Admin, "")
	must(t, err)
	second, err := w.Clinic.TeamList(ctx, w.Admin, first.Next)
	must(t, err)
	seen := map[uuid.UUID]bool{}
	for _, r := range append(first.Rows, second.Rows...) {
		seen[r.ID] = true
	}
	if len(first.Rows) != 50 || len(second.Rows) != 3 || second.Next != "" || len(seen) != 53 || first.Rows[0].MRN.Reveal() != "30051" {
		t.Errorf("%d and %d rows, %d patients, newest %s", len(first.Rows), len(second.Rows), len(seen), first.Rows[0].MRN.Reveal())
	}
	if again, err := w.Clinic.TeamList(ctx, w.Admin, "nonsense"); err != nil || len(again.Rows) != 50 {
		t.Error("a bad cursor is no beginning:", err)
	}
}

// Whoever joins sees the patient at once; whoever leaves sees nothing at once, and their open pages are told.
func TestTeamJoinAndLeave(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Submitted(t, w.Patient, "email")
	must(t, w.Clinic.TeamJoin(ctx, w.Admin, w.Patient, w.Doctor2.ID))
	must(t, w.Clinic.TeamJoin(ctx, w.Admin, w.Patient, w.Doctor2.ID))
	wantCount(t, w, 1, "joining on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'team.join' AND actor_id = $1 AND subject_id = $2 AND patient_id = $3", w.Admin.ID, w.Doctor2.ID, w.Patient)
	_, err := w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	must(t, err)
	if !mayWatch(t, w, w.Doctor2, message) {
		t.Error("who has joined may not watch")
	}

	must(t, w.Clinic.TeamLeave(ctx, w.Admin, w.Patient, w.Staff.ID))
	wantCount(t, w, 1, "leaving on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'team.leave' AND actor_id = $1 AND subject_id = $2 AND patient_id = $3", w.Admin.ID, w.Staff.ID, w.Patient)
	if !slices.Contains(w.Names(), "person-"+w.Staff.ID.String()) {
		t.Error("the person's open pages are not told")
	}
	x := things{patient: w.Patient, message: message, doctor: w.Doctor.ID, version: version(t, w, message), delivery: deliveryOf(t, w, approvedBy(t, w))}
	before := records(t, w)
	for _, act := range acts(w) {
		if !act.scoped || !slices.Contains(mayRoles(act.deed), "staff") {
			continue
		}
		if err := act.do(w.Clinic, w.Staff, x); clinic.KindOf(err) != clinic.NotFound {
			t.Errorf("%s after leaving the team: %v", act.method, err)
		}
	}
	if mayWatch(t, w, w.Staff, message) || records(t, w) != before {
		t.Error("who has left still watches or changes")
	}
	wantKind(t, w.Clinic.TeamLeave(ctx, w.Admin, w.Patient, w.Staff.ID), clinic.NotFound, "leaving twice")
}

// approvedBy is a message that somebody who stays on the team wrote.
func approvedBy(t testing.TB, w *clinictest.World) uuid.UUID {
	t.Helper()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff2, w.Brief(w.Patient, "email"))
	must(t, err)
	must(t, w.Clinic.DraftByHand(ctx, w.Staff2, id))
	v, err := w.Clinic.DraftEdit(ctx, w.Staff2, id, w.Show(t, w.Staff2, id).Message.Version, clinictest.Letter)
	must(t, err)
	must(t, w.Clinic.ReviewSubmit(ctx, w.Staff2, id, v.Message.Version))
	w.Answer(t, w.Doctor, id)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, id, w.Show(t, w.Doctor, id).Message.Version, nil))
	return id
}

// Only people who work with patients join, and a patient keeps a doctor, also when two are taken off at once.
func TestTeamRules(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	for name, who := range map[string]uuid.UUID{"an auditor": w.Auditor.ID, "an administrator": w.Admin.ID, "operations": w.Ops.ID, "the neighbours' doctor": n.Doctor.ID, "nobody": uuid.Nil} {
		wantKind(t, w.Clinic.TeamJoin(ctx, w.Admin, w.Patient, who), clinic.Invalid, name)
	}
	must(t, w.Clinic.StaffDisable(ctx, w.Admin, w.Staff2.ID))
	wantKind(t, w.Clinic.TeamJoin(ctx, w.Admin, w.Patient, w.Staff2.ID), clinic.Invalid, "who is switched off")
	must(t, w.Clinic.TeamLeave(ctx, w.Admin, w.Patient, w.Staff2.ID))

	err := w.Clinic.TeamLeave(ctx, w.Admin, w.Patient, w.Doctor.ID)
	wantKind(t, err, clinic.Invalid, "the only doctor")
	if clinic.Fields(err)["staff"] == "" {
		t.Error("it is not said why")
	}
	doctors := []uuid.UUID{w.Doctor.ID, w.Doctor2.ID}
	for range 20 {
		for _, d := range doctors {
			must(t, w.Clinic.TeamJoin(ctx, w.Admin, w.Patient, d))
		}
		errs := together(2, func(i int) error { return w.Clinic.TeamLeave(ctx, w.Admin, w.Patient, doctors[i]) })
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("of two doctors taken off at once: %v", errs)
		}
		wantCount(t, w, 1, "doctors left", "SELECT count(*) FROM care_team ct JOIN staff s ON s.id = ct.staff_id WHERE ct.patient_id = $1 AND s.role = 'doctor'", w.Patient)
	}
}
