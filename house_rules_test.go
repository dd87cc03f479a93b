package countersign_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Facts about the house for the rules of house_test.go, and proofs that each rule catches what it is for.

// housePackages asks go list for every package of the module.
func housePackages(t *testing.T) (packages []pkg) {
	t.Helper()
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for dec := json.NewDecoder(bytes.NewReader(out)); dec.More(); {
		var p pkg
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < len(doors)/2 {
		t.Fatalf("go list found %d packages", len(packages))
	}
	return packages
}

// houseFiles reads every text file of the checkout, what git ignores aside.
func houseFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".local", "bin", "node_modules"}, name):
			return filepath.SkipDir
		case !d.Type().IsRegular() || name == ".git" || name == ".env" || strings.HasSuffix(name, ".test"):
			return nil
		}
		text, err := os.ReadFile(name)
		if err == nil && !bytes.Contains(text, []byte{0}) { // pictures and fonts are not text
			files[filepath.ToSlash(name)] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readDeeds reads the constants of type Deed, the keys of the policy and the methods of *Clinic from the source.
func readDeeds(t *testing.T, files map[string]string) deedFacts {
	t.Helper()
	facts := deedFacts{consts: map[string]string{}}
	for name, text := range files {
		if filepath.ToSlash(filepath.Dir(name)) != "internal/clinic" || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		facts.read(file)
	}
	if len(facts.consts) < 20 || len(facts.policy) < 20 || len(facts.methods) < 20 {
		t.Fatalf("the source was not understood: %d deeds, %d rows, %d methods", len(facts.consts), len(facts.policy), len(facts.methods))
	}
	return facts
}

func (f *deedFacts) read(file *ast.File) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Recv != nil && decl.Name.IsExported() && receiver(decl) == "Clinic" {
				f.methods = append(f.methods, decl.Name.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok && len(v.Values) == len(v.Names) {
					f.value(v)
				}
			}
		}
	}
}

func (f *deedFacts) value(v *ast.ValueSpec) {
	for i, name := range v.Names {
		kind, _ := v.Type.(*ast.Ident)
		if text, ok := v.Values[i].(*ast.BasicLit); ok && kind != nil && kind.Name == "Deed" {
			f.consts[name.Name], _ = strconv.Unquote(text.Value)
		}
		table, ok := v.Values[i].(*ast.CompositeLit)
		if !ok || name.Name != "policy" {
			continue
		}
		for _, row := range table.Elts {
			if pair, ok := row.(*ast.KeyValueExpr); ok {
				f.policy = append(f.policy, pair.Key.(*ast.Ident).Name)
			}
		}
	}
}

func receiver(f *ast.FuncDecl) string {
	if star, ok := f.Recv.List[0].Type.(*ast.StarExpr); ok {
		if name, ok := star.X.(*ast.Ident); ok {
			return name.Name
		}
	}
	return ""
}

// catches fails unless the complaints are as many as the words, each with its word.
func catches(t *testing.T, bad []string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(strings.Join(bad, "\n"), word) {
			t.Errorf("nobody complains about %q: %q", word, bad)
		}
	}
	if len(bad) != len(words) {
		t.Errorf("%d complaints, want %d: %q", len(bad), len(words), bad)
	}
}

func TestHouseCatchesClosedDoors(t *testing.T) {
	t.Parallel()
	in := func(name string) string { return "countersign/internal/" + name }
	for name, tt := range map[string]struct {
		pkg   pkg
		words []string
	}{
		"as it should be":     {pkg{in("web"), []string{in("clinic"), "net/http", "github.com/labstack/echo/v4/middleware"}, []string{in("clinictest"), "github.com/redis/go-redis/v9"}, nil}, nil},
		"a room of its own":   {pkg{in("app"), []string{"countersign", in("web")}, nil, []string{in("app")}}, nil},
		"web to the database": {pkg{in("web"), []string{in("db"), "github.com/jackc/pgx/v5/pgconn"}, nil, nil}, []string{"imports db", "imports github.com/jackc/pgx"}},
		"web to an adapter":   {pkg{in("web"), []string{in("sendgrid")}, nil, nil}, []string{"imports sendgrid"}},
		"clinic to the web":   {pkg{in("clinic"), []string{"net/http", "github.com/labstack/echo/v4", "github.com/hibiken/asynq"}, nil, nil}, []string{"net/http", "echo", "asynq"}},
		"clinic to settings":  {pkg{in("clinic"), []string{in("config")}, nil, nil}, []string{"imports config"}},
		"adapter to adapter":  {pkg{in("twilio"), []string{in("sendgrid")}, nil, nil}, []string{"imports sendgrid"}},
		"sandbox to us":       {pkg{in("sandbox"), []string{in("clinic")}, nil, nil}, []string{"imports clinic"}},
		"sentry elsewhere":    {pkg{in("worker"), []string{"github.com/getsentry/sentry-go"}, nil, []string{"github.com/getsentry/sentry-go"}}, []string{"which is for [logging]", "a test of worker"}},
		"app elsewhere":       {pkg{in("worker"), []string{in("app")}, []string{in("app")}, nil}, []string{"imports app"}},
		"a test goes too far": {pkg{in("web"), nil, nil, []string{in("db")}}, []string{"a test of web imports db"}},
		"an unknown room":     {pkg{in("utils"), nil, nil, nil}, []string{"utils is a room"}},
		"a heavy local":       {pkg{"countersign/cmd/local", []string{in("local"), in("app")}, nil, nil}, []string{"imports app"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			catches(t, importComplaints(tt.pkg), tt.words...)
		})
	}
}

func TestHouseCatchesSizes(t *testing.T) {
	t.Parallel()
	body := func(n int) string { return "func long() {\n" + strings.Repeat("\t_ = 0\n", n-2) + "}\n" }
	catches(t, sizeComplaints("internal/web/a.go", []byte("package web\n\n"+body(60))))
	catches(t, sizeComplaints("internal/web/a.go", []byte("package web\n\n"+body(61))), "long has 61 lines")
	catches(t, sizeComplaints("internal/web/a_test.go", []byte("package web\n"+strings.Repeat("// a line\n", 400))), "401 lines, over 400")
	catches(t, sizeComplaints("internal/db/a.go", []byte("package db\n")), "written by hand")
	catches(t, sizeComplaints("internal/db/a.go", []byte("// Code generated by sqlc. DO NOT EDIT.\n\npackage db\n\n"+body(99))))
	catches(t, sizeComplaints("cmd/web/main.go", []byte("package main\n"+strings.Repeat("\n", 60))), "61 lines, over 60")
	catches(t, sizeComplaints("internal/web/a.go", []byte("packag web\n")), "expected 'package'")
}

func TestHouseCatchesDeeds(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "deed.go", `package clinic
const (
	ReviewApprove Deed = "review.approve"
	DraftByHand   Deed = "draft.by-hand"
	DeliverySend  Deed = "delivery.send"
	PageLost      Deed = "page.lost"
	PageOdd       Deed = "page.strange"
)
var policy = map[Deed]rule{ReviewApprove: {Doctor: Team}, DraftByHand: {}, DeliverySend: {}, PageOdd: {}, Ghost: {}}
func (c *Clinic) ReviewApprove() {}
func (c *Clinic) DraftByHand() {}
func (c *Clinic) PageOdd() {}
func (c *Clinic) DeliverySend() {}
func (c *Clinic) BackDoor() {}
func (c *Clinic) inner() {}
func (t *tx) Other() {}`, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	facts := deedFacts{consts: map[string]string{}}
	facts.read(file)
	for name := range methodsWithoutDeed {
		facts.methods = append(facts.methods, name)
	}
	catches(t, deedComplaints(facts), "page.strange is spelt PageOdd", "page.lost has no row", "page.lost: a method is there: false",
		"delivery.send: a method is there: true", "a row for Ghost", "method BackDoor")
	facts.methods = slices.DeleteFunc(facts.methods, func(name string) bool { return name == "Ready" })
	if bad := deedComplaints(facts); !slices.Contains(bad, "method Ready is excused, but is not there") {
		t.Errorf("an excuse that is not needed passes: %q", bad)
	}
}

func TestHouseCatchesTemplatesAndNames(t *testing.T) {
	t.Parallel()
	pages := map[string]string{
		"draft/show":  `{{template "draft/_card" .}}`,
		"draft/_card": "a card",
		"draft/_self": `{{template "draft/_self" .}}`,
		"draft/_lost": "nobody",
	}
	catches(t, templateComplaints(pages, `const page name = "draft/show"`), "draft/_self.html", "draft/_lost.html")
	catches(t, missingComplaints(func(name string) bool { return name != "README.md" && name != "internal/seal" }), "README.md is missing", "internal/seal is missing")
	catches(t, unfitComplaints("docs/A.md", "fetched from proxy."+"golang.org into /wo"+"rk/main; TO"+"DO"), "proxy.", "/wo")
	catches(t, unfitComplaints("a.go", "// TO"+"DO: later"), "TO"+"DO")
	catches(t, unfitComplaints("a.go", "Todo string // a short word on the worklist"))
}
