package main

import (
	"context"
	"errors"
	"os"
	"time"

	"countersign/internal/app"
	"countersign/internal/config"
)

type reconcileCmd struct {
	Since  string `help:"What was sent after this may be missing: a moment such as 2026-11-25T03:00:00Z, or how long ago, such as 2h. Unless given: what the database last knew of itself."`
	DryRun bool   `help:"Only say what would be done."`
	Force  bool   `help:"Also when sending is not stopped, or with a later moment than the database's own."`
}

// Run lifts a stop. Exit code 3: there is none.
func (c reconcileCmd) Run(ctx context.Context) error {
	since, err := moment(c.Since)
	if err != nil {
		return coded{2, err}
	}
	cfg, err := config.Load(os.Getenv)
	if err != nil {
		return err
	}
	err = app.Reconcile(ctx, cfg, app.Reconciling{Since: since, Force: c.Force, DryRun: c.DryRun}, os.Stdout)
	var wrong app.WrongSince
	switch {
	case errors.Is(err, app.ErrNotHeld):
		return coded{3, err}
	case errors.As(err, &wrong):
		return coded{2, err}
	}
	return err
}

// moment reads a time, or a time ago. Nothing is no time.
func moment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return time.Now().Add(-ago), nil
	}
	return time.Time{}, errors.New("--since must be a moment such as 2026-11-25T03:00:00Z, or how long ago, such as 2h")
}

// coded is an error with the code to exit with.
type coded struct {
	code int
	error
}

// Unwrap shows the error below.
func (c coded) Unwrap() error { return c.error }
