package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"

	"countersign/internal/app"
	"countersign/internal/clinic"
	"countersign/internal/config"
)

type migrateCmd struct{}

// Run needs the databases and keys only, so that it works before the providers are set up.
func (migrateCmd) Run(ctx context.Context) error {
	cfg, err := config.LoadStore(os.Getenv)
	if err != nil {
		return err
	}
	return app.Migrate(ctx, cfg, os.Stdout)
}

type seedCmd struct{}

func (seedCmd) Run(ctx context.Context) error {
	cfg, err := config.LoadStore(os.Getenv)
	if err != nil {
		return err
	}
	return app.Seed(ctx, cfg, os.Stdout)
}

type userAddCmd struct {
	Subject string `arg:"" help:"The person's id at the sign-in provider (the token's sub)."`
	Role    string `arg:"" enum:"staff,reviewer,doctor,auditor,admin,ops" help:"staff, reviewer, doctor, auditor, admin or ops."`
	Name    string `required:"" help:"Full name, as it stands under messages."`
	Email   string `required:"" help:"E-mail address."`
}

func (c userAddCmd) Run(ctx context.Context) error {
	return withPeople(ctx, func(p *app.People) error {
		if err := p.Add(ctx, clinic.Member{Subject: c.Subject, Name: c.Name, Email: c.Email, Role: clinic.Role(c.Role)}); err != nil {
			return err
		}
		fmt.Printf("%s is %s now.\n", c.Name, c.Role)
		return nil
	})
}

type userRoleCmd struct {
	Person string `arg:"" help:"The person's id at the sign-in provider, or their e-mail address."`
	Role   string `arg:"" enum:"staff,reviewer,doctor,auditor,admin,ops" help:"staff, reviewer, doctor, auditor, admin or ops."`
}

func (c userRoleCmd) Run(ctx context.Context) error {
	return withPerson(ctx, c.Person, func(p *app.People, who clinic.Member) error {
		who.Role = clinic.Role(c.Role)
		if err := p.Add(ctx, who); err != nil {
			return err
		}
		fmt.Printf("%s is %s now; their open sessions are ended.\n", who.Name, c.Role)
		return nil
	})
}

type userDisableCmd struct {
	Person string `arg:"" help:"The person's id at the sign-in provider, or their e-mail address."`
}

func (c userDisableCmd) Run(ctx context.Context) error {
	return withPerson(ctx, c.Person, func(p *app.People, who clinic.Member) error {
		if err := p.SwitchOff(ctx, who); err != nil {
			return err
		}
		fmt.Printf("%s is switched off; their open sessions are ended.\n", who.Name)
		return nil
	})
}

type userEnableCmd struct {
	Person string `arg:"" help:"The person's id at the sign-in provider, or their e-mail address."`
}

func (c userEnableCmd) Run(ctx context.Context) error {
	return withPerson(ctx, c.Person, func(p *app.People, who clinic.Member) error {
		if err := p.SwitchOn(ctx, who); err != nil {
			return err
		}
		fmt.Printf("%s is switched on again, with the role and care teams from before; they sign in anew.\n", who.Name)
		return nil
	})
}

type userListCmd struct{}

func (userListCmd) Run(ctx context.Context) error {
	return withPeople(ctx, func(p *app.People) error {
		people, err := p.List(ctx)
		for _, who := range people {
			state := string(who.Role)
			switch {
			case who.Disabled:
				state += " (switched off)"
			case state == "":
				state = "no role"
			}
			fmt.Printf("%-24s %-36s %-28s %s\n", who.Subject, who.Email, who.Name, state)
		}
		return err
	})
}

type networkListCmd struct{}

func (networkListCmd) Run(ctx context.Context) error {
	return withPeople(ctx, func(p *app.People) error {
		all, err := p.Networks(ctx)
		for _, n := range all {
			until := "until taken off"
			if n.ExpiresAt != nil {
				until = "until " + n.ExpiresAt.Format(time.RFC3339)
			}
			fmt.Printf("%s %-8s %-20s %s (%s, %s)\n", n.ID, n.Kind, n.What(), n.Reason, n.By, until)
		}
		return err
	})
}

type networkUnblockCmd struct {
	ID string `arg:"" help:"The entry's id, as countersign network list shows it."`
}

func (c networkUnblockCmd) Run(ctx context.Context) error {
	id, err := uuid.Parse(c.ID)
	if err != nil {
		return coded{2, errors.New("that is no id; countersign network list shows them")}
	}
	return withPeople(ctx, func(p *app.People) error {
		if err := p.Unblock(ctx, id); err != nil {
			return err
		}
		fmt.Println("Taken off; running processes notice within ten seconds.")
		return nil
	})
}

type clinicCreateCmd struct {
	Name       string `required:"" help:"The clinic's full name."`
	NoticeName string `required:"" help:"The neutral name that may stand in an e-mail or SMS: no specialty."`
	Phone      string `required:"" help:"The number patients call."`
	Emergency  string `default:"911" help:"The emergency line."`
	Zone       string `required:"" help:"The time zone, such as America/Chicago."`
	Undo       int    `default:"30" help:"Seconds in which a signature can be undone, 0 to 120."`
}

func (c clinicCreateCmd) Run(ctx context.Context) error {
	return withPeople(ctx, func(p *app.People) error {
		id, err := p.CreateClinic(ctx, clinic.ClinicForm{Name: c.Name, NoticeName: c.NoticeName, Phone: c.Phone, Emergency: c.Emergency, Zone: c.Zone, UndoSeconds: c.Undo})
		if err == nil {
			fmt.Printf("%s is set up, with the id %s. Next: countersign user add.\n", c.Name, id)
		}
		return err
	})
}

func withPerson(ctx context.Context, name string, do func(*app.People, clinic.Member) error) error {
	return withPeople(ctx, func(p *app.People) error {
		who, err := p.Find(ctx, name)
		if err != nil {
			return err
		}
		return do(p, who)
	})
}

func withPeople(ctx context.Context, do func(*app.People) error) error {
	cfg, err := config.LoadStore(os.Getenv)
	if err != nil {
		return err
	}
	people, err := app.OpenPeople(ctx, cfg)
	if err != nil {
		return err
	}
	defer people.Close()
	return do(people)
}

type configCheckCmd struct{}

func (configCheckCmd) Run() error {
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		return err
	}
	verifier, err := app.LedgerVerifier(cfg)
	if err != nil {
		return err
	}
	fmt.Print(cfg)
	if verifier != "" {
		fmt.Printf("\nThe audit ledger's verifier: %s\n", verifier)
	}
	return nil
}
