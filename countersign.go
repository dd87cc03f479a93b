// Package countersign drafts messages to patients and sends none that a person has not read and signed.
//
// This package is the front door and holds only what ships inside the binaries: the migrations, the templates and the
// static files. The house behind it:
//
//	cmd/web, cmd/worker   the two processes; cmd/countersign is the operator's tool, cmd/local runs all of it on one machine
//	internal/app          the only place where the rooms are joined
//	internal/clinic       the domain: one public method per deed, one permission, one transaction, one audit event.
//	                      Begin with deed.go, which says who may do what, and clinic.go, whose do is the one door
//	internal/web          requests to deeds to HTML. Begin with routes.go, which lists every address
//	internal/worker       tasks to deeds, on a queue that carries ids only
//	internal/check        is this message safe to sign? Pure functions
//	internal/drafting     what a model may see and what is accepted back. Pure functions
//	internal/openai, sendgrid, twilio, identity, logging, metrics, seal, config
//	                      one outside technology each
//	internal/sandbox      plays every provider on a local port, and imports nothing of ours
//
// docs/ARCHITECTURE.md says what is guaranteed, what is not, and why it is built this way.
package countersign

import (
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

//go:embed all:templates
var templates embed.FS

//go:embed static
var static embed.FS

// Migrations are the database's schema, one numbered pair of files per step, at the root of the file system.
func Migrations() fs.FS { return below(migrations, "migrations") }

// Templates are the pages and partials: layout.html is at the root.
func Templates() fs.FS { return below(templates, "templates") }

// Static are the stylesheet, scripts, icons and fonts: app.css is at the root.
func Static() fs.FS { return below(static, "static") }

func below(files embed.FS, folder string) fs.FS {
	sub, err := fs.Sub(files, folder)
	if err != nil {
		panic(err) // the folder's name is not a valid path: cannot happen with the names above
	}
	return sub
}
