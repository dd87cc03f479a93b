package clinic

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// PatientForm is what a person types about a patient. ID is made by the empty form, so that a double click creates once.
type PatientForm struct {
	ID                                                                    uuid.UUID
	Name, BirthDate, MRN, Summary, History, Medications, Allergies, Notes string
	Language, TimeZone, Email, Phone                                      string
	DoctorID                                                              uuid.UUID // joins the care team, on create
	Version                                                               int
}

// Languages a patient page can speak.
var Languages = []string{"en", "es"}

func (f PatientForm) checked(t *tx) (PatientForm, *string, error) {
	var v form
	f.Name = v.text("name", "The name", f.Name, 1, 100)
	f.BirthDate = v.date("birth_date", f.BirthDate, t.at)
	f.MRN = v.text("mrn", "The MRN", f.MRN, 1, 40)
	f.Summary = v.text("summary", "The summary", f.Summary, 0, 1000)
	f.History = v.text("history", "The history", f.History, 0, 2000)
	f.Medications = v.text("medications", "The list of medications", f.Medications, 0, 1000)
	f.Allergies = v.text("allergies", "The list of allergies", f.Allergies, 0, 500)
	f.Notes = v.text("notes", "The notes", f.Notes, 0, 1000)
	f.Language = v.oneOf("language", "a language", f.Language, Languages...)
	f.Email, f.Phone = v.email("email", f.Email), v.phone("phone", f.Phone)
	zone := v.zone("time_zone", f.TimeZone)
	return f, zone, v.err()
}

// PatientDoctors are the doctors who can be named when a patient is added: part of that form, no act of its own.
func (c *Clinic) PatientDoctors(ctx context.Context, a Actor) ([]Person, error) {
	var out []Person
	err := c.do(ctx, a, PatientCreate, Subject{Kind: "patient"}, func(t *tx) error {
		t.silent = true
		rows, err := t.DoctorsOfClinic(ctx, a.ClinicID)
		for _, r := range rows {
			out = append(out, Person(r))
		}
		return err
	})
	return out, err
}

// PatientCreate adds a patient with a key of their own. The creator and the named doctor are the first care team.
// A second call with the same ID answers as the first did. Fields: those of the form.
func (c *Clinic) PatientCreate(ctx context.Context, a Actor, f PatientForm) (uuid.UUID, error) {
	if f.ID == uuid.Nil {
		f.ID = newID()
	}
	err := c.once(ctx, a, PatientCreate, Subject{Kind: "patient", ID: f.ID, Patient: f.ID}, "patients_pkey", func(t *tx) error {
		if _, err := t.PatientGet(ctx, db.PatientGetParams{ID: f.ID, ClinicID: a.ClinicID, StaffID: a.ID, At: t.at}); !noRows(err) {
			t.silent = true
			return err
		}
		f, zone, err := f.checked(t)
		if err != nil {
			return err
		}
		key, wrapped, err := c.keys.NewKey(f.ID)
		if err != nil {
			return err
		}
		b := &chest{key: key}
		row := db.PatientCreateParams{ID: f.ID, ClinicID: a.ClinicID, MrnIndex: c.keys.Index("mrn", looseKey(f.MRN)),
			PersonIndex: c.personIndex(f.Name, f.BirthDate), Language: f.Language, TimeZone: zone, CreatedBy: a.ID, CreatedAt: t.at}
		sealPatient(b, f, &row)
		if b.err != nil {
			return b.err
		}
		if err := errors.Join(t.PatientCreate(ctx, row), t.PatientKeyCreate(ctx, db.PatientKeyCreateParams{PatientID: f.ID, ClinicID: a.ClinicID, Wrapped: wrapped, CreatedAt: t.at})); err != nil {
			return err
		}
		if err := t.firstTeam(ctx, f); err != nil {
			return err
		}
		return t.setContacts(ctx, b, f, nil)
	})
	return f.ID, c.mrnTaken(ctx, a, PatientCreate, Subject{Kind: "patient"}, err)
}

func (t *tx) firstTeam(ctx context.Context, f PatientForm) error {
	team := []uuid.UUID{t.actor.ID}
	if t.actor.Role != Doctor || f.DoctorID != uuid.Nil {
		doctor, err := t.StaffGet(ctx, db.StaffGetParams{ID: f.DoctorID, ClinicID: t.clinicID()})
		if noRows(err) || err == nil && (deref(doctor.Role) != Doctor || doctor.DisabledAt != nil) {
			return invalid(map[string]string{"doctor_id": "Please choose the doctor who will sign for this patient."})
		}
		if err != nil {
			return err
		}
		team = append(team, doctor.ID)
	}
	for _, id := range team {
		if _, err := t.TeamJoin(ctx, db.TeamJoinParams{PatientID: f.ID, StaffID: id, ClinicID: t.clinicID(), Since: t.at}); err != nil {
			return err
		}
	}
	return nil
}

func sealPatient(b *chest, f PatientForm, row *db.PatientCreateParams) {
	row.NameSealed = b.seal(f.Name, "patients", "name", f.ID)
	row.BirthDateSealed = b.seal(f.BirthDate, "patients", "birth_date", f.ID)
	row.MrnSealed = b.seal(f.MRN, "patients", "mrn", f.ID)
	row.SummarySealed = b.seal(f.Summary, "patients", "summary", f.ID)
	row.HistorySealed = b.seal(f.History, "patients", "history", f.ID)
	row.MedicationsSealed = b.seal(f.Medications, "patients", "medications", f.ID)
	row.AllergiesSealed = b.seal(f.Allergies, "patients", "allergies", f.ID)
	row.NotesSealed = b.seal(f.Notes, "patients", "notes", f.ID)
}

// mrnTaken is the one answer that tells of a patient of another care team, since two must not have one number. So it is on
// the trail.
func (c *Clinic) mrnTaken(ctx context.Context, a Actor, d Deed, s Subject, err error) error {
	if isUnique(err, "patients_mrn_index_clinic_id_key") {
		c.refused(ctx, a, d, s, "mrn_taken")
		return invalid(map[string]string{"mrn": "Another patient of this clinic already has this MRN."})
	}
	return err
}

// PatientChange reads a patient for the form in which they are changed; unlike the patient's page, it is not for reading only.
func (c *Clinic) PatientChange(ctx context.Context, a Actor, id uuid.UUID) (Patient, error) {
	var p Patient
	err := c.do(ctx, a, PatientChange, Subject{Kind: "patient", ID: id, Patient: id}, func(t *tx) (err error) {
		p, _, err = t.patient(ctx, id)
		return err
	})
	return p, err
}

// PatientEdit changes a patient. Conflict when somebody saved in between. A changed address becomes a new contact.
func (c *Clinic) PatientEdit(ctx context.Context, a Actor, id uuid.UUID, f PatientForm) error {
	f.ID = id
	err := c.do(ctx, a, PatientEdit, Subject{Kind: "patient", ID: id, Patient: id}, func(t *tx) error {
		old, b, err := t.patient(ctx, id)
		if err != nil {
			return err
		}
		f, zone, err := f.checked(t)
		if err != nil {
			return err
		}
		var row db.PatientCreateParams
		sealPatient(b, f, &row)
		if b.err != nil {
			return b.err
		}
		n, err := t.PatientUpdate(ctx, db.PatientUpdateParams{NameSealed: row.NameSealed, BirthDateSealed: row.BirthDateSealed, MrnSealed: row.MrnSealed,
			MrnIndex: c.keys.Index("mrn", looseKey(f.MRN)), PersonIndex: c.personIndex(f.Name, f.BirthDate), SummarySealed: row.SummarySealed, HistorySealed: row.HistorySealed,
			MedicationsSealed: row.MedicationsSealed, AllergiesSealed: row.AllergiesSealed, NotesSealed: row.NotesSealed,
			Language: f.Language, TimeZone: zone, UpdatedAt: t.at, ID: id, ClinicID: a.ClinicID, Version: int32(f.Version)})
		if err == nil && n == 0 {
			return refuse(Conflict, "changed", "Somebody else changed this patient while you were writing. What you typed is still below; the newer record is on the patient's page.")
		}
		if err != nil {
			return err
		}
		t.detail["fields"] = changedFields(old, f)
		return t.setContacts(ctx, b, f, old.Contacts)
	})
	return c.mrnTaken(ctx, a, PatientEdit, Subject{Kind: "patient", ID: id, Patient: id}, err)
}

// changedFields names what an edit touched: the names go on the trail, never the contents.
func changedFields(old Patient, f PatientForm) []string {
	names := []string{}
	for _, x := range []struct {
		name     string
		old, new string
	}{{"name", old.Name.Reveal(), f.Name}, {"birth_date", old.BirthDate.Reveal(), f.BirthDate}, {"mrn", old.MRN.Reveal(), f.MRN},
		{"summary", old.Summary.Reveal(), f.Summary}, {"history", old.History.Reveal(), f.History},
		{"medications", old.Medications.Reveal(), f.Medications}, {"allergies", old.Allergies.Reveal(), f.Allergies},
		{"notes", old.Notes.Reveal(), f.Notes}, {"language", old.Language, f.Language}, {"time_zone", old.TimeZone, f.TimeZone},
		{"email", old.address("email"), f.Email}, {"phone", old.address("sms"), f.Phone}} {
		if x.old != x.new {
			names = append(names, x.name)
		}
	}
	return names
}

func (p Patient) address(channel string) string {
	for _, c := range p.Contacts {
		if c.Channel == channel {
			return c.Address.Reveal()
		}
	}
	return ""
}

// setContacts makes the live contacts those of the form. A new address is unverified until something proves it.
func (t *tx) setContacts(ctx context.Context, b *chest, f PatientForm, old []Contact) error {
	want := map[string]string{"email": f.Email, "sms": f.Phone}
	for _, c := range old {
		if want[c.Channel] == c.Address.Reveal() {
			delete(want, c.Channel)
			continue
		}
		if err := t.ContactRetire(ctx, db.ContactRetireParams{At: &t.at, ClinicID: t.clinicID(), PatientID: f.ID, Channel: c.Channel}); err != nil {
			return err
		}
	}
	for channel, address := range want {
		if address == "" {
			continue
		}
		id := newID()
		sealed := b.seal(address, "contacts", "address", id)
		if b.err != nil {
			return b.err
		}
		if err := t.ContactCreate(ctx, db.ContactCreateParams{ID: id, ClinicID: t.clinicID(), PatientID: f.ID, Channel: channel,
			AddressSealed: sealed, AddressIndex: t.c.keys.Index("address", looseKey(address)), CreatedAt: t.at}); err != nil {
			return err
		}
	}
	return nil
}
