package main

import (
	"os"

	"countersign/internal/app"
)

type auditKeyCmd struct {
	Local bool `help:"For trying out on one machine: staging and production refuse it."`
}

func (c auditKeyCmd) Run() error { return app.NewLedgerKey(c.Local, os.Stdout, os.Stderr) }
