package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/google/uuid"

	"countersign/internal/app"
	"countersign/internal/config"
)

type auditKeyCmd struct {
	Local bool `help:"For trying out on one machine: staging and production refuse it."`
}

func (c auditKeyCmd) Run() error { return app.NewLedgerKey(c.Local, os.Stdout, os.Stderr) }

type auditVerifyCmd struct {
	Anchors string   `help:"The bucket or folder with the checkpoints, or a file with lines of the workers' log; BLOB_URL unless given."`
	Key     []string `help:"The verifier key, and those before it; the settings' unless given."`
	JSON    bool     `help:"The report as JSON."`
}

func (c auditVerifyCmd) Run(ctx context.Context) error {
	return checked(withTrail(func(cfg *config.Config) error {
		return app.VerifyLedger(ctx, cfg, app.Verifying{Keys: c.Key, Anchors: c.Anchors, JSON: c.JSON}, os.Stdout, os.Stderr)
	}))
}

type auditProveCmd struct {
	Event string   `arg:"" help:"The event's id."`
	Key   []string `help:"The verifier key; the settings' unless given."`
}

func (c auditProveCmd) Run(ctx context.Context) error {
	id, err := uuid.Parse(c.Event)
	if err != nil {
		return coded{2, errors.New("this is no event's id")}
	}
	return checked(withTrail(func(cfg *config.Config) error { return app.ProveEvent(ctx, cfg, id, c.Key, os.Stdout) }))
}

type auditCheckProofCmd struct {
	File string   `arg:"" help:"What «countersign audit prove» printed."`
	Key  []string `required:"" help:"The verifier key, from somebody other than who gave you the proof."`
}

func (c auditCheckProofCmd) Run() error {
	file, err := os.ReadFile(c.File)
	if err != nil {
		return coded{2, err}
	}
	return checked(app.CheckProof(file, c.Key, os.Stdout))
}

type auditArchiveCmd struct {
	Before string `help:"The first month that stays, as 2026-11; six years ago unless given."`
	JSON   bool   `help:"A line of JSON for each month."`
}

func (c auditArchiveCmd) Run(ctx context.Context) error {
	var before time.Time
	if c.Before != "" {
		var err error
		if before, err = time.Parse("2006-01", c.Before); err != nil {
			return coded{2, errors.New("--before is a month, such as 2026-11")}
		}
	}
	return checked(withTrail(func(cfg *config.Config) error { return app.ArchiveMonths(ctx, cfg, before, c.JSON, os.Stdout) }))
}

type auditRestoredCmd struct {
	JSON bool `help:"What was signed, as JSON."`
}

func (c auditRestoredCmd) Run(ctx context.Context) error {
	return checked(withTrail(func(cfg *config.Config) error { return app.SayRestored(ctx, cfg, c.JSON, os.Stdout) }))
}

// withTrail asks of the environment what an auditor has.
func withTrail(do func(*config.Config) error) error {
	cfg, err := config.LoadAudit(os.Getenv)
	if err != nil {
		return err
	}
	return do(cfg)
}

// checked gives 1 to what was tampered with alone: what could not be checked is neither clean nor tampered.
func checked(err error) error {
	if err == nil || errors.Is(err, app.ErrTampered) {
		return err
	}
	return coded{2, err}
}
