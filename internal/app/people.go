package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/seal"
)

// Person is someone who works at the clinic, as the operator sees them. Role is empty for a person who has signed in
// and was given none.
type Person struct {
	Subject, Email, Name string
	Role                 clinic.Role
	Disabled             bool
}

// People is the operator's way to the people of the clinic: the first one, which is the only one outside of tests.
// Changes are deeds and on the audit trail; the list is read as it stands.
type People struct {
	clinic *clinic.Clinic
	conn   *pgx.Conn
	issuer string
	id     uuid.UUID
}

// OpenPeople connects to the records. It fails when there is no clinic yet.
func OpenPeople(ctx context.Context, cfg *config.Config) (*People, error) {
	if cfg.Access.Issuer == "" {
		return nil, errors.New("ACCESS_ISSUER must say who vouches for these people: a person is known by issuer and subject")
	}
	conn, err := pgx.Connect(ctx, cfg.DatabaseURL.Reveal())
	if err != nil {
		return nil, fmt.Errorf("the database cannot be reached: %w", err)
	}
	p := &People{conn: conn, issuer: cfg.Access.Issuer}
	if err = conn.QueryRow(ctx, "SELECT id FROM clinics ORDER BY created_at, id LIMIT 1").Scan(&p.id); errors.Is(err, pgx.ErrNoRows) {
		err = errors.New("there is no clinic yet: run countersign seed, or set one up first")
	}
	if err == nil {
		p.clinic, err = openStore(ctx, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close(ctx))
	}
	return p, nil
}

// openStore opens the records for a command: no queue, no open pages. What it makes due, the relay finds.
func openStore(ctx context.Context, cfg *config.Config) (*clinic.Clinic, error) {
	keyring, err := seal.OpenKeyring(cfg.Keyset.Reveal())
	if err != nil {
		return nil, fmt.Errorf("KEYSET cannot be opened: %w", err)
	}
	return clinic.Open(ctx, clinic.Config{DatabaseURL: cfg.DatabaseURL.Reveal(), Keyring: keyring, BaseURL: cfg.BaseURL, Model: cfg.OpenAI.Model, MaxConns: 2})
}

// Close lets go of the records.
func (p *People) Close() {
	p.clinic.Close()
	_ = p.conn.Close(context.Background())
}

// Add gives a person, known or not yet, a name and a role.
func (p *People) Add(ctx context.Context, who Person) error {
	_, err := p.clinic.StaffPut(ctx, clinic.OperatorActor("operator"), clinic.StaffForm{ClinicID: p.id, Issuer: p.issuer, Subject: who.Subject,
		Email: who.Email, Name: who.Name, Role: who.Role})
	return sayable(err)
}

// SetRole gives a known person, named by subject or e-mail address, another role.
func (p *People) SetRole(ctx context.Context, who string, role clinic.Role) (Person, error) {
	people, err := p.List(ctx)
	if err != nil {
		return Person{}, err
	}
	for _, one := range people {
		if one.Subject == who || one.Email == who {
			one.Role = role
			return one, p.Add(ctx, one)
		}
	}
	return Person{}, errors.New("nobody here has that id or e-mail address; countersign user list shows everybody")
}

// List is everybody whom this issuer vouches for, by name.
func (p *People) List(ctx context.Context) ([]Person, error) {
	rows, err := p.conn.Query(ctx, `SELECT subject, email, name, coalesce(role, ''), disabled_at IS NOT NULL FROM staff
		WHERE clinic_id = $1 AND issuer = $2 ORDER BY name, subject`, p.id, p.issuer)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (Person, error) {
		var one Person
		return one, row.Scan(&one.Subject, &one.Email, &one.Name, (*string)(&one.Role), &one.Disabled)
	})
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
