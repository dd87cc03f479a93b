package web

import (
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type patientListView struct {
	Rows     []clinic.PatientRow
	Next     string
	Total    int
	Term     string
	Searched bool
	Closed   int // patients whom a search by name cannot find
	Errors   map[string]string
}

func (s *Server) patientList(c *call) error {
	page, err := s.cfg.Clinic.PatientList(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pagePatients, part: partPatients, title: "Patients", nav: "patients",
		v: patientListView{Rows: page.Rows, Next: page.Next, Total: page.Total}})
}

// patientSearch is a POST so that no term ever stands in an address. A form that is sent is a settled search; so is what
// htmx sends, since it waits 300 ms for the next key.
func (s *Server) patientSearch(c *call) error {
	term := c.form.line("term")
	if term == "" {
		return s.patientList(c)
	}
	page, err := s.cfg.Clinic.PatientSearch(c.ctx(), c.actor, term, true)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pagePatients, part: partPatients, title: "Patients", nav: "patients",
		v: patientListView{Rows: page.Rows, Total: page.Total, Term: term, Searched: true, Closed: page.Closed}})
}

type patientView struct {
	Patient  clinic.Patient
	ClinicID uuid.UUID
}

func (s *Server) patientShow(c *call) error {
	p, err := s.cfg.Clinic.PatientShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	c.through(p.ByGlass)
	return s.render(c, http.StatusOK, answer{page: pagePatient, title: "Patient", nav: "patients",
		v: patientView{Patient: p, ClinicID: c.actor.ClinicID}})
}

type patientFormView struct {
	Form     clinic.PatientForm
	Doctors  []clinic.Person
	Editing  bool
	Errors   map[string]string
	Sentence string
	Newer    string // where to see what somebody else saved since
}

// patientNew is the empty form. The patient's id is made here, so that a double click creates once.
func (s *Server) patientNew(c *call) error {
	if err := s.may(c, clinic.PatientCreate); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	return s.patientForm(c, http.StatusOK, patientFormView{Form: clinic.PatientForm{ID: id, Language: "en"}})
}

func (s *Server) patientCreate(c *call) error {
	form := readPatient(c.form)
	form.ID = c.form.id("id")
	id, err := s.cfg.Clinic.PatientCreate(c.ctx(), c.actor, form)
	if correctable(err) {
		return s.patientForm(c, statusOf(clinic.KindOf(err)), patientFormView{Form: form, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/patients/"+id.String(), saidPatient)
}

// patientChange is the form filled with the patient as they stand.
func (s *Server) patientChange(c *call) error {
	p, err := s.cfg.Clinic.PatientChange(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	return s.patientForm(c, http.StatusOK, patientFormView{Form: formOfPatient(p), Editing: true})
}

func (s *Server) patientEdit(c *call) error {
	form := readPatient(c.form)
	form.ID = c.id
	err := s.cfg.Clinic.PatientEdit(c.ctx(), c.actor, c.id, form)
	newer := ""
	if clinic.KindOf(err) == clinic.Conflict { // the form carries the newer version: who has read the sentence may save over it
		now, showErr := s.cfg.Clinic.PatientShow(c.ctx(), c.actor, c.id)
		if showErr != nil {
			return showErr
		}
		form.Version, newer = now.Version, "/patients/"+c.id.String()
	}
	if correctable(err) {
		return s.patientForm(c, statusOf(clinic.KindOf(err)), patientFormView{Form: form, Editing: true, Newer: newer, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/patients/"+c.id.String(), saidPatient)
}

func (s *Server) patientForm(c *call, status int, v patientFormView) error {
	title := "Add a patient"
	if v.Editing {
		title = "Edit patient"
	} else {
		doctors, err := s.cfg.Clinic.PatientDoctors(c.ctx(), c.actor)
		if err != nil {
			return err
		}
		v.Doctors = doctors
	}
	return s.render(c, status, answer{page: pagePatientForm, title: title, nav: "patients", v: v})
}

func readPatient(f form) clinic.PatientForm {
	return clinic.PatientForm{Name: f.line("name"), BirthDate: f.line("birth_date"), MRN: f.line("mrn"), Summary: f.text("summary"),
		History: f.text("history"), Medications: f.text("medications"), Allergies: f.text("allergies"), Notes: f.text("notes"),
		Language: f.line("language"), TimeZone: f.line("time_zone"), Email: f.line("email"), Phone: f.line("phone"),
		DoctorID: f.id("doctor_id"), Version: f.version()}
}

func formOfPatient(p clinic.Patient) clinic.PatientForm {
	form := clinic.PatientForm{ID: p.ID, Name: p.Name.Reveal(), BirthDate: p.BirthDate.Reveal(), MRN: p.MRN.Reveal(), Summary: p.Summary.Reveal(),
		History: p.History.Reveal(), Medications: p.Medications.Reveal(), Allergies: p.Allergies.Reveal(), Notes: p.Notes.Reveal(),
		Language: p.Language, TimeZone: p.TimeZone, Version: p.Version}
	for _, contact := range p.Contacts {
		switch contact.Channel {
		case "email":
			form.Email = contact.Address.Reveal()
		case "sms":
			form.Phone = contact.Address.Reveal()
		}
	}
	return form
}

// correctable: the form comes back as it was typed, with sentences. Everything else is a page of its own.
func correctable(err error) bool {
	kind := clinic.KindOf(err)
	return err != nil && (kind == clinic.Invalid || kind == clinic.Conflict)
}
