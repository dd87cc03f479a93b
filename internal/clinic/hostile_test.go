package clinic_test

import (
	"encoding/base64"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// What is SQL to a database is text to us: written, read and looked for as it was typed, and nobody else is found by it.
func TestTextIsNeverSQL(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	before := w.Count(t, "SELECT count(*) FROM patients")
	for i, text := range []string{`x' OR '1'='1`, `x'; DROP TABLE patients; --`, `x") OR 1=1 --`, `$1`, `x\'; SELECT pg_sleep(9); --`, `%`, `_`, `x' UNION SELECT mrn_index FROM patients --`} {
		f := clinic.PatientForm{Name: "Una " + text, BirthDate: "1990-04-05", MRN: string(rune('a'+i)) + text[:min(len(text), 36)], Summary: text, History: text, Medications: text, Allergies: text,
			Notes: text, Language: "en", DoctorID: w.Doctor.ID}
		id, err := w.Clinic.PatientCreate(ctx, w.Staff, f)
		must(t, err)
		p := show(t, w, id)
		if p.Name.Reveal() != f.Name || p.MRN.Reveal() != f.MRN || p.Notes.Reveal() != text || p.Allergies.Reveal() != text {
			t.Errorf("%q came back as %q, %q, %q", text, p.Name.Reveal(), p.MRN.Reveal(), p.Notes.Reveal())
		}
		someone, err := w.Clinic.StaffPut(ctx, w.Operator, clinic.StaffForm{ClinicID: w.ClinicID, Issuer: clinictest.Issuer, Subject: text, Email: text, Name: text, Role: clinic.Ops})
		must(t, err) // who works here is not sealed, and stands in the tables as it came
		wantCount(t, w, 1, "people called "+text, "SELECT count(*) FROM staff WHERE id = $1 AND name = $2 AND email = $2 AND subject = $2", someone.ID, text)
		found, err := w.Clinic.TeamSearch(ctx, w.Admin, f.MRN) // by the exact record number
		must(t, err)
		if len(found) != 1 || found[0].ID != id {
			t.Errorf("%q finds %d patients", f.MRN, len(found))
		}
		_, err = w.Clinic.TeamSearch(ctx, w.Admin, text)
		must(t, err)
		if _, err = w.Clinic.GlassBreak(ctx, w.Staff, clinic.GlassForm{MRN: text, Reason: "Collapsed in the waiting room."}); err == nil || clinic.KindOf(err) == clinic.Internal {
			t.Errorf("emergency access by %q: %v", text, err)
		}
	}
	wantCount(t, w, 0, "emergency accesses", "SELECT count(*) FROM glass")
	wantCount(t, w, before+8, "patients", "SELECT count(*) FROM patients")
}

// The secret of a session is 256 random bits: of many no two are alike, and no bit of them stands still.
func TestSecretsAreRandom(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	const many = 40 // that one bit of 256 stands still by chance: once in two thousand million
	all := map[string]bool{}
	var ones, zeros [32]byte
	for range many {
		cookie, _, err := w.Clinic.SessionOpen(ctx, nobody, person(w.Doctor), "")
		must(t, err)
		raw, err := base64.RawURLEncoding.DecodeString(cookie)
		if err != nil || len(raw) != 32 {
			t.Fatalf("a secret of %d bytes: %v", len(raw), err)
		}
		all[cookie] = true
		for i, b := range raw {
			ones[i], zeros[i] = ones[i]|b, zeros[i]|^b
		}
	}
	for i := range ones {
		if ones[i]&zeros[i] != 0xff {
			t.Errorf("in byte %d some bits never change", i)
		}
	}
	if len(all) != many {
		t.Errorf("%d secrets for %d sessions", len(all), many)
	}
}
