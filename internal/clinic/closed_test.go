package clinic_test

import (
	"errors"
	"fmt"
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

// rowsOf are the names that a list has for each patient.
type rowsOf map[uuid.UUID][]string

func (r rowsOf) add(id uuid.UUID, name clinic.Text) { r[id] = append(r[id], name.Reveal()) }

// listsOfPatients are those that a person opens by themselves, and the banner of every page.
func listsOfPatients(w *clinictest.World) map[string]func(rowsOf) error {
	messages := func(read func() (clinic.Worklist, error)) func(rowsOf) error {
		return func(all rowsOf) error {
			list, err := read()
			for _, r := range list.Rows {
				all.add(r.PatientID, r.Patient)
			}
			return err
		}
	}
	return map[string]func(rowsOf) error{
		"patients": func(all rowsOf) error {
			page, err := w.Clinic.PatientList(ctx, w.Doctor, "")
			for _, r := range page.Rows {
				all.add(r.ID, r.Name+r.MRN)
			}
			return err
		},
		"worklist": messages(func() (clinic.Worklist, error) { return w.Clinic.WorklistShow(ctx, w.Doctor, "") }),
		"reviews":  messages(func() (clinic.Worklist, error) { return w.Clinic.ReviewList(ctx, w.Doctor, "") }),
		"care teams": func(all rowsOf) error {
			page, err := w.Clinic.TeamList(ctx, w.Admin, "")
			for _, r := range page.Rows {
				all.add(r.ID, r.Name+r.MRN)
			}
			return err
		},
		"emergency accesses": func(all rowsOf) error {
			page, err := w.Clinic.GlassList(ctx, w.Admin, false, "")
			for _, r := range page.Rows {
				all.add(r.PatientID, r.Patient)
				if r.CanReview == r.Closed {
					err = errors.Join(err, fmt.Errorf("it may be reviewed: %v, it is closed: %v", r.CanReview, r.Closed))
				}
			}
			return err
		},
		"the banner of emergency access": func(all rowsOf) error {
			seen, err := w.Clinic.BannersSee(ctx, w.Doctor2)
			for _, g := range seen.Glass {
				all.add(g.PatientID, g.Name)
			}
			return err
		},
	}
}

// Each list shows the patient whose key is missing as a record that cannot be opened, without a name, and the others as ever.
func TestListsOutliveAMissingKey(t *testing.T) {
	t.Parallel()
	w, closed, _ := withAClosedRecord(t)
	for what, read := range listsOfPatients(w) {
		all := rowsOf{}
		must(t, read(all))
		if len(all) != 2 || len(all[closed]) == 0 || len(all[w.Patient]) == 0 {
			t.Errorf("%s: %v", what, all)
			continue
		}
		for _, name := range all[closed] {
			if name != "A record that cannot be opened at the moment" {
				t.Errorf("%s shows what cannot be opened as %q", what, name)
			}
		}
		if !strings.HasPrefix(all[w.Patient][0], "Rosa Delgado") {
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
