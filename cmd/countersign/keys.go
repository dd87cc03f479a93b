package main

import (
	"context"
	"os"

	"countersign/internal/app"
	"countersign/internal/config"
)

type keysNewCmd struct {
	Local bool `help:"For trying out on one machine: staging and production refuse it."`
}

func (k keysNewCmd) Run(ctx context.Context) error {
	return app.NewKeyset(ctx, os.Getenv("KEYSET_KMS"), k.Local, os.Stdout)
}

type (
	keysAddCmd     struct{}
	keysPromoteCmd struct{}
	keysDropCmd    struct{}
)

func (keysAddCmd) Run(ctx context.Context) error     { return changeKeyset(ctx, app.KeysetAdd) }
func (keysPromoteCmd) Run(ctx context.Context) error { return changeKeyset(ctx, app.KeysetPromote) }
func (keysDropCmd) Run(ctx context.Context) error    { return changeKeyset(ctx, app.KeysetDrop) }

func changeKeyset(ctx context.Context, change app.KeysetChange) error {
	return withStore(func(cfg *config.Config) error { return app.ChangeKeyset(ctx, cfg, change, os.Stdout, os.Stderr) })
}

type keysMoveCmd struct {
	To string `required:"" help:"The key service's address, such as awskms:///alias/countersign?region=us-west-2."`
}

func (k keysMoveCmd) Run(ctx context.Context) error {
	return withStore(func(cfg *config.Config) error { return app.MoveKeyset(ctx, cfg, k.To, os.Stdout, os.Stderr) })
}

type keysStatusCmd struct{}

func (keysStatusCmd) Run(ctx context.Context) error {
	return withStore(func(cfg *config.Config) error { return app.KeysStatus(ctx, cfg, os.Stdout) })
}

type keysRotateCmd struct {
	Patients bool `help:"Give each patient a new key of their own, too: what is written from then on is sealed with it."`
}

func (k keysRotateCmd) Run(ctx context.Context) error {
	return withStore(func(cfg *config.Config) error { return app.RotateKeys(ctx, cfg, k.Patients, os.Stdout) })
}

func withStore(do func(*config.Config) error) error {
	cfg, err := config.LoadStore(os.Getenv)
	if err != nil {
		return err
	}
	return do(cfg)
}
