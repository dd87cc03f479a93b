package web

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"countersign/internal/clinic"
)

// columns are who asks: a person of each role, one whom nobody gave a role yet, one who was switched off while signed in,
// and nobody. The first six are on the care team of the team's patient if their role can be on one.
var columns = []string{"staff", "reviewer", "doctor", "auditor", "admin", "ops", "no role", "disabled", "nobody"}

// relation is how who asks stands to what they ask for.
type relation string

const (
	itself   relation = "–"         // there is nothing else it is about
	own      relation = "own"       // they wrote, submitted, signed or opened it, or they are it
	team     relation = "team"      // a patient of their care team, somebody else's work
	glass    relation = "glass"     // another patient, opened by break-glass
	other    relation = "other"     // another patient or person of the clinic
	nextDoor relation = "next door" // of another clinic
)

// row is a route asked in one relation. kind tells two rows of one route apart.
type row struct {
	route route
	kind  string
	about subject
	rel   relation
}

// subject is what a route's id means.
type subject string

const (
	nothing  subject = ""
	patients subject = "patient"
	messages subject = "message"
	notices  subject = "delivery"
	sessions subject = "session"
	glasses  subject = "glass"
	persons  subject = "person"
	teams    subject = "team"
	entries  subject = "network"
	warnings subject = "alert"
	acts     subject = "event"
	weeks    subject = "access review"
)

// subjects say what the :id of an address is, by its first word, and which addresses carry an id in a query or form. A route
// with an id that is not here fails.
var (
	subjects = map[string]subject{"patients": patients, "briefs": messages, "drafts": messages, "reviews": messages, "messages": messages,
		"deliveries": notices, "calls": messages, "sessions": sessions, "glass": glasses, "staff": persons, "settings": persons, "teams": teams, "networks": entries,
		"audit": acts, "access": weeks, "alerts": warnings}
	carried = map[string]subject{"/briefs/new": patients, "/briefs": patients, "/briefs/flags": patients, "/deliveries/preview": notices,
		"/deliveries/retry": notices, pathEvents: messages}
)

func relationsOf(about subject, deed clinic.Deed) []relation {
	switch about {
	case glasses:
		if deed == clinic.GlassReview { // one's own is of when one was something else: TestGlassReviewIsNotOnesOwn
			return []relation{other, nextDoor}
		}
		return []relation{own, other, nextDoor}
	case nothing:
		return []relation{itself}
	case messages:
		return []relation{own, team, glass, other, nextDoor}
	case patients, notices:
		return []relation{team, glass, other, nextDoor}
	case teams, entries, acts, weeks, warnings:
		return []relation{other, nextDoor}
	default:
		return []relation{own, other, nextDoor}
	}
}

// rows are made from the router: what it answers to, in each relation that fits.
func (m *matrix) rows() (all []row, free []route) {
	m.t.Helper()
	table := map[string]route{}
	for _, r := range m.site.routes() {
		table[r.method+" "+r.path] = r
	}
	for _, laid := range m.site.echo.Routes() {
		if laid.Method == http.MethodHead {
			continue
		}
		r, ok := table[laid.Method+" "+laid.Path]
		if !ok {
			m.t.Errorf("the router answers to %s %s, which is not in the table of routes", laid.Method, laid.Path)
			continue
		}
		if r.door != doorStaff && r.door != doorPerson {
			free = append(free, r)
			continue
		}
		about := carried[r.path]
		if strings.Contains(r.path, "/:id") {
			if about = subjects[strings.Split(r.path, "/")[1]]; about == nothing {
				m.t.Errorf("%s %s: nobody says what its id is", r.method, r.path)
			}
		}
		kinds := []string{""}
		if r.path == "/reviews/:id/approve" {
			kinds = []string{"administrative", "clinical"}
		}
		for _, kind := range kinds {
			for _, rel := range relationsOf(about, r.deed) {
				all = append(all, row{route: r, kind: kind, about: about, rel: rel})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b row) int { return strings.Compare(a.order(), b.order()) })
	slices.SortFunc(free, func(a, b route) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all, free
}

func (r row) order() string { return r.route.path + " " + r.route.method + " " + r.kind }

// expected is what the policy table says, in the words of the matrix.
func (r row) expected(who string) string {
	switch who {
	case "disabled", "nobody":
		return "sign in"
	case "no role":
		return map[bool]string{true: "yes", false: "403"}[r.route.door == doorPerson]
	}
	a := clinic.Actor{Kind: clinic.ActorPerson, Role: clinic.Role(who)}
	scope := a.May(r.route.deed)
	switch {
	case scope == clinic.None && r.route.path == pathEvents, r.rel == nextDoor && scope != clinic.None:
		return "404" // a stream says of all that it may not show that it is not there
	case scope == clinic.None:
		return "403"
	case r.rel == other && scope != clinic.Everything:
		return "404"
	case r.rel == glass && scope != clinic.Everything && !clinic.Through(r.route.deed):
		return "404"
	case r.route.deed == clinic.SettingsShow && scope == clinic.Everything && (r.rel == own || r.rel == itself):
		return "404" // administrators have no settings of their own
	case r.rel == own && (scope == clinic.TeamNotOwn || notOneself[r.route.deed]), r.rel == team && scope == clinic.Own:
		return "403"
	case r.kind == "clinical" && !a.Can(clinic.ReviewApproveClinical) && (r.rel == own || r.rel == team):
		return "403"
	}
	return "yes"
}

// notOneself are deeds that nobody does to themselves.
var notOneself = map[clinic.Deed]bool{clinic.StaffAssign: true, clinic.StaffDisable: true, clinic.StaffEnable: true}

// TestMatrix asks a real server for every address of the router, as everybody, in every relation, and holds the answers to
// the policy table and to testdata/matrix.golden, which a person can read. UPDATE_GOLDEN=1 writes the file anew.
func TestMatrix(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	all, free := m.rows()
	var out strings.Builder
	out.WriteString(matrixHead)
	line := func(cells ...string) {
		fmt.Fprintf(&out, "%-6s %-30s %-24s %-10s", cells[0], cells[1], cells[2], cells[3])
		for _, c := range cells[4:] {
			fmt.Fprintf(&out, " %-8s", c)
		}
		out.WriteString("\n")
	}
	line(append([]string{"method", "address", "deed", "relation"}, columns...)...)
	for _, r := range all {
		cells := []string{r.route.method, r.route.path, strings.TrimSpace(string(r.route.deed) + " " + inBrief(r.kind)), string(r.rel)}
		for _, who := range columns {
			got := m.ask(r, who)
			if want := r.expected(who); got != want {
				t.Errorf("%s %s %s, %s, by %s: the server says %q, the policy table %q", r.route.method, r.route.path, r.kind, r.rel, who, got, want)
			}
			cells = append(cells, got)
		}
		line(cells...)
	}
	m.everyRefusalIsOnTheTrail()
	out.WriteString("\nWithout a sign-in, as nobody with made-up links and no signature:\n\n")
	for _, r := range free {
		fmt.Fprintf(&out, "%-6s %-30s %-24s %s\n", r.method, r.path, r.deed, m.askFree(r))
	}
	compareGolden(t, "matrix.golden", out.String())
}

// everyRefusalIsOnTheTrail looks for what was just refused, by its request. A form may be refused for a deed that it does
// first: answering a finding saves the words that were typed.
func (m *matrix) everyRefusalIsOnTheTrail() {
	m.t.Helper()
	kept := map[string]bool{}
	for _, id := range m.site.world.Strings(m.t, "SELECT request_id FROM audit_events WHERE outcome = 'refused'") {
		kept[id] = true
	}
	for _, no := range m.refused {
		if !kept[no.request] {
			m.t.Errorf("%s %s %s, %s, by %s was refused, and the trail does not have it", no.row.route.method, no.row.route.path, no.row.kind, no.row.rel, no.who)
		}
	}
	if len(m.refused) < 500 {
		m.t.Errorf("only %d refusals were looked for", len(m.refused))
	}
}

func inBrief(kind string) string {
	return map[string]string{"administrative": "(admin.)", "clinical": "(clin.)"}[kind]
}

const matrixHead = `Who gets what: each address of the router, asked at a real server. Made by TestMatrix; UPDATE_GOLDEN=1 writes it anew.

yes      it is done, shown, or only the form is found wrong (2xx, 303, 409, 422)
403      the role does not include it, or not on this row (one's own, clinical)
404      it is not there, or not for them: the two look the same
sign in  303 or 401

own        they wrote, submitted, signed or opened it, or are it     glass      another team's patient, by break-glass
team       a patient of their care team, a colleague's work         other      another patient, person or sign-in of the clinic
–          there is nothing else that it is about                   next door  another clinic's

`

func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	lines := strings.Split(got, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	got = strings.Join(lines, "\n")
	golden := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Split(string(want), "\n")
	for i := range max(len(lines), len(old)) {
		is, was := "", ""
		if i < len(lines) {
			is = lines[i]
		}
		if i < len(old) {
			was = old[i]
		}
		if is != was {
			t.Fatalf("%s, line %d:\nis:  %s\nwas: %s", golden, i+1, is, was)
		}
	}
}
