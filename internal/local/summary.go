package local

import (
	"fmt"
	"path/filepath"
	"strings"
)

// people are those whom the sandbox's sign-in page offers, and what each of them is for.
var people = [][3]string{
	{"Tom Reyes", "staff", "writes briefs, asks for drafts, submits them"},
	{"Priya Nair", "staff", "writes briefs, asks for drafts, submits them"},
	{"Dr Amara Osei", "doctor", "reviews, answers findings, signs"},
	{"Dr Jonas Lindqvist", "doctor", "reviews, answers findings, signs"},
	{"Helen Marsh", "reviewer", "signs administrative messages, returns any with a note"},
	{"Victor Sandoval", "auditor", "searches the audit trail, has it verified"},
	{"Ruth Ebbing", "admin", "people, care teams, settings, security, status"},
	{"Kenji Watts", "ops", "status, alerts, jobs, the queue board"},
}

// summary is what a person needs to know once all stands.
func (s *run) summary() string {
	var text strings.Builder
	app := strings.TrimSuffix(s.env.Get("BASE_URL"), "/")
	rows := [][2]string{
		{"Countersign", app},
		{"Sandbox inbox", s.sandbox + "/"},
		{"Queue board", app + "/ops/queues"},
	}
	local := !s.env.Has("ACCESS_ISSUER") && !s.env.Has("OIDC_ISSUER")
	if local && s.env.Get("OIDC_ISSUER") == "" {
		rows = append(rows, [2]string{"Sign-in page", s.sandbox + "/sign-in"})
	}
	text.WriteString("\n")
	for _, row := range rows {
		fmt.Fprintf(&text, "  %-15s %s\n", row[0], row[1])
	}
	if local {
		text.WriteString("\n  Sign in as\n")
		for _, p := range people {
			fmt.Fprintf(&text, "    %-20s %-9s %s\n", p[0], p[1], p[2])
		}
	}
	fmt.Fprintf(&text, "\n  Data and logs   %s\n", s.home.Dir)
	fmt.Fprintf(&text, "  Another shell   set -a; . %s; set +a\n", filepath.Join(s.home.Dir, "env"))
	text.WriteString("  Ctrl-C stops all of it and keeps the data; make reset forgets it.\n\n")
	return text.String()
}
