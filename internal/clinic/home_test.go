package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func atHome(t *testing.T, w *clinictest.World, who clinic.Actor) map[string]clinic.Figure {
	t.Helper()
	list, err := w.Clinic.WorklistShow(ctx, who, "")
	must(t, err)
	of := map[string]clinic.Figure{}
	for _, f := range list.Figures {
		of[f.Label] = f
	}
	return of
}

// Each role's figures are of its own rows, and move when something happens.
func TestHomeFigures(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Approved(t, w.Patient, "email")
	_, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	back := w.Submitted(t, w.Patient, "email")
	must(t, w.Clinic.ReviewReturn(ctx, w.Doctor, back, w.Show(t, w.Doctor, back).Message.Version, "Say the date first."))
	w.Submitted(t, w.Patient, "email")
	w.Clock.Add(25 * time.Hour) // one of normal priority is to be signed within a day

	staff := atHome(t, w, w.Staff)
	if staff["Yours to finish"].Value != "1" || staff["Returned to you"].Value != "1" || staff["In review"].Value != "1" || staff["In review"].Note != "1 past their time" {
		t.Errorf("staff: %+v", staff)
	}
	if colleague := atHome(t, w, w.Staff2); colleague["Yours to finish"].Value != "0" || colleague["In review"].Value != "1" {
		t.Errorf("a colleague of the same team: %+v", colleague)
	}
	doctor := atHome(t, w, w.Doctor)
	if doctor["To sign"].Value != "1" || doctor["To sign"].Note != "the oldest waits 25 hours" || doctor["Past their time"].Value != "1" || doctor["Past their time"].Level != "stop" {
		t.Errorf("doctor: %+v", doctor)
	}
	if signed := doctor["Signed today"]; len(signed.Bars) != 7 || signed.Bars[6].N+signed.Bars[5].N+signed.Bars[4].N != 1 || signed.Note != "this week, half within a minute" {
		t.Errorf("what the doctor signed: %+v", signed)
	}
	if other := atHome(t, w, w.Doctor2); other["To sign"].Value != "0" || other["Signed today"].Value != "0" {
		t.Errorf("a doctor of another team: %+v", other)
	}

	_, err = w.Clinic.GlassBreak(ctx, w.Doctor2, clinic.GlassForm{MRN: "20441", Reason: "Collapsed in the waiting room."})
	must(t, err)
	must(t, w.Clinic.StaffAssign(ctx, w.Admin, w.Staff2.ID, clinic.RoleNobody))
	admin := atHome(t, w, w.Admin)
	if admin["Emergency access to review"].Value != "1" || admin["People without a role"].Value != "1" || admin["Drafting this month"].Value != "$0.00" {
		t.Errorf("admin: %+v", admin)
	}
	w.Clock.Add(8 * 24 * time.Hour)
	_, err = w.Clinic.AccessMake(ctx, worker)
	must(t, err)
	if waits := atHome(t, w, w.Admin)["Access reviews to sign off"]; waits.Value != "1" || waits.Level != "ask" || waits.Note != "" {
		t.Errorf("an access review: %+v", waits)
	}
	w.Clock.Add(8 * 24 * time.Hour)
	if waits := atHome(t, w, w.Admin)["Access reviews to sign off"]; waits.Level != "stop" || waits.Note != "overdue" {
		t.Errorf("an overdue access review: %+v", waits)
	}
	ops := atHome(t, w, w.Ops)
	if ops["Alerts firing"].Value != "0" || ops["Alerts firing"].Note != "none" || ops["Alerts firing"].Level != "" {
		t.Errorf("ops: %+v", ops["Alerts firing"])
	}
	if ops["Due and waiting"].Value != "1" || ops["Due and waiting"].Level != "ask" || ops["Jobs in trouble"].Level != "stop" {
		t.Errorf("ops: %+v", ops)
	}
}

// The auditor's home says when the trail was last verified, by the newest verification that has ended, and what access reviews wait.
func TestHomeOfTheAuditor(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Clock.Add(8 * 24 * time.Hour)
	_, err := w.Clinic.AccessMake(ctx, worker)
	must(t, err)
	w.Clock.Add(8 * 24 * time.Hour)
	auditor := atHome(t, w, w.Auditor)
	if auditor["Access reviews to sign off"].Note != "overdue" || auditor["Trail last verified"].Value != "never" || auditor["Trail last verified"].Level != "ask" {
		t.Errorf("auditor: %+v", auditor)
	}
	must(t, w.Exec(t, "INSERT INTO ledger_checks (id, clinic_id, asked_by, asked_at, finished_at, outcome) VALUES (gen_random_uuid(), $1, $2, $3, $3, 'clean'), (gen_random_uuid(), $1, $2, $4, NULL, '')",
		w.ClinicID, w.Auditor.ID, w.Clock.Now().Add(-3*time.Hour), w.Clock.Now()))
	if tile := atHome(t, w, w.Auditor)["Trail last verified"]; tile.Value != "clean" || tile.Note != "3 hours ago" || tile.Level != "" {
		t.Errorf("verified: %+v", tile)
	}
	must(t, w.Exec(t, "UPDATE ledger_checks SET outcome = 'tampered' WHERE outcome = 'clean'"))
	if tile := atHome(t, w, w.Auditor)["Trail last verified"]; tile.Level != "stop" {
		t.Errorf("verified: %+v", tile)
	}
}
