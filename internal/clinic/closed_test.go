package clinic_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// withAClosedRecord is a World with a second Rosa Delgado, whose key is missing (the letter names her), and with messages of both: one in review, one
// signed whose notice failed; and an emergency access to each.
func withAClosedRecord(t *testing.T) (w *clinictest.World, closed, waits uuid.UUID) {
	t.Helper()
	w = clinictest.New(t)
	closed = w.AddPatient(t, w.Staff, "Rosa Delgado", "1980-02-03", "30771")
	waits = w.Submitted(t, w.Patient, "email")
	w.Submitted(t, closed, "email")
	for _, of := range []uuid.UUID{w.Patient, closed} {
		must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, w.Approved(t, of, "sms")), "twilio", outcome(clinic.OutcomeFailed, "400")))
	}
	for _, mrn := range []string{"20441", "30771"} {
		_, err := w.Clinic.GlassBreak(ctx, w.Doctor2, clinic.GlassForm{MRN: mrn, Reason: "the ward called, she has fainted"})
		must(t, err)
	}
	w.LoseKey(t, closed)
	return w, closed, waits
}

// Each list shows the patient whose key is missing as a record that cannot be opened, without a name, and the others as ever.
func TestListsOutliveAMissingKey(t *testing.T) {
	t.Parallel()
	w, closed, _ := withAClosedRecord(t)
	type rows map[uuid.UUID][]string
	add := func(all rows, id uuid.UUID, name clinic.Text) { all[id] = append(all[id], name.Reveal()) }
	for what, read := range map[string]func(rows) error{
		"patients": func(all rows) error {
			page, err := w.Clinic.PatientList(ctx, w.Doctor, "")
			for _, r := range page.Rows {
				add(all, r.ID, r.Name)
				if r.Closed != (r.ID == closed) || r.Closed && r.MRN != "" {
					t.Errorf("patients: %+v", r)
				}
			}
			return err
		},
		"worklist": func(all rows) error {
			list, err := w.Clinic.WorklistShow(ctx, w.Doctor, "")
			for _, r := range list.Rows {
				add(all, r.PatientID, r.Patient)
			}
			return err
		},
		"reviews": func(all rows) error {
			list, err := w.Clinic.ReviewList(ctx, w.Doctor, "")
			for _, r := range list.Rows {
				add(all, r.PatientID, r.Patient)
			}
			return err
		},
		"care teams": func(all rows) error {
			page, err := w.Clinic.TeamList(ctx, w.Admin, "")
			for _, r := range page.Rows {
				add(all, r.ID, r.Name)
			}
			return err
		},
		"emergency accesses": func(all rows) error {
			page, err := w.Clinic.GlassList(ctx, w.Admin, false, "")
			for _, r := range page.Rows {
				add(all, r.PatientID, r.Patient)
				if r.Closed != (r.PatientID == closed) || r.CanReview == r.Closed {
					t.Errorf("emergency accesses: %+v", r)
				}
			}
			return err
		},
		"the banner of emergency access": func(all rows) error {
			open, _, err := w.Clinic.GlassSee(ctx, w.Doctor2)
			for _, g := range open {
				add(all, g.PatientID, g.Name)
			}
			return err
		},
	} {
		all := rows{}
		must(t, read(all))
		if len(all) != 2 || len(all[closed]) == 0 || len(all[w.Patient]) == 0 {
			t.Errorf("%s: %v", what, all)
		}
		if !slices.Contains(all[w.Patient], "Rosa Delgado") || strings.Contains(strings.Join(all[closed], ""), "Delgado") || !strings.Contains(all[closed][0], "cannot be opened") {
			t.Errorf("%s: %v", what, all)
		}
	}
}

// The lists of notices, those in trouble among them, and what a further round would do.
func TestNoticesOutliveAMissingKey(t *testing.T) {
	t.Parallel()
	w, closed, _ := withAClosedRecord(t)
	list, err := w.Clinic.WorklistShow(ctx, w.Doctor, "")
	must(t, err)
	troubled := map[uuid.UUID]string{}
	for _, r := range list.Rows {
		if r.Delivery == "failed" {
			troubled[r.PatientID] = r.Patient.Reveal()
		}
	}
	all, err := w.Clinic.DeliveryList(ctx, w.Doctor, clinic.DeliveryFilter{Show: "trouble"})
	must(t, err)
	preview, err := w.Clinic.DeliveryPreview(ctx, w.Doctor, nil, clinic.DeliveryFilter{Show: "trouble"})
	must(t, err)
	if len(troubled) != 2 || troubled[w.Patient] != "Rosa Delgado" || !strings.Contains(troubled[closed], "cannot be opened") || len(all.Rows) != 2 || len(preview.Rows) != 2 {
		t.Fatalf("%v, %d rows, %d in the preview", troubled, len(all.Rows), len(preview.Rows))
	}
	for _, r := range preview.Rows {
		if r.Can != (r.Patient.Reveal() == "Rosa Delgado") {
			t.Errorf("%s may go once more: %v %s", r.Patient.Reveal(), r.Can, r.Why)
		}
	}
}

// A search by name does not find who cannot be opened and says how many there are; a whole number finds them still.
func TestSearchOutlivesAMissingKey(t *testing.T) {
	t.Parallel()
	w, closed, _ := withAClosedRecord(t)
	for term, want := range map[string]uuid.UUID{"delgado": w.Patient, "30771": closed, "opened": uuid.Nil, "record": uuid.Nil} {
		page, err := w.Clinic.PatientSearch(ctx, w.Doctor, term, true)
		must(t, err)
		if page.Closed != 1 || (len(page.Rows) == 1) != (want != uuid.Nil) || len(page.Rows) == 1 && page.Rows[0].ID != want {
			t.Errorf("%q finds %+v", term, page)
		}
	}
}

// A message of another patient is read and signed while one of the doctor's patients cannot be opened. Whose record it is, that
// page says in words; and what was altered is nobody's missing key: it fails as ever.
func TestOthersAreSignedWhileAKeyIsMissing(t *testing.T) {
	t.Parallel()
	w, closed, waits := withAClosedRecord(t)
	w.Answer(t, w.Doctor, waits)
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, waits, version(t, w, waits), nil))
	_, err := w.Clinic.PatientShow(ctx, w.Doctor, closed)
	wantCode(t, err, "key_lost", "the page")
	must(t, w.Exec(t, "UPDATE patients SET name_sealed = mrn_sealed WHERE id = $1", w.Patient))
	_, err = w.Clinic.PatientList(ctx, w.Doctor, "")
	wantCode(t, err, "internal", "a name that was replaced")
}
