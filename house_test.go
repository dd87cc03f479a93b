package countersign_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// The rules of the house, and the tables they are read from. Each rule is a function from facts to complaints, so that
// house_rules_test.go can show that it complains about a made-up violation, and TestHouse that it has none here.

// doors says which of our rooms a room's own code may import. A room that is not here may not exist. "." is the front
// door, which holds the embedded files.
var doors = map[string][]string{
	".":               {},
	"cmd/local":       {"local"},
	"cmd/web":         {"app", "config"},
	"cmd/worker":      {"app", "config"},
	"cmd/countersign": {"app", "chaos", "clinic", "config", "sandbox"},
	"deploy":          {},
	"docs":            {},

	"app": {".", "alert", "backup", "blob", "clinic", "config", "fence", "figures", "hook", "identity", "kms", "ledger", "limit", "logging", "metrics", "openai", "sandbox", "score", "seal", "sendgrid", "twilio",
		"waf", "web", "worker"},
	"backup":     {"blob"},
	"alert":      {},
	"bench":      {},
	"hook":       {},
	"chaos":      {"clinic", "ledger", "local", "seal"},
	"check":      {},
	"clinic":     {"alert", "check", "db", "drafting", "faultpoint", "ledger", "seal", "slo"},
	"clinictest": {".", "clinic", "db", "ledger", "seal"},
	"config":     {"alert"},
	"crash":      {},
	"db":         {"seal"},
	"drafting":   {"check"},
	"blob":       {},
	"faultpoint": {},
	"figures":    {"clinic", "metrics", "slo"},
	"fence":      {"blob", "clinic", "faultpoint"},
	"identity":   {},
	"kms":        {},
	"ledger":     {},
	"limit":      {},
	"local":      {},
	"logging":    {},
	"metrics":    {"slo"},
	"openai":     {"clinic"},
	"road":       {},
	"sandbox":    {},
	"score":      {},
	"slo":        {},
	"seal":       {},
	"sendgrid":   {"clinic", "wire"},
	"twilio":     {"clinic", "wire"},
	"waf":        {},
	"web":        {"check", "clinic", "identity", "limit", "metrics", "score", "slo", "waf"},
	"wire":       {"faultpoint"},
	"worker":     {"clinic", "faultpoint", "metrics"},
}

// testDoors are open to every room's tests beside its own: throwaway databases, the played providers and the joined
// house. moreTestDoors are open to the tests of one room, for the reason beside it.
var (
	testDoors     = []string{".", "app", "clinictest", "sandbox"}
	moreTestDoors = map[string][]string{
		".":      {"clinic", "config", "seal"},                                  // the road, from the front door
		"app":    {"check", "slo"},                                              // the demo clinic passes the checks; a figure is judged
		"crash":  {"clinic", "worker"},                                          // actors and answers in our words; the queue, to put tasks on
		"bench":  {"clinic", "worker"},                                          // prepares by deeds, and nudges as web does
		"deploy": {"config"},                                                    // the files of platforms are held to the settings
		"docs":   {"alert", "clinic", "config"},                                 // the documents are held to the code
		"kms":    {"clinic", "config"},                                          // the operator's road, with real keys
		"openai": {"drafting"},                                                  // a real prompt
		"road":   {"check", "clinic", "config", "local", "seal", "web"},         // every page of the router; a second cluster
		"web":    {"seal"},                                                      // keys for a clinic of its own
		"worker": {"db", "openai", "seal", "sendgrid", "twilio", "web", "wire"}, // real adapters against the sandbox
	}
)

// outside says which rooms' own code may import a package from elsewhere, by the package's prefix. A package that is
// not here is free to all.
var outside = map[string][]string{
	"filippo.io/age":                      {"backup"},
	"github.com/BurntSushi/toml":          {},
	"github.com/angelofallars/htmx-go":    {"web"},
	"github.com/aws/aws-sdk-go-v2":        {"blob"},
	"github.com/caarlos0/env":             {"config"},
	"github.com/chromedp":                 {},
	"github.com/coreos/go-oidc":           {"identity"},
	"github.com/corazawaf":                {"waf"},
	"github.com/getsentry/sentry-go":      {"logging"},
	"github.com/go-jose/go-jose":          {"identity", "sandbox"},
	"github.com/goccy/go-yaml":            {},
	"github.com/golang-migrate/migrate":   {"app", "clinictest"},
	"github.com/hibiken/asynq":            {"app", "worker"},
	"github.com/hibiken/asynqmon":         {"app"},
	"github.com/jackc/pgx":                {"app", "chaos", "clinic", "clinictest", "config", "db", "local", "metrics"},
	"github.com/johannesboyne/gofakes3":   {},
	"github.com/labstack/echo":            {"web"},
	"github.com/prometheus/client_golang": {"figures", "metrics", "worker"},
	"github.com/prometheus/client_model":  {"metrics"},
	"github.com/redis/go-redis":           {"app", "clinictest", "limit", "worker"},
	"github.com/sashabaranov/go-openai":   {"openai"},
	"github.com/sendgrid":                 {"sendgrid"},
	"github.com/tink-crypto/tink-go":      {"seal"},
	"github.com/twilio/twilio-go":         {"twilio"},
	"gocloud.dev":                         {"blob", "kms"},
	"golang.org/x/mod":                    {"ledger"},
	"golang.org/x/oauth2":                 {"identity"},
	"pgregory.net/rapid":                  {},
	"database/sql":                        {"app", "clinictest", "logging", "seal"},
	"html/template":                       {"sandbox", "web"},
	"net/http":                            {"app", "chaos", "cmd/countersign", "figures", "hook", "identity", "local", "logging", "metrics", "openai", "sandbox", "score", "sendgrid", "twilio", "web", "wire"},
	"os/exec":                             {"backup", "local"},
}

// pkg is what go list says about a room.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// room is the short name of a package of ours, as in doors; ok is false for a package from elsewhere.
func room(importPath string) (name string, ok bool) {
	if importPath == "countersign" {
		return ".", true
	}
	name, ok = strings.CutPrefix(importPath, "countersign/")
	if !ok {
		return "", false
	}
	name = strings.TrimPrefix(name, "internal/")
	return name, true
}

// importComplaints holds one package to doors and outside. What stands below a room (a folder inside it) is the room's.
func importComplaints(p pkg) (bad []string) {
	here, _ := room(p.ImportPath)
	open, exists := doors[here]
	if !exists {
		return []string{fmt.Sprintf("%s is a room that the table of doors does not have", here)}
	}
	for _, imported := range p.Imports {
		to, ours := room(imported)
		switch {
		case ours && to != here && !slices.Contains(open, to):
			bad = append(bad, fmt.Sprintf("%s imports %s, and that door is closed", here, to))
		case !ours:
			bad = append(bad, outsideComplaints(here, imported)...)
		}
	}
	tests := slices.Concat(open, testDoors, moreTestDoors[here])
	for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
		to, ours := room(imported)
		if ours && to != here && !slices.Contains(tests, to) {
			bad = append(bad, fmt.Sprintf("a test of %s imports %s, and that door is closed to it", here, to))
		}
		if strings.HasPrefix(imported, "github.com/getsentry/") && here != "logging" {
			bad = append(bad, fmt.Sprintf("a test of %s imports sentry-go; only logging knows it", here))
		}
	}
	return bad
}

func outsideComplaints(here, imported string) (bad []string) {
	for prefix, rooms := range outside {
		if (imported == prefix || strings.HasPrefix(imported, prefix+"/")) && !slices.Contains(rooms, here) {
			bad = append(bad, fmt.Sprintf("%s imports %s, which is for %v only", here, imported, rooms))
		}
	}
	return bad
}

// The sizes that a reader can hold: lines of a file and of a function, tests included.
const (
	fileLines, funcLines = 400, 60
	mainLines            = 60 // of cmd/web/main.go and cmd/worker/main.go
)

// sizeComplaints looks at one Go file. Generated files may be of any size, and internal/db holds nothing else.
func sizeComplaints(name string, source []byte) (bad []string) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	if ast.IsGenerated(file) {
		return nil
	}
	if path.Dir(name) == "internal/db" {
		bad = append(bad, name+" is written by hand, in the folder of sqlc's output")
	}
	limit := fileLines
	if name == "cmd/web/main.go" || name == "cmd/worker/main.go" {
		limit = mainLines
	}
	if n := bytes.Count(source, []byte("\n")); n > limit {
		bad = append(bad, fmt.Sprintf("%s has %d lines, over %d", name, n, limit))
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := files.Position(f.End()).Line - files.Position(f.Pos()).Line + 1; n > funcLines {
			bad = append(bad, fmt.Sprintf("%s: %s has %d lines, over %d", name, f.Name.Name, n, funcLines))
		}
	}
	return bad
}

// deedsWithoutMethod are permissions or task types only; methodsWithoutDeed are doors that no policy guards. Each has
// its reason, and one that is no longer needed is a complaint too.
var (
	deedsWithoutMethod = map[string]string{
		"DeliverySend":          "a task type: carried out by DeliveryClaim and DeliveryRecord",
		"DraftWrite":            "a task type: carried out by DraftClaim and DraftFinish",
		"ReviewApproveClinical": "a permission: asked by ReviewApprove when the message turns out to be clinical",
	}
	methodsWithoutDeed = map[string]string{
		"Close":            "gives connections back",
		"Ready":            "asks the database, about nobody",
		"Refused":          "writes the refusal of a deed that never began",
		"SessionFind":      "finds out who the actor is, before anything can be asked",
		"MayWatch":         "says whether a page may hear a name; tells nothing else",
		"WorklistCount":    "a number of what WorklistShow would show, for the navigation of every page",
		"PatientDoctors":   "the names of the clinic's doctors, for a form",
		"PageAsk":          "the same form for every link: looks nothing up",
		"BackupSnapshot":   "reads the installation's own facts at one moment, about nobody; what comes of it BackupCreate records",
		"BackupLast":       "one moment, for the alarm, about nobody",
		"InstanceSee":      "one row about the installation: for the fence, and for the banner of every page",
		"InstanceTrust":    "says which database this process may send from; changes nothing in it",
		"InstanceDoubt":    "the same, for none",
		"LedgerProve":      "reads an event's hashes for whoever holds the database's address, and shows nobody's text",
		"LedgerVerify":     "reads the whole ledger for whoever holds the address of the database or of a copy, and writes nothing, which a copy must not need",
		"LedgerMonths":     "names the trail's tables, for the database's owner; tells nothing of what is in them",
		"LedgerSeal":       "seals what is on the trail: what it would write of itself, it would have to seal again",
		"FiguresKeep":      "numbers of the installation, about nobody",
		"FiguresShow":      "the same, read; the page's door is StatusShow's, and programs have a token",
		"FiguresOver":      "the same, for whoever watches them",
		"FiguresForget":    "deletes old numbers",
		"VitalsKeep":       "what browsers measured, about nobody",
		"VitalsShow":       "the same, read",
		"UpBeat":           "a heartbeat: says that the web serves",
		"UpAsk":            "the leader's probe of it",
		"GuardsSee":        "what SecurityShow counts, for the figure",
		"InstanceBeat":     "a heartbeat: counts, and changes no record",
		"NetworksInForce":  "what the door of the web process holds against every request, before anybody is known",
		"RelayDue":         "marks rows as handed to the queue: no state changes",
		"DeliveryCount":    "numbers for the alarm, about nobody",
		"DraftProgress":    "says how far the model is, and keeps the claim",
		"GlassSee":         "whom the actor may read at the moment, for the banner of every page",
		"AccessSee":        "how many access reviews wait, for the navigation of every page",
		"AlertsSee":        "a number of what AlertList would show, for the navigation of every page",
		"AlertsNow":        "numbers for /metrics, about nobody",
		"AlertNoticesTake": "lends notices to a sender: codes and numbers, no record",
		"AlertNoticeSent":  "writes down what became of one",
	}
)

// deedFacts is what the domain's source says about deeds.
type deedFacts struct {
	consts  map[string]string // name -> value
	policy  []string
	methods []string // exported, of *Clinic
}

// respell turns review.approve and draft.by-hand into ReviewApprove and DraftByHand.
func respell(deed string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(deed, func(r rune) bool { return r == '.' || r == '-' }) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func deedComplaints(f deedFacts) (bad []string) {
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	for name, value := range f.consts {
		if respell(value) != name {
			say("deed %s is spelt %s", value, name)
		}
		if !slices.Contains(f.policy, name) {
			say("deed %s has no row in the policy", value)
		}
		if has, excused := slices.Contains(f.methods, name), deedsWithoutMethod[name] != ""; has == excused {
			say("deed %s: a method is there: %v, it is excused from having one: %v", value, has, excused)
		}
	}
	for _, name := range f.policy {
		if f.consts[name] == "" {
			say("the policy has a row for %s, which is no deed", name)
		}
	}
	for _, name := range f.methods {
		if isDeed, excused := f.consts[name] != "", methodsWithoutDeed[name] != ""; isDeed == excused {
			say("method %s: it is a deed: %v, it is excused from being one: %v", name, isDeed, excused)
		}
	}
	for name := range methodsWithoutDeed {
		if !slices.Contains(f.methods, name) {
			say("method %s is excused, but is not there", name)
		}
	}
	return bad
}

// templateComplaints finds templates that nobody names. pages is path without .html to text; code is all of the web's
// own Go source.
func templateComplaints(pages map[string]string, code string) (bad []string) {
	for name := range pages {
		named := strings.Contains(code, `"`+name+`"`)
		for other, text := range pages {
			named = named || other != name && (strings.Contains(text, `{{template "`+name+`"`) || strings.Contains(text, `{{- template "`+name+`"`))
		}
		if !named {
			bad = append(bad, "nobody names templates/"+name+".html")
		}
	}
	return bad
}

// topLevel is what a newcomer is promised to find.
var topLevel = strings.Fields(`countersign.go house_test.go README.md CONTRIBUTING.md CHANGELOG.md LICENSE NOTICE Makefile Procfile Dockerfile compose.yaml app.json fly.toml render.yaml
	.env.example .ci/run sqlc.yaml go.mod tools/go.mod cmd/web/main.go cmd/worker/main.go cmd/countersign cmd/local queries migrations
	templates/layout.html templates/error.html static/app.css static/app.js static/htmx.min.js static/icons docs/ARCHITECTURE.md
	docs/API.md docs/DEPLOYMENT.md docs/OPERATIONS.md docs/TROUBLESHOOTING.md docs/SECURITY.md docs/SAFETY.md docs/SCALING.md`)

func missingComplaints(exists func(string) bool) (bad []string) {
	names := slices.Clone(topLevel)
	for r := range doors {
		if r != "." && r != "docs" && r != "deploy" && !strings.HasPrefix(r, "cmd/") {
			names = append(names, "internal/"+r)
		}
	}
	for _, name := range names {
		if !exists(name) {
			bad = append(bad, name+" is missing")
		}
	}
	return bad
}

// unfit are words that tell of one machine or of a moment, not of the product. They are spelt in halves here, so that
// this file passes. In Go files, promises to do something later are unfit too.
var unfit = []string{"proxy." + "golang.org", "sum." + "golang.org", "registry." + "npmjs", "deb." + "debian.org", "pypi." + "org",
	"/wo" + "rk/", "/tmp/" + "cs", "/home/" + "user"}

func unfitComplaints(name, text string) (bad []string) {
	words := unfit
	if strings.HasSuffix(name, ".go") {
		words = append(slices.Clone(words), "TO"+"DO", "FIX"+"ME", "XXX"+":")
	}
	for _, word := range words {
		if strings.Contains(text, word) {
			bad = append(bad, fmt.Sprintf("%s holds %q", name, word))
		}
	}
	return bad
}

// TestHouse holds the house to its rules.
func TestHouse(t *testing.T) {
	t.Parallel()
	files := houseFiles(t)
	var web strings.Builder
	pages := map[string]string{}
	var bad []string
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		bad = append(bad, unfitComplaints(name, text)...)
		if strings.HasSuffix(name, ".go") {
			bad = append(bad, sizeComplaints(name, []byte(text))...)
		}
		if page, ok := strings.CutPrefix(name, "templates/"); ok {
			pages[strings.TrimSuffix(page, ".html")] = text
		}
		if strings.HasPrefix(name, "internal/web/") && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			web.WriteString(text)
		}
	}
	bad = append(bad, templateComplaints(pages, web.String())...)
	bad = append(bad, deedComplaints(readDeeds(t, files))...)
	bad = append(bad, missingComplaints(func(name string) bool { _, err := os.Stat(name); return err == nil })...)
	for _, p := range housePackages(t) {
		bad = append(bad, importComplaints(p)...)
	}
	for _, complaint := range bad {
		t.Error(complaint)
	}
}
