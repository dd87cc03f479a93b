package main

import (
	"context"
	"fmt"
	"os"

	"countersign/internal/app"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/seal"
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
		if err := p.Add(ctx, app.Person{Subject: c.Subject, Name: c.Name, Email: c.Email, Role: clinic.Role(c.Role)}); err != nil {
			return err
		}
		fmt.Printf("%s is %s now.\n", c.Name, c.Role)
		return nil
	})
}

type userRoleCmd struct {
	Subject string `arg:"" help:"The person's id at the sign-in provider, or their e-mail address."`
	Role    string `arg:"" enum:"staff,reviewer,doctor,auditor,admin,ops" help:"staff, reviewer, doctor, auditor, admin or ops."`
}

func (c userRoleCmd) Run(ctx context.Context) error {
	return withPeople(ctx, func(p *app.People) error {
		who, err := p.SetRole(ctx, c.Subject, clinic.Role(c.Role))
		if err != nil {
			return err
		}
		fmt.Printf("%s is %s now.\n", who.Name, c.Role)
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

type keysNewCmd struct{}

// Run prints the keyset alone, so that it can be sent to a file.
func (keysNewCmd) Run() error {
	keyset, err := seal.NewKeyset()
	if err != nil {
		return err
	}
	fmt.Println(keyset)
	return nil
}

type configCheckCmd struct{}

func (configCheckCmd) Run() error {
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		return err
	}
	fmt.Print(cfg)
	return nil
}
