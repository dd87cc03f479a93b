package app

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/config"
)

//go:embed demo/*.json
var demoFiles embed.FS

// demoSpace makes the demo's ids: the same at every run, so that a seed which broke off goes on where it was.
var demoSpace = uuid.MustParse("6f2d4c1e-52a1-5f0b-9a57-1d2c5f3b8e90")

func demoID(name string) uuid.UUID { return uuid.NewSHA1(demoSpace, []byte(name)) }

// demoPeople are those whom the sandbox's sign-in page offers, by subject. The first names are the authors' keys.
var demoPeople = []clinic.Member{
	{Subject: "amara-osei", Name: "Dr Amara Osei", Role: clinic.Doctor},
	{Subject: "jonas-lindqvist", Name: "Dr Jonas Lindqvist", Role: clinic.Doctor},
	{Subject: "tom-reyes", Name: "Tom Reyes", Role: clinic.Staff},
	{Subject: "priya-nair", Name: "Priya Nair", Role: clinic.Staff},
	{Subject: "helen-marsh", Name: "Helen Marsh", Role: clinic.Reviewer},
	{Subject: "victor-sandoval", Name: "Victor Sandoval", Role: clinic.Auditor},
	{Subject: "ruth-ebbing", Name: "Ruth Ebbing", Role: clinic.Admin},
	{Subject: "kenji-watts", Name: "Kenji Watts", Role: clinic.Ops},
}

var demoMail = map[string]string{
	"amara-osei": "amara.osei", "jonas-lindqvist": "jonas.lindqvist", "tom-reyes": "tom.reyes", "priya-nair": "priya.nair",
	"helen-marsh": "helen.marsh", "victor-sandoval": "victor.sandoval", "ruth-ebbing": "ruth.ebbing", "kenji-watts": "kenji.watts",
}

// demoSettings are the doctors' settings. Dr Lindqvist's are the seed's last deed and so the sign that it is whole.
var demoSettings = []struct {
	doctor   string
	settings clinic.Settings
}{
	{"amara-osei", clinic.Settings{Tone: "warm", ReadingLevel: "elementary", Specialty: "Internal medicine", MaxWords: 120,
		SignOff: "Warm regards,\nDr Amara Osei\nRiverside Care"}},
	{"jonas-lindqvist", clinic.Settings{Tone: "concise", ReadingLevel: "middle", Specialty: "Cardiology", MaxWords: 180,
		SignOff: "Best wishes,\nDr Jonas Lindqvist\nRiverside Care"}},
}

// Seed fills the demo clinic by doing deeds, as its people would: patients, briefs, drafts written by hand, reviews and
// signatures. Everybody in it is made up. Run again it changes nothing, whatever people have done since. Production
// refuses. What is signed goes out when the worker finds it.
func Seed(ctx context.Context, cfg *config.Config, out io.Writer) error {
	if cfg.Env == config.Production {
		return errors.New("production has no demo clinic: seed is refused")
	}
	if cfg.Issuer() == "" {
		return errors.New("ACCESS_ISSUER or OIDC_ISSUER must say who vouches for the demo's people")
	}
	whole, err := seeded(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the demo clinic cannot be looked for; has countersign migrate run? %w", err)
	}
	if whole {
		fmt.Fprintln(out, "The demo clinic is there already; nothing was changed.")
		return nil
	}
	c, err := openStore(ctx, cfg, clinic.Times{})
	if err != nil {
		return err
	}
	defer c.Close()
	s := &seeding{clinic: c, id: demoID("clinic"), issuer: cfg.Issuer(), people: map[string]clinic.Actor{}}
	patients, messages, err := s.run(ctx)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	fmt.Fprintf(out, "The demo clinic is ready: %d people, %d patients, %d messages.\n", len(s.people), patients, messages)
	return nil
}

// seeded looks for the last thing that a seed makes.
func seeded(ctx context.Context, cfg *config.Config) (bool, error) {
	conn, err := pgx.Connect(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return false, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM doctor_settings d JOIN staff s ON s.id = d.staff_id AND s.clinic_id = d.clinic_id
		WHERE d.clinic_id = $1 AND s.subject = $2)`, demoID("clinic"), demoSettings[len(demoSettings)-1].doctor).Scan(&there)
	return there, err
}

// seeding is one run: the clinic, and its people as actors by subject.
type seeding struct {
	clinic *clinic.Clinic
	id     uuid.UUID
	issuer string
	people map[string]clinic.Actor
}

func (s *seeding) operator() clinic.Actor {
	a := clinic.OperatorActor("seed")
	a.ClinicID = s.id
	return a
}

func (s *seeding) run(ctx context.Context) (patients, messages int, err error) {
	err = s.clinic.ClinicCreate(ctx, s.operator(), clinic.ClinicForm{ID: s.id, Name: "Riverside Care", NoticeName: "Riverside Care Team",
		Phone: "+1 415 555 0100", Emergency: "911", Zone: "America/Los_Angeles", UndoSeconds: 30})
	if err != nil {
		return 0, 0, sayable(err)
	}
	for _, p := range demoPeople {
		s.people[p.Subject], err = s.clinic.StaffPut(ctx, s.operator(), clinic.StaffForm{ClinicID: s.id, Issuer: s.issuer, Subject: p.Subject,
			Email: demoMail[p.Subject] + "@riverside.example", Name: p.Name, Role: p.Role})
		if err != nil {
			return 0, 0, sayable(err)
		}
	}
	if patients, err = s.patients(ctx); err != nil {
		return 0, 0, err
	}
	if messages, err = s.messages(ctx); err != nil {
		return 0, 0, err
	}
	for _, d := range demoSettings {
		err := s.clinic.SettingsEdit(ctx, s.people[d.doctor], d.settings)
		if err != nil && clinic.KindOf(err) != clinic.Conflict { // a run that broke off has saved them
			return 0, 0, sayable(err)
		}
	}
	return patients, messages, nil
}

// demoPatient is a row of demo/patients.json.
type demoPatient struct {
	MRN         string   `json:"mrn"`
	Name        string   `json:"name"`
	BirthDate   string   `json:"birth_date"`
	Doctor      string   `json:"doctor"`
	Team        []string `json:"team"`
	Email       string   `json:"email"`
	Phone       string   `json:"phone"`
	Summary     string   `json:"summary"`
	History     string   `json:"history"`
	Medications string   `json:"medications"`
	Allergies   string   `json:"allergies"`
	Notes       string   `json:"notes"`
	Language    string   `json:"language"`
	TimeZone    string   `json:"time_zone"`
}

// optedOut is the patient who has answered STOP to a text.
const optedOut = "+14155550165"

func (s *seeding) patients(ctx context.Context) (int, error) {
	var rows []demoPatient
	if err := readDemo("demo/patients.json", &rows); err != nil {
		return 0, err
	}
	for _, p := range rows {
		id, err := s.clinic.PatientCreate(ctx, s.people[p.Team[0]], clinic.PatientForm{ID: demoID("patient " + p.MRN), Name: p.Name, BirthDate: p.BirthDate,
			MRN: p.MRN, Summary: p.Summary, History: p.History, Medications: p.Medications, Allergies: p.Allergies, Notes: p.Notes,
			Language: p.Language, TimeZone: p.TimeZone, Email: p.Email, Phone: p.Phone, DoctorID: s.people[p.Doctor].ID})
		if err != nil {
			return 0, fmt.Errorf("record %s: %w", p.MRN, sayable(err))
		}
		for _, member := range p.Team[1:] {
			if err := s.clinic.TeamJoin(ctx, s.operator(), id, s.people[member].ID); err != nil {
				return 0, fmt.Errorf("record %s: %w", p.MRN, sayable(err))
			}
		}
	}
	reply := clinic.ProviderActor("twilio", "", "seed")
	return len(rows), sayable(s.clinic.ConsentReply(ctx, reply, clinic.Reply{ID: "SM-seed", From: optedOut, Words: "STOP"}))
}

func readDemo(name string, into any) error {
	raw, err := demoFiles.ReadFile(name)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}
