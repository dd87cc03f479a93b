// Package docs_test holds the documents to the code: lists of addresses, settings, commands, dependencies and unsourced
// data that are written for people are compared with what is really there.
package docs_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"countersign/internal/config"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// same fails for each thing that stands on one side only.
func same(t *testing.T, where string, said, real []string) {
	t.Helper()
	for _, one := range real {
		if !slices.Contains(said, one) {
			t.Errorf("%s does not have: %s", where, one)
		}
	}
	for _, one := range said {
		if !slices.Contains(real, one) {
			t.Errorf("%s has what is not there: %s", where, one)
		}
	}
	if len(said) != len(real) {
		t.Errorf("%s has %d entries, want %d", where, len(said), len(real))
	}
}

// rows are the cells of a document's table rows that match a pattern, backticks taken off.
func rows(text, pattern string) (all [][]string) {
	for _, row := range regexp.MustCompile(`(?m)^\| *`+pattern).FindAllString(text, -1) {
		var cells []string
		for _, cell := range strings.Split(strings.Trim(row, "| \n"), "|") {
			cells = append(cells, strings.Trim(strings.TrimSpace(cell), "`"))
		}
		all = append(all, cells)
	}
	return all
}

// dataFiles are the lists that come with the checks and with drafting.
func dataFiles(t *testing.T) (names []string) {
	t.Helper()
	for _, pattern := range []string{"internal/check/data/*", "internal/drafting/data/*"} {
		found, err := filepath.Glob(filepath.Join("..", pattern))
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, name := range found {
			names = append(names, strings.TrimPrefix(filepath.ToSlash(name), "../"))
		}
	}
	return names
}

// sources counts a file's rows and names, by their first column, those without a source.
func sources(t *testing.T, name string) (n int, unsourced []string) {
	t.Helper()
	for line := range strings.Lines(read(t, name)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n++
		columns := strings.Split(line, "\t")
		if columns[len(columns)-1] == "unsourced" {
			unsourced = append(unsourced, columns[0])
		}
	}
	return n, unsourced
}

func TestSafetyCountsWhatIsUnsourced(t *testing.T) {
	t.Parallel()
	text := read(t, "docs/SAFETY.md")
	var said, real []string
	for _, row := range rows(text, "`internal/[^\n]*") {
		said = append(said, fmt.Sprintf("%s: %s rows, %s unsourced", row[0], row[1], row[2]))
	}
	for _, name := range dataFiles(t) {
		n, unsourced := sources(t, name)
		real = append(real, fmt.Sprintf("%s: %d rows, %d unsourced", name, n, len(unsourced)))
		if len(unsourced) == 0 {
			continue
		}
		_, list, found := strings.Cut(text, "```unsourced "+name+"\n")
		list, _, closed := strings.Cut(list, "\n```")
		if !found || !closed {
			t.Errorf("docs/SAFETY.md has no list of the unsourced rows of %s", name)
			continue
		}
		same(t, "the list of "+name, strings.FieldsFunc(list, func(r rune) bool { return r == '\n' }), unsourced)
	}
	same(t, "docs/SAFETY.md", said, real)
}

func TestSafetyTellsWhichChecksRun(t *testing.T) {
	t.Parallel()
	var said, real []string
	for _, row := range rows(read(t, "docs/SAFETY.md"), `C\d+ \|[^\n]*`) {
		if row[len(row)-1] == "runs" {
			said = append(said, row[0])
		}
	}
	for _, m := range regexp.MustCompile(`\{"(C\d+)", `).FindAllStringSubmatch(read(t, "internal/check/table.go"), -1) {
		real = append(real, m[1])
	}
	same(t, "docs/SAFETY.md", said, real)
}

func TestNoticeNamesEveryDataFile(t *testing.T) {
	t.Parallel()
	notice := read(t, "NOTICE")
	for _, name := range dataFiles(t) {
		if !strings.Contains(notice, name) {
			t.Errorf("NOTICE does not name %s", name)
		}
	}
}

// defaults are the settings with their defaults, as config declares them.
func defaults(of reflect.Type, prefix string, into map[string]string) {
	for i := range of.NumField() {
		field := of.Field(i)
		if group, ok := field.Tag.Lookup("envPrefix"); ok {
			defaults(field.Type, prefix+group, into)
			continue
		}
		into[prefix+field.Tag.Get("env")] = field.Tag.Get("envDefault")
	}
}

func TestEnvExampleIsComplete(t *testing.T) {
	t.Parallel()
	settings := map[string]string{}
	defaults(reflect.TypeFor[config.Config](), "", settings)
	var said []string
	for _, m := range regexp.MustCompile(`(?m)^#? ?([A-Z_]+)=(.*)$`).FindAllStringSubmatch(read(t, ".env.example"), -1) {
		name, value := m[1], m[2]
		standard, known := settings[name]
		if !known && slices.Contains([]string{"SANDBOX_PORT", "SANDBOX_DIR", "SANDBOX_LISTEN"}, name) {
			continue // read by a command itself
		}
		said = append(said, name)
		if standard != "" && value != standard {
			t.Errorf(".env.example says %s=%s, the default is %s", name, value, standard)
		}
	}
	same(t, ".env.example", said, slices.Collect(maps.Keys(settings)))
}

func TestAPIListsEveryRoute(t *testing.T) {
	t.Parallel()
	var said, real []string
	for _, row := range rows(read(t, "docs/API.md"), "(?:GET|POST|DELETE) \\| `/[^\n]*") {
		said = append(said, strings.Join(row[:4], " "))
	}
	deeds := map[string]string{}
	for _, m := range regexp.MustCompile(`(\w+)\s+Deed = "([^"]+)"`).FindAllStringSubmatch(read(t, "internal/clinic/deed.go"), -1) {
		deeds[m[1]] = m[2]
	}
	for _, r := range routes(t) {
		deed := "–"
		if r.deed != "" {
			deed = deeds[r.deed]
		}
		real = append(real, strings.Join([]string{r.method, r.path, r.door, deed}, " "))
	}
	same(t, "docs/API.md", said, real)
}

type route struct{ method, path, door, deed string }

// routes reads the table of addresses from the source of package web.
func routes(t *testing.T) (all []route) {
	t.Helper()
	names, err := filepath.Glob("../internal/web/*.go")
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{"get": "GET", "post": "POST", "MethodDelete": "DELETE"}
	var tables []*ast.CompositeLit
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if len(n.Values) == 1 {
					if text, ok := n.Values[0].(*ast.BasicLit); ok && text.Kind == token.STRING {
						words[n.Names[0].Name], _ = strconv.Unquote(text.Value)
					}
				}
			case *ast.CompositeLit:
				if of, ok := n.Type.(*ast.ArrayType); ok && fmt.Sprint(of.Elt) == "route" {
					tables = append(tables, n)
				}
			}
			return true
		})
	}
	for _, table := range tables {
		for _, row := range table.Elts {
			cells := row.(*ast.CompositeLit).Elts
			r := route{method: spell(cells[0], words), path: spell(cells[1], words), door: strings.ToLower(strings.TrimPrefix(cells[2].(*ast.Ident).Name, "door"))}
			if deed, ok := cells[3].(*ast.SelectorExpr); ok {
				r.deed = deed.Sel.Name
			}
			all = append(all, r)
		}
	}
	if len(all) < 30 {
		t.Fatalf("the table of routes was not understood: %d rows", len(all))
	}
	return all
}

// spell writes out an expression of names and texts.
func spell(e ast.Expr, words map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.Ident:
		return words[e.Name]
	case *ast.SelectorExpr:
		return words[e.Sel.Name]
	case *ast.BinaryExpr:
		return spell(e.X, words) + spell(e.Y, words)
	}
	return ""
}

func TestAPIListsEveryCommand(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../cmd/countersign/main.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var said, real []string
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.Name == "tool" {
			real = commands(spec.Type.(*ast.StructType), "")
		}
		return true
	})
	for _, row := range rows(read(t, "docs/API.md"), "`countersign [^\n]*") {
		said = append(said, regexp.MustCompile(` [A-Z\[-].*`).ReplaceAllString(strings.TrimPrefix(row[0], "countersign "), ""))
	}
	same(t, "docs/API.md", said, real)
}

func commands(of *ast.StructType, before string) (all []string) {
	for _, field := range of.Fields.List {
		name := before + strings.ToLower(regexp.MustCompile("([a-z])([A-Z])").ReplaceAllString(field.Names[0].Name, "$1-$2"))
		if group, ok := field.Type.(*ast.StructType); ok {
			all = append(all, commands(group, name+" ")...)
		} else {
			all = append(all, name)
		}
	}
	return all
}

func TestArchitectureListsEveryDependency(t *testing.T) {
	t.Parallel()
	versions := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\t(\S+\.\S+/\S+) (v\S+)`).FindAllStringSubmatch(read(t, "go.mod"), -1) {
		versions[m[1]] = m[2]
	}
	cmd := exec.Command("go", "list", "-e", "-f", `{{range .Imports}}{{.}} {{end}}{{range .TestImports}}{{.}} {{end}}{{range .XTestImports}}{{.}} {{end}}`, "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for _, imported := range strings.Fields(string(out)) {
		best := ""
		for module := range versions {
			if (imported == module || strings.HasPrefix(imported, module+"/")) && len(module) > len(best) {
				best = module
			}
		}
		if best != "" {
			direct[best+" "+versions[best]] = true
		}
	}
	var said []string
	for _, row := range rows(read(t, "docs/ARCHITECTURE.md"), "`[a-z.]+\\.[a-z]+/[^\n]*") {
		said = append(said, row[0]+" "+row[1])
	}
	same(t, "docs/ARCHITECTURE.md", said, slices.Collect(maps.Keys(direct)))
}

// Links between the documents lead somewhere, headings included. Pictures are made from the running product and may be
// away.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(names, "../README.md", "../CONTRIBUTING.md", "../CHANGELOG.md") {
		for _, m := range regexp.MustCompile(`\]\(([^)#\s]*)#?([^)]*)\)`).FindAllStringSubmatch(read(t, filepath.Join("docs", name)), -1) {
			target, heading := filepath.Join("docs", filepath.Dir(name), m[1]), m[2]
			if m[1] == "" {
				target = filepath.Join("docs", name)
			}
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s links to %s, which is not there", name, target)
			} else if heading != "" && !slices.Contains(headings(read(t, target)), heading) {
				t.Errorf("%s links to the heading %s of %s, which is not there", name, heading, target)
			}
		}
	}
}

// headings are spelt as links to them are: lower case, without punctuation, with hyphens for spaces.
func headings(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}
