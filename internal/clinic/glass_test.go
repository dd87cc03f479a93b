package clinic_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

const why = "Patient collapsed in the waiting room, need the medication list."

func byMRN(mrn string) clinic.GlassForm { return clinic.GlassForm{MRN: mrn, Reason: why} }

func byName(name, birth string) clinic.GlassForm {
	return clinic.GlassForm{Name: name, BirthDate: birth, Reason: why}
}

// Break-glass opens what only looks, of one patient, and nothing else; for 60 minutes by the server's clock.
func TestGlassReadsOnePatientForAnHour(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	other := w.AddPatient(t, w.Staff, "Uma Field", "1990-04-05", "31313")
	waiting, signed := w.Submitted(t, w.Patient, "email"), w.Approved(t, w.Patient, "email")
	x := things{patient: w.Patient, message: waiting, doctor: w.Doctor2.ID, version: version(t, w, waiting), delivery: deliveryOf(t, w, signed)}
	who := w.Doctor2
	patient, err := w.Clinic.GlassBreak(ctx, who, byMRN("20441"))
	must(t, err)
	if patient != w.Patient {
		t.Fatal("another patient was opened")
	}
	before := records(t, w)
	opened := []string{}
	for _, act := range acts(w) {
		if !act.scoped {
			continue
		}
		err := act.do(w.Clinic, who, x)
		if clinic.Through(act.deed) != (err == nil) || err != nil && clinic.KindOf(err) != clinic.NotFound {
			t.Errorf("%s by break-glass: %v", act.method, err)
		}
		if err == nil {
			opened = append(opened, act.method)
		}
	}
	if want := []string{"PatientShow", "DraftShow", "DraftDiff", "ReviewShow", "MessageShow"}; !slices.Equal(opened, want) {
		t.Errorf("break-glass opens %v, want %v", opened, want)
	}
	if records(t, w) != before {
		t.Error("break-glass changed a record")
	}
	_, err = w.Clinic.PatientShow(ctx, who, other)
	wantKind(t, err, clinic.NotFound, "a second patient")
	if may, err := w.Clinic.MayWatch(ctx, who, []uuid.UUID{waiting, signed}, []uuid.UUID{w.Patient}); !may || err != nil {
		t.Error("the pages that it opens may not be watched", err)
	}
	w.Clock.Add(time.Hour - time.Millisecond)
	_, err = w.Clinic.PatientShow(ctx, who, w.Patient)
	must(t, err)
	w.Clock.Add(time.Millisecond)
	_, err = w.Clinic.PatientShow(ctx, who, w.Patient)
	wantKind(t, err, clinic.NotFound, "after an hour")
	_, err = w.Clinic.MessageShow(ctx, who, signed)
	wantKind(t, err, clinic.NotFound, "a message after an hour")
	if mayWatch(t, w, who, waiting) {
		t.Error("it may be watched after an hour")
	}
}

// What it shows offers no deed but looking, and its lists stay those of the person's own patients.
func TestGlassOffersNothingButLooking(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	signed, waiting := w.Approved(t, w.Patient, "email"), w.Submitted(t, w.Patient, "email")
	_, err := w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))
	must(t, err)
	r, err := w.Clinic.ReviewShow(ctx, w.Doctor2, waiting)
	must(t, err)
	if r.CanApprove || r.CanEdit || r.CanSchedule || !r.ByGlass || !strings.Contains(r.CannotApproveWhy, "for reading") {
		t.Errorf("a review by break-glass: approve %v, edit %v, schedule %v, %q", r.CanApprove, r.CanEdit, r.CanSchedule, r.CannotApproveWhy)
	}
	m, err := w.Clinic.MessageShow(ctx, w.Doctor2, signed)
	must(t, err)
	if m.CanUndo || m.CanWithdraw || m.CanSchedule || m.CanTakeBack || m.Deliveries[0].CanRetry || m.Deliveries[0].CanResend || !m.ByGlass {
		t.Errorf("a message by break-glass: %+v", m)
	}
	own, err := w.Clinic.MessageShow(ctx, w.Doctor, signed)
	must(t, err)
	if own.ByGlass || !own.CanWithdraw {
		t.Error("the care team's own view is taken for break-glass")
	}
	list, err := w.Clinic.PatientList(ctx, w.Doctor2, "")
	must(t, err)
	work, err := w.Clinic.WorklistShow(ctx, w.Doctor2, "")
	must(t, err)
	if len(list.Rows)+len(work.Rows) != 0 {
		t.Error("the patient is in a list")
	}
	wantCount(t, w, 2, "looks that say how they were open", "SELECT count(*) FROM audit_events WHERE actor_id = $1 AND detail->>'glass' = 'true' AND deed IN ('review.show', 'message.show')", w.Doctor2.ID)
}

// By exact record number, or by the whole name and date of birth; also patients from before that index.
func TestGlassFinds(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	n := w.Neighbour(t)
	w.AddPatient(t, w.Staff, "Ana Ruiz", "1980-01-01", "41001")
	w.AddPatient(t, w.Staff, "Ana Ruiz", "1980-01-01", "41002")
	must(t, w.Exec(t, "UPDATE patients SET person_index = NULL WHERE id = $1", w.Patient)) // from before
	for name, test := range map[string]struct {
		form  clinic.GlassForm
		found bool
		field string
	}{
		"record number":                {byMRN("20441"), true, ""},
		"record number with a space":   {byMRN(" 20 441"), true, ""},
		"name and date":                {byName("Rosa Delgado", "1967-05-30"), true, ""},
		"name in another spelling":     {byName("  rosa  DELGÁDO ", "1967-05-30"), true, ""},
		"part of a number":             {byMRN("2044"), false, "mrn"},
		"part of a name":               {byName("Rosa", "1967-05-30"), false, "name"},
		"another date":                 {byName("Rosa Delgado", "1967-05-31"), false, "name"},
		"a name alone":                 {byName("Rosa Delgado", ""), false, "birth_date"},
		"a date alone":                 {byName("", "1967-05-30"), false, "name"},
		"nothing":                      {clinic.GlassForm{Reason: why}, false, "mrn"},
		"two of a name and date":       {byName("Ana Ruiz", "1980-01-01"), false, "name"},
		"the neighbours' number":       {byMRN("90417"), false, "mrn"},
		"the neighbours' name":         {byName("Nora Whitfield", "1971-01-09"), false, "name"},
		"a reason of 19 characters":    {clinic.GlassForm{MRN: "20441", Reason: strings.Repeat("x", 19)}, false, "reason"},
		"a reason of spaces":           {clinic.GlassForm{MRN: "20441", Reason: "help" + strings.Repeat(" ", 30)}, false, "reason"},
		"a reason of 20 characters":    {clinic.GlassForm{MRN: "20441", Reason: strings.Repeat("x", 20)}, true, ""},
		"the same number, once more":   {byMRN("20441"), true, ""},
		"their own number, next door":  {byMRN("20441"), true, ""},
		"a number, whatever the name":  {clinic.GlassForm{MRN: "20441", Name: "Somebody Else", Reason: why}, true, ""},
		"a number of another alphabet": {byMRN("２０４４１"), true, ""},
	} {
		must(t, w.Exec(t, "DELETE FROM glass_tries"))
		got, err := w.Clinic.GlassBreak(ctx, w.Doctor2, test.form)
		if test.found != (err == nil && got == w.Patient) {
			t.Errorf("%s: %v", name, err)
		}
		if !test.found && (clinic.KindOf(err) != clinic.Invalid || clinic.Fields(err)[test.field] == "" || got != uuid.Nil) {
			t.Errorf("%s: %v %v", name, err, clinic.Fields(err))
		}
	}
	wantCount(t, w, 1, "entries, of many tries", "SELECT count(*) FROM glass")
	wantCount(t, w, 0, "patients without the index", "SELECT count(*) FROM patients WHERE clinic_id = $1 AND person_index IS NULL", w.ClinicID)
	_, err := w.Clinic.GlassBreak(ctx, n.Doctor, byMRN("20441"))
	wantKind(t, err, clinic.Invalid, "our patient from next door")
	wantCount(t, w, 1, "what was not found, on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'glass.break' AND outcome = 'refused' AND reason = 'nobody' AND actor_id = $1", n.Doctor.ID)
}

// On the trail stand who, whom, how found and until when; the reason is sealed and stands nowhere else.
func TestGlassOnTheTrail(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, err := w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))
	must(t, err)
	wantCount(t, w, 1, "the event", "SELECT count(*) FROM audit_events WHERE deed = 'glass.break' AND outcome = 'done' AND actor_id = $1 AND patient_id = $2 AND detail->>'found_by' = 'mrn' AND detail ? 'until'", w.Doctor2.ID, w.Patient)
	wantCount(t, w, 0, "the reason on the trail", "SELECT count(*) FROM audit_events e WHERE e::text LIKE '%waiting room%' OR convert_from(rec, 'UTF8') LIKE '%waiting room%'")
	wantCount(t, w, 0, "the reason in the clear", "SELECT count(*) FROM glass WHERE position('waiting room'::bytea IN reason_sealed) > 0")
	id := uuid.MustParse(w.Strings(t, "SELECT id::text FROM glass")[0])
	if got := w.Unseal(t, w.Patient, "glass", "reason", id); got != why {
		t.Errorf("the reason opens as %q", got)
	}
	// Who cares for the patient needs it not, and it is no time for who has it.
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor, byMRN("20441"))))
	w.Clock.Add(30 * time.Minute)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	wantCount(t, w, 1, "entries", "SELECT count(*) FROM glass")
	w.Clock.Add(30 * time.Minute)
	_, err = w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	wantKind(t, err, clinic.NotFound, "an hour after the first")
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	wantCount(t, w, 2, "entries", "SELECT count(*) FROM glass")
}

func ignore(_ uuid.UUID, err error) error { return err }

// The row cannot be bent afterwards: not its time, not its person, and it is never deleted.
func TestGlassRowIsKept(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	for _, attack := range []string{"UPDATE glass SET expires_at = expires_at - interval '1 minute'", "UPDATE glass SET staff_id = '" + w.Doctor.ID.String() + "'",
		"UPDATE glass SET opened_at = opened_at + interval '1 minute'", "DELETE FROM glass", "TRUNCATE glass",
		"INSERT INTO glass SELECT gen_random_uuid(), clinic_id, staff_id, patient_id, found_by, reason_sealed, opened_at, opened_at + interval '61 minutes' FROM glass",
		"UPDATE glass SET reviewed_by = staff_id, reviewed_at = now(), note_sealed = reason_sealed"} {
		if err := w.Exec(t, attack); err == nil {
			t.Errorf("it went through: %s", attack)
		}
	}
}

// Whoever has it open can give it back; everybody's pages of it are told.
func TestGlassEnd(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, ignore(w.Clinic.GlassBreak(ctx, w.Doctor2, byMRN("20441"))))
	open := banners(t, w, w.Doctor2).Glass
	if len(open) != 1 || open[0].PatientID != w.Patient || open[0].Name.Reveal() != "Rosa Delgado" || !open[0].Until.Equal(w.Clock.Now().Add(time.Hour)) {
		t.Fatalf("the banner: %+v", open)
	}
	for name, a := range map[string]clinic.Actor{"a colleague": w.Staff2, "the neighbours": w.Neighbour(t).Doctor} {
		wantKind(t, w.Clinic.GlassEnd(ctx, a, open[0].ID), clinic.NotFound, name)
		if theirs := banners(t, w, a).Glass; len(theirs) != 0 {
			t.Errorf("%s see it", name)
		}
	}
	must(t, w.Clinic.GlassEnd(ctx, w.Doctor2, open[0].ID))
	wantCount(t, w, 1, "the end on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'glass.end' AND outcome = 'done' AND patient_id = $1", w.Patient)
	_, err := w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	wantKind(t, err, clinic.NotFound, "after the end")
	wantKind(t, w.Clinic.GlassEnd(ctx, w.Doctor2, open[0].ID), clinic.NotFound, "ending twice")
	if open = banners(t, w, w.Doctor2).Glass; len(open) != 0 {
		t.Error("the banner stays")
	}
	if !slices.Contains(w.Names(), "person-"+w.Doctor2.ID.String()) {
		t.Error("open pages are not told")
	}
}
