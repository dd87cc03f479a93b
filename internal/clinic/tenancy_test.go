package clinic_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"countersign/internal/clinictest"
)

// Tables that belong to the installation and not to a clinic, or that no clinic owns yet; and keys that hold no clinic_id.
var (
	withoutClinic = map[string]string{
		"clinics":            "is the clinic",
		"breakers":           "a provider's account belongs to the installation",
		"backups":            "of the whole installation",
		"instance":           "the installation itself",
		"alert_round":        "when the rules were last evaluated, for all clinics",
		"job_runs":           "the worker's jobs are the installation's: codes and times",
		"figure_minutes":     "what the installation's processes counted, about nobody",
		"figure_quarters":    "the same by quarters of an hour",
		"up_minutes":         "when the installation was up",
		"up_since":           "since when it could be",
		"vital_hours":        "what browsers measured on its pages, about nobody",
		"audit_refusals":     "counts of what strangers were refused, of whom no clinic is known",
		"ledger_leaves":      "hashes over the installation's whole trail: one tree, whose clinics are in its events",
		"ledger_checkpoints": "its roots",
		"ledger_archives":    "months of the installation's whole trail",
		"delivery_edges":     "the state machine",
		"schema_migrations":  "the tool's own",
	}
	maybeClinic = map[string]string{
		"delivery_events": "a report that matches nothing yet has no clinic",
	}
	keysWithoutClinic = map[string]string{
		"audit_events_pkey":                      "an event is (id, at), for the partitions; no look-up by it is anybody's scope",
		"audit_refusals_pkey":                    "see withoutClinic",
		"figure_minutes_pkey":                    "see withoutClinic",
		"figure_quarters_pkey":                   "see withoutClinic",
		"up_minutes_pkey":                        "see withoutClinic",
		"vital_hours_pkey":                       "see withoutClinic",
		"ledger_leaves_pkey":                     "see withoutClinic",
		"ledger_leaves_event_id_key":             "see withoutClinic",
		"ledger_checkpoints_pkey":                "see withoutClinic",
		"ledger_archives_pkey":                   "see withoutClinic",
		"ledger_archives_file_key":               "see withoutClinic",
		"delivery_events_pkey":                   "see maybeClinic",
		"delivery_events_provider_event_key_key": "the provider's key, which no clinic owns",
	}
)

// Every table has clinic_id, every key holds it, and every reference names it, so that no row can point next door.
func TestSchemaHoldsTheClinic(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	tables := w.Strings(t, `SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`)
	clinicOf := map[string]string{}
	for _, row := range w.Strings(t, `SELECT table_name || ' ' || is_nullable FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'clinic_id'`) {
		name, nullable, _ := strings.Cut(row, " ")
		clinicOf[name] = nullable
	}
	for _, table := range tables {
		want := "NO"
		if withoutClinic[table] != "" {
			want = ""
		} else if maybeClinic[table] != "" {
			want = "YES"
		}
		if clinicOf[table] != want {
			t.Errorf("%s: clinic_id may be null: %q, want %q", table, clinicOf[table], want)
		}
	}
	keys := w.Strings(t, `SELECT i.relname || ' ' || c.relname || ' ' || pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
		WHERE c.relnamespace = 'public'::regnamespace AND x.indisunique AND NOT c.relispartition`)
	for _, row := range keys {
		f := strings.SplitN(row, " ", 3)
		if withoutClinic[f[1]] == "" && strings.Contains(f[2], "clinic_id") == (keysWithoutClinic[f[0]] != "") {
			t.Errorf("the key %s of %s: %s", f[0], f[1], f[2])
		}
	}
	references := w.Strings(t, `SELECT c.relname || ' -> ' || r.relname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class r ON r.oid = k.confrelid
		WHERE k.contype = 'f' AND k.connamespace = 'public'::regnamespace`)
	for _, row := range references {
		if !strings.Contains(row, "-> clinics ") && !regexp.MustCompile(`FOREIGN KEY \([^)]*clinic_id\) REFERENCES \w+\([^)]*clinic_id\)`).MatchString(row) {
			t.Errorf("a reference that could lead next door: %s", row)
		}
	}
	if len(tables) < 20 || len(keys) < 25 || len(references) < 25 {
		t.Errorf("the schema was not understood: %d tables, %d keys, %d references", len(tables), len(keys), len(references))
	}
}

// query is one query of queries/, its comments taken off.
type query struct{ name, text string }

func queries(t *testing.T) []query {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "..", "queries", "*.sql"))
	if err != nil || len(files) == 0 {
		t.Fatal("no queries", err)
	}
	var out []query
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		for _, part := range strings.Split(string(text), "-- name: ")[1:] {
			name, rest, _ := strings.Cut(part, " ")
			_, body, _ := strings.Cut(rest, "\n")
			out = append(out, query{name, regexp.MustCompile(`--[^\n]*`).ReplaceAllString(body, "")})
		}
	}
	if len(out) < 100 {
		t.Fatalf("the queries were not understood: %d", len(out))
	}
	return out
}

var (
	mention  = regexp.MustCompile(`(?i)\b(FROM|JOIN|UPDATE|INTO)\s+([a-z_]+)(?:\s+(?:AS\s+)?([a-z]+)\b)?`)
	keywords = strings.Fields("where set on order group left join for limit union cross values returning using")
)

// mentions are the tables that a query names, by the name it calls them.
func (q query) mentions(tables []string) map[string]string {
	out := map[string]string{}
	for _, m := range mention.FindAllStringSubmatch(q.text, -1) {
		if !slices.Contains(tables, m[2]) {
			continue
		}
		alias := m[3]
		if alias == "" || slices.Contains(keywords, strings.ToLower(alias)) {
			alias = ""
		}
		out[alias] = m[2]
	}
	return out
}

// Each table that a query names is held to a clinic in it; the others are the machines', which know an id and find its
// clinic by it, and each is here with its reason.
func TestQueriesHoldTheClinic(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	tables := w.Strings(t, `SELECT table_name::text FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'clinic_id'`)
	left := maps.Clone(queriesOfNoClinic)
	for _, q := range queries(t) {
		var loose []string
		for alias, table := range q.mentions(tables) {
			name := `\b(` + alias + `|` + table + `)\.clinic_id`
			if alias == "" {
				name = `(^|[^.a-z_])(` + table + `\.)?clinic_id`
			}
			if !regexp.MustCompile(name + `\s*=|=\s*` + name + `\b|` + name + `\)\s+(IN|IS)\b|(?s)INSERT INTO ` + table + ` \([^)]*clinic_id`).MatchString(q.text) {
				loose = append(loose, table)
			}
		}
		if (len(loose) > 0) != (queriesOfNoClinic[q.name] != "") {
			t.Errorf("%s: without a clinic %v, excused: %q", q.name, loose, queriesOfNoClinic[q.name])
		}
		delete(left, q.name)
	}
	for name := range left {
		t.Errorf("%s is excused, but is not there", name)
	}
}

// ofPatients are the tables whose rows are about one patient.
var ofPatients = strings.Fields(`patients patient_keys contacts messages briefs drafts draft_requests acknowledgements reviews deliveries
	delivery_attempts pages page_proofs page_sessions glass follow_ups`)

// Each query about patients joins the care team, or is here with the reason why not.
func TestQueriesJoinTheCareTeam(t *testing.T) {
	t.Parallel()
	left := map[string]string{}
	for reason, names := range queriesWithoutTeam {
		for _, name := range strings.Fields(names) {
			left[name] = reason
		}
	}
	for _, q := range queries(t) {
		about := q.mentions(ofPatients)
		joined := strings.Contains(q.text, "care_team")
		insert := strings.HasPrefix(strings.TrimSpace(strings.ToUpper(q.text)), "INSERT")
		if bare := len(about) > 0 && !joined && !insert; bare != (left[q.name] != "") {
			t.Errorf("%s: about %v, joins the care team: %v, excused: %q", q.name, slices.Sorted(maps.Values(about)), joined, left[q.name])
		}
		delete(left, q.name)
	}
	for name := range left {
		t.Errorf("%s is excused, but is not there", name)
	}
}

// What an administrator's queries read of a patient is who they are, how they are reached, who cares for them and who broke
// the glass.
func TestQueriesByAdminReadNothingClinical(t *testing.T) {
	t.Parallel()
	clinical := regexp.MustCompile(`p\.\*|summary|history|medications|allergies|notes_|birth_date|\b(messages|briefs|drafts|reviews|deliveries|pages)\b`)
	n := 0
	for _, q := range queries(t) {
		if !strings.HasSuffix(q.name, "ByAdmin") && q.name != "TeamMembers" && q.name != "TeamCandidates" && q.name != "ContactsOfPatient" {
			continue
		}
		n++
		if found := clinical.FindAllString(q.text, -1); found != nil {
			t.Errorf("%s reads %v", q.name, found)
		}
	}
	if n < 9 {
		t.Errorf("only %d queries were looked at", n)
	}
}
