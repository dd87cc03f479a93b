package clinic_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// formOf is a patient as the edit form would send them back unchanged.
func formOf(p clinic.Patient) clinic.PatientForm {
	f := clinic.PatientForm{Name: p.Name.Reveal(), BirthDate: p.BirthDate.Reveal(), MRN: p.MRN.Reveal(), Summary: p.Summary.Reveal(), History: p.History.Reveal(),
		Medications: p.Medications.Reveal(), Allergies: p.Allergies.Reveal(), Notes: p.Notes.Reveal(), Language: p.Language, TimeZone: p.TimeZone, Version: p.Version}
	for _, c := range p.Contacts {
		if c.Channel == "email" {
			f.Email = c.Address.Reveal()
		} else {
			f.Phone = c.Address.Reveal()
		}
	}
	return f
}

func TestPatientCreateByDoubleClick(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	f := clinic.PatientForm{ID: uuid.Must(uuid.NewV7()), Name: "Uma Field", BirthDate: "1990-04-05", MRN: "A-1", Language: "en", DoctorID: w.Doctor.ID, Email: "uma@mail.example"}
	for _, err := range together(4, func(int) error {
		id, err := w.Clinic.PatientCreate(ctx, w.Staff, f)
		if err == nil && id != f.ID {
			t.Errorf("created %s", id)
		}
		return err
	}) {
		must(t, err)
	}
	wantCount(t, w, 1, "events", "SELECT count(*) FROM audit_events WHERE deed = 'patient.create' AND subject_id = $1", f.ID)
	wantCount(t, w, 1, "contacts", "SELECT count(*) FROM contacts WHERE patient_id = $1", f.ID)
	f.ID = uuid.Must(uuid.NewV7())
	_, err := w.Clinic.PatientCreate(ctx, w.Staff, f)
	if clinic.Fields(err)["mrn"] == "" {
		t.Errorf("a second patient with the record number: %v", err)
	}
	f.MRN = " a-1 "
	if _, err := w.Clinic.PatientCreate(ctx, w.Staff, f); clinic.Fields(err)["mrn"] == "" {
		t.Errorf("the record number in another spelling: %v", err)
	}
	wantCount(t, w, 2, "what tells of another patient, on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'patient.create' AND outcome = 'refused' AND reason = 'mrn_taken'")
}

func TestPatientForm(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	good := clinic.PatientForm{Name: "Uma Field", BirthDate: "1990-04-05", MRN: "A-1", Language: "en", DoctorID: w.Doctor.ID}
	for field, spoil := range map[string]func(*clinic.PatientForm){
		"name":        func(f *clinic.PatientForm) { f.Name = " " },
		"birth_date":  func(f *clinic.PatientForm) { f.BirthDate = "2090-01-01" },
		"mrn":         func(f *clinic.PatientForm) { f.MRN = strings.Repeat("9", 41) },
		"summary":     func(f *clinic.PatientForm) { f.Summary = strings.Repeat("x", 1001) },
		"history":     func(f *clinic.PatientForm) { f.History = strings.Repeat("x", 2001) },
		"medications": func(f *clinic.PatientForm) { f.Medications = strings.Repeat("x", 1001) },
		"allergies":   func(f *clinic.PatientForm) { f.Allergies = strings.Repeat("x", 501) },
		"notes":       func(f *clinic.PatientForm) { f.Notes = strings.Repeat("x", 1001) },
		"language":    func(f *clinic.PatientForm) { f.Language = "xx" },
		"time_zone":   func(f *clinic.PatientForm) { f.TimeZone = "Mars/Olympus" },
		"email":       func(f *clinic.PatientForm) { f.Email = "uma at mail" },
		"phone":       func(f *clinic.PatientForm) { f.Phone = "12" },
		"doctor_id":   func(f *clinic.PatientForm) { f.DoctorID = w.Staff2.ID },
	} {
		f := good
		spoil(&f)
		_, err := w.Clinic.PatientCreate(ctx, w.Staff, f)
		wantKind(t, err, clinic.Invalid, field)
		if got := clinic.Fields(err); got[field] == "" || len(got) != 1 {
			t.Errorf("%s: the sentences are at %v", field, got)
		}
	}
}

func TestPatientEdit(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	f := formOf(p)
	f.Notes, f.Phone = "Prefers mornings.", "(415) 555-0199"
	errs := together(2, func(i int) error {
		return w.Clinic.PatientEdit(ctx, []clinic.Actor{w.Staff, w.Staff2}[i], w.Patient, f)
	})
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("two edits at once: %v", errs)
	}
	for _, err := range errs {
		if err != nil {
			wantKind(t, err, clinic.Conflict, "the slower edit")
		}
	}
	p, err = w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	if got := formOf(p); got.Notes != f.Notes || got.Phone != "+14155550199" || got.Email != f.Email {
		t.Error("the edit was not kept as it was made")
	}
	fields := w.Strings(t, "SELECT detail->>'fields' FROM audit_events WHERE deed = 'patient.edit' AND outcome = 'done'")
	if !slices.Equal(fields, []string{`["notes", "phone"]`}) {
		t.Errorf("the trail names the fields %v", fields)
	}
	wantCount(t, w, 3, "contacts, the old number retired", "SELECT count(*) FROM contacts WHERE patient_id = $1", w.Patient)
	must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, formOf(p)))
	wantCount(t, w, 3, "contacts after an edit that changes none", "SELECT count(*) FROM contacts WHERE patient_id = $1", w.Patient)
}

func TestPatientListAndSearch(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	ángel := w.AddPatient(t, w.Staff, "Ángel Müller-Ortiz", "1955-11-02", "50001")
	w.AddPatient(t, w.Staff, "Zoë Abbott", "2001-07-15", "50002")
	list, err := w.Clinic.PatientList(ctx, w.Staff, "")
	must(t, err)
	names := []string{}
	for _, r := range list.Rows {
		names = append(names, r.Name.Reveal())
	}
	if !slices.Equal(names, []string{"Zoë Abbott", "Rosa Delgado", "Ángel Müller-Ortiz"}) || list.Total != 3 || list.Next != "" {
		t.Errorf("the list is %v, %d", names, list.Total)
	}
	for _, term := range []string{"angel", "ANGEL mul", "50001", "+1 415 555 0001", "(415) 555-0001"} {
		page, err := w.Clinic.PatientSearch(ctx, w.Staff, term, true)
		must(t, err)
		if rows := page.Rows; len(rows) != 1 || rows[0].ID != ángel || rows[0].Age != w.Clock.Now().Year()-1955-map[bool]int{true: 1}[w.Clock.Now().Format("0102") < "1102"] {
			t.Errorf("%q finds %d", term, len(rows))
		}
	}
	for _, term := range []string{"", "  ", "5000", "nobody", "ngel"} {
		if page, err := w.Clinic.PatientSearch(ctx, w.Staff, term, false); err != nil || len(page.Rows) != 0 {
			t.Errorf("%q finds %d, %v", term, len(page.Rows), err)
		}
	}
	wantCount(t, w, 5, "searches on the trail: settled ones", "SELECT count(*) FROM audit_events WHERE deed = 'patient.search'")
	wantCount(t, w, 0, "terms on the trail", "SELECT count(*) FROM audit_events WHERE detail::text ILIKE '%angel%' OR detail::text LIKE '%5000%'")
}
