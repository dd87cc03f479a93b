package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/seal"
)

// house is one of the two clinics of a run: in one a signature takes effect at once, in the other it can be undone.
type house struct {
	id                uuid.UUID
	undo              time.Duration
	doctor, staff     clinic.Actor
	doctorAs, staffAs string // whom the sandbox signs in
	patients          []*patient
}

// patient is a made-up person, by what they need to open their page.
type patient struct {
	id           uuid.UUID
	name, first  string
	mrn          string
	birth        time.Time
	email, phone string
}

// letter is a message that waits for its signature.
type letter struct {
	house   *house
	message uuid.UUID
	version int
	doctor  *person // who signs it
}

// scene is the clinic with its people and patients, and the deeds by which letters get onto the doctor's table.
type scene struct {
	clinic *clinic.Clinic
	houses []*house
}

const patientsEach = 24

// newScene sets up both clinics. It opens the records itself, as the product's own tools do.
func newScene(ctx context.Context, s *stage) (*scene, error) {
	keys, err := seal.OpenKeyring(s.keyset)
	if err != nil {
		return nil, err
	}
	c, err := clinic.Open(ctx, clinic.Config{DatabaseURL: s.cluster.Databases.App, Keyring: keys, BaseURL: s.balancer.address, MaxConns: 6})
	if err != nil {
		return nil, err
	}
	sc := &scene{clinic: c, houses: []*house{
		{doctorAs: "amara-osei", staffAs: "tom-reyes"},
		{doctorAs: "jonas-lindqvist", staffAs: "priya-nair", undo: undoWindow},
	}}
	for i, h := range sc.houses {
		if err := sc.furnish(ctx, s.outside.address, i, h); err != nil {
			c.Close()
			return nil, fmt.Errorf("setting the scene: %w", err)
		}
	}
	return sc, nil
}

// undoWindow is the second clinic's.
const undoWindow = 4 * time.Second

func (sc *scene) furnish(ctx context.Context, issuer string, n int, h *house) (err error) {
	operator := clinic.OperatorActor("chaos")
	h.id = uuid.Must(uuid.NewV7())
	operator.ClinicID = h.id
	if err := sc.clinic.ClinicCreate(ctx, operator, clinic.ClinicForm{ID: h.id, Name: "Riverside Care", NoticeName: "Riverside Care Team",
		Phone: "+1 415 555 0100", Emergency: "911", Zone: "America/Chicago", UndoSeconds: int(h.undo.Seconds())}); err != nil {
		return err
	}
	for _, person := range []struct {
		into    *clinic.Actor
		subject string
		role    clinic.Role
	}{{&h.doctor, h.doctorAs, clinic.Doctor}, {&h.staff, h.staffAs, clinic.Staff}} {
		*person.into, err = sc.clinic.StaffPut(ctx, operator, clinic.StaffForm{ClinicID: h.id, Issuer: issuer, Subject: person.subject,
			Email: person.subject + "@riverside.example", Name: person.subject, Role: person.role})
		if err != nil {
			return err
		}
	}
	for i := range patientsEach {
		p := newPatient(n*patientsEach + i)
		p.id, err = sc.clinic.PatientCreate(ctx, h.staff, clinic.PatientForm{Name: p.name, BirthDate: p.birth.Format(time.DateOnly),
			MRN: p.mrn, Language: "en", Email: p.email, Phone: p.phone, DoctorID: h.doctor.ID})
		if err != nil {
			return fmt.Errorf("%s: %v", clinic.Sentence(err), clinic.Fields(err))
		}
		h.patients = append(h.patients, p)
	}
	return nil
}

// newPatient makes up the nth patient. A few have an address at which the provider refuses or returns everything.
func newPatient(n int) *patient {
	firsts, lasts := []string{"Ada", "Bela", "Cora", "Dina", "Edda", "Finn", "Gita", "Hugo"}, []string{"Winter", "Sommer", "Lenz", "Herbst", "Morgen", "Abend"}
	first, last := firsts[n%len(firsts)], lasts[n/len(firsts)%len(lasts)]
	p := &patient{first: first, name: first + " " + last, mrn: fmt.Sprintf("RC-%d-Q", 70000+n), birth: time.Date(1940+n, time.Month(1+n%12), 1+n%28, 0, 0, 0, 0, time.UTC),
		email: fmt.Sprintf("%s.%s.%d@mail.example", strings.ToLower(first), strings.ToLower(last), n), phone: fmt.Sprintf("+1415555%04d", 100+n)}
	switch n % patientsEach {
	case 0:
		p.email, p.phone = "bounce."+p.email, fmt.Sprintf("+1415%03d0004", 600+n) // accepted, then returned
	case 1:
		p.email, p.phone = "drop."+p.email, "+15005550009" // a number that is refused
	case 2:
		p.email = "defer." + p.email
	}
	return p
}

// What is asked, and what the letters say.
const (
	inquiry      = "When is the clinic open?"
	openingHours = "The clinic is open from Monday to Friday"
)

// write takes a message by deeds to the doctor's table.
func (sc *scene) write(ctx context.Context, h *house) (letter, error) {
	p := h.patients[rand.IntN(len(h.patients))]
	channel := "email"
	if rand.IntN(2) == 0 {
		channel = "sms"
	}
	brief := clinic.BriefForm{PatientID: p.id, DoctorID: h.doctor.ID, Inquiry: inquiry, Points: []string{openingHours},
		Priority: clinic.Priorities[rand.IntN(len(clinic.Priorities))], Kind: "administrative", Channel: channel}
	id, err := sc.clinic.BriefCreate(ctx, h.staff, brief)
	if err != nil {
		return letter{}, err
	}
	if err := sc.clinic.DraftByHand(ctx, h.staff, id); err != nil {
		return letter{}, err
	}
	v, err := sc.clinic.DraftShow(ctx, h.staff, id)
	if err != nil {
		return letter{}, err
	}
	v, err = sc.clinic.DraftEdit(ctx, h.staff, id, v.Message.Version, p.letter())
	if err != nil {
		return letter{}, err
	}
	if err := sc.clinic.ReviewSubmit(ctx, h.staff, id, v.Message.Version); err != nil {
		return letter{}, err
	}
	if v, err = sc.clinic.ReviewShow(ctx, h.doctor, id); err != nil {
		return letter{}, err
	}
	for _, f := range v.Findings {
		if f.Level == "ask" && !f.Answered {
			if err := sc.clinic.FindingAnswer(ctx, h.doctor, id, f.Key); err != nil {
				return letter{}, err
			}
		}
	}
	return letter{house: h, message: id, version: v.Message.Version}, nil
}

// letter is what the patient will read. It names them, so that a page can be seen to be theirs.
func (p *patient) letter() string {
	return "Dear " + p.name + ",\n\nThank you for your question. " + openingHours + ".\n\nPlease call the clinic if you have questions."
}
