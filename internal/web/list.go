package web

import (
	"maps"
	"net/http"
	"slices"

	"countersign/internal/clinic"
)

// Route is one address as the tests of the joined house see it: whatever they try on every page, they try on those that
// come new.
type Route struct {
	Method, Path string
	Deed         clinic.Deed
	SignedIn     bool     // a session and a role are asked for
	Typed        []string // the fields of its form that people type into
}

// Routes is every address there is, as the router has it.
func Routes() (all []Route) {
	declared := forms()
	for _, r := range (&Server{}).routes() {
		one := Route{Method: r.method, Path: r.path, Deed: r.deed, SignedIn: r.door == doorStaff}
		if r.hasForm() {
			for _, name := range slices.Sorted(maps.Keys(declared[r.path])) {
				if f := declared[r.path][name]; f.kind == fieldLine || f.kind == fieldArea {
					one.Typed = append(one.Typed, name)
				}
			}
		}
		all = append(all, one)
	}
	return all
}

// IsPage is true for what a person's browser opens: not a stream, a file, a probe or the board's own parts.
func (r Route) IsPage() bool {
	switch r.Path {
	case pathEvents, pathStatic, pathHealth, pathReady, pathMetrics, pathAuditProof, pathBoard + "/*":
		return false
	}
	return r.Method == http.MethodGet
}
