package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html/template"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"countersign"
)

func testFuncs() template.FuncMap {
	return template.FuncMap{"icon": func(string) string { return "" }}
}

func files(texts map[string]string) fstest.MapFS {
	all := fstest.MapFS{}
	for file, text := range texts {
		all[file] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func TestViewsAreCheckedBothWays(t *testing.T) {
	t.Parallel()
	screens, parts := []screen{{"a/show", "layout"}}, []name{"a/_card"}
	good := map[string]string{
		"layout.html": `{{define "layout"}}<main>{{template "content" .}}</main>{{end}}`,
		"a/show.html": `{{define "content"}}{{template "a/_card" .}}{{end}}`, "a/_card.html": `<p>{{.Title}}{{if .Nav}}{{template "_dot" .}}{{end}}</p>`, "_dot.html": "dot",
	}
	for _, test := range []struct{ name, file, text, complaint string }{
		{"as it is", "_dot.html", "dot", ""},
		{"a file that nothing names", "a/_old.html", "old", "nothing names a/_old.html"},
		{"a page that the code does not name", "b/show.html", `{{define "content"}}{{end}}`, "nothing names b/show.html"},
		{"a call to nothing", "a/_card.html", `{{template "a/_gone" .}}{{template "_dot" .}}`, "a/_gone"},
		{"a page without content", "a/show.html", "hello", "does not define"},
		{"an unsafe place", "_dot.html", `<a href={{.Title}}</a>`, "unquoted attr"},
		{"not a template", "a/readme.txt", "hello", "not a template"},
		{"bad syntax", "_dot.html", "{{if}}", "_dot"},
		{"a page that is missing", "a/show.html", "-", "a/show.html, which is not there"},
		{"a part that is missing", "a/_card.html", "-", "a/_card"},
	} {
		t.Run(test.name, func(t *testing.T) {
			texts := map[string]string{}
			for k, v := range good {
				texts[k] = v
			}
			texts[test.file] = test.text
			if test.text == "-" {
				delete(texts, test.file)
			}
			_, err := newViews(files(texts), testFuncs(), screens, parts)
			if test.complaint == "" && err != nil || test.complaint != "" && (err == nil || !strings.Contains(err.Error(), test.complaint)) {
				t.Fatalf("got %v, want %q", err, test.complaint)
			}
		})
	}
}

func TestTheRealTemplatesAreComplete(t *testing.T) {
	t.Parallel()
	assets, err := newAssets(countersign.Static())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{assets: assets}
	if _, err := newViews(countersign.Templates(), s.functions(), allScreens(), allParts()); err != nil {
		t.Fatal(err)
	}
}

// Every name of a template in screens.go is used by a handler: the list is not a place to keep the unused alive.
func TestEveryTemplateNameIsUsed(t *testing.T) {
	t.Parallel()
	uses := map[string]int{}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && (strings.HasPrefix(id.Name, "page") || strings.HasPrefix(id.Name, "part")) {
				if e.Name() == "screens.go" {
					uses[id.Name] += 0
				} else {
					uses[id.Name]++
				}
			}
			return true
		})
	}
	for id, n := range uses {
		if n == 0 && id != "page" {
			t.Errorf("no handler shows %s", id)
		}
	}
	if len(uses) < 30 {
		t.Fatalf("only %d names found", len(uses))
	}
}
