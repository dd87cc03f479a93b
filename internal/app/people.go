package app

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/config"
)

// People is the operator's way to the people of the clinic: the first one, which is the only one outside of tests.
// Everything it does is a deed, and on the audit trail.
type People struct {
	clinic *clinic.Clinic
	issuer string
}

// OpenPeople opens the records. What it makes due, the relay finds.
func OpenPeople(ctx context.Context, cfg *config.Config) (*People, error) {
	if cfg.Issuer() == "" {
		return nil, errors.New("ACCESS_ISSUER or OIDC_ISSUER must say who vouches for these people: a person is known by issuer and subject")
	}
	c, err := openStore(ctx, cfg, clinic.Times{})
	if err != nil {
		return nil, err
	}
	return &People{clinic: c, issuer: cfg.Issuer()}, nil
}

// openStore opens the records for a command: no queue, no open pages. times may be empty.
func openStore(ctx context.Context, cfg *config.Config, times clinic.Times) (*clinic.Clinic, error) {
	keyring, err := openKeyring(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return clinic.Open(ctx, clinic.Config{DatabaseURL: cfg.DatabaseURL.Reveal(), Keyring: keyring, BaseURL: cfg.BaseURL, Model: cfg.OpenAI.Model,
		Times: times, MaxConns: 2})
}

// Close lets go of the records.
func (p *People) Close() { p.clinic.Close() }

// CreateClinic sets up a clinic and returns its id.
func (p *People) CreateClinic(ctx context.Context, f clinic.ClinicForm) (uuid.UUID, error) {
	f.ID = uuid.Must(uuid.NewV7())
	return f.ID, sayable(p.clinic.ClinicCreate(ctx, clinic.OperatorActor("operator"), f))
}

// Add gives a person, known or not yet, a name and a role.
func (p *People) Add(ctx context.Context, who clinic.Member) error {
	_, err := p.clinic.StaffPut(ctx, clinic.OperatorActor("operator"), clinic.StaffForm{Issuer: p.issuer, Subject: who.Subject,
		Email: who.Email, Name: who.Name, Role: who.Role})
	return sayable(err)
}

// Find is a known person, named by subject or e-mail address.
func (p *People) Find(ctx context.Context, who string) (clinic.Member, error) {
	people, err := p.List(ctx)
	for _, one := range people {
		if one.Issuer == p.issuer && (one.Subject == who || one.Email == who) {
			return one, nil
		}
	}
	if err == nil {
		err = errors.New("nobody here has that id or e-mail address; countersign user list shows everybody")
	}
	return clinic.Member{}, err
}

// SwitchOff disables a person and ends their sessions at once.
func (p *People) SwitchOff(ctx context.Context, who clinic.Member) error {
	return sayable(p.clinic.StaffDisable(ctx, clinic.OperatorActor("operator"), who.ID))
}

// SwitchOn lets a person back in who was switched off; they sign in anew.
func (p *People) SwitchOn(ctx context.Context, who clinic.Member) error {
	return sayable(p.clinic.StaffEnable(ctx, clinic.OperatorActor("operator"), who.ID))
}

// List is everybody of the clinic, by name.
func (p *People) List(ctx context.Context) ([]clinic.Member, error) {
	people, err := p.clinic.StaffList(ctx, clinic.OperatorActor("operator"))
	return people, sayable(err)
}

// Networks is the lists of networks that are kept out or let in.
func (p *People) Networks(ctx context.Context) (clinic.Networks, error) {
	all, err := p.clinic.NetworkList(ctx, clinic.OperatorActor("operator"))
	return all, sayable(err)
}

// Unblock takes an entry off: the way back in for who has shut themselves out. Running processes notice within ten seconds.
func (p *People) Unblock(ctx context.Context, id uuid.UUID) error {
	return sayable(p.clinic.NetworkUnblock(ctx, clinic.OperatorActor("operator"), id, "", true))
}

// sayable turns a deed's error into its sentence, with the fields it is about.
func sayable(err error) error {
	if err == nil || clinic.KindOf(err) == clinic.Internal {
		return err
	}
	text := clinic.Sentence(err)
	for field, sentence := range clinic.Fields(err) {
		text += " " + field + ": " + sentence
	}
	return errors.New(text)
}
