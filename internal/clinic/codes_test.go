package clinic_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"countersign/internal/clinic"
)

var number = regexp.MustCompile(`^[1236]\d{4}$`) // of Twilio

// codesIn reads from a room's own source what codes it can produce: constants and fields that are named code, the second
// of two words that a function returns, and every number of Twilio's. An Error's code has its sentence beside it.
func codesIn(t *testing.T, room string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join("..", room, "*.go"))
	must(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") || room == "clinic" && filepath.Base(name) == "codes.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		must(t, err)
		take := func(e ast.Expr) {
			if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if text, err := strconv.Unquote(l.Value); err == nil && text != "" && !strings.Contains(text, " ") { // a sentence needs no words
					found[text] = name
				}
			}
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if isError(n) {
				return false
			}
			takeCodes(n, take, func(l *ast.BasicLit) {
				if text := strings.Trim(l.Value, "\""); room != "clinic" && number.MatchString(text) {
					found[text] = name
				}
			})
			return true
		})
	}
	return found
}

func isError(n ast.Node) bool {
	l, ok := n.(*ast.CompositeLit)
	if !ok {
		return false
	}
	if s, ok := l.Type.(*ast.SelectorExpr); ok {
		return s.Sel.Name == "Error"
	}
	name, ok := l.Type.(*ast.Ident)
	return ok && name.Name == "Error"
}

func takeCodes(n ast.Node, take func(ast.Expr), literal func(*ast.BasicLit)) {
	switch n := n.(type) {
	case *ast.BasicLit:
		literal(n)
	case *ast.ValueSpec:
		for i, name := range n.Names {
			if strings.HasPrefix(strings.ToLower(name.Name), "code") && i < len(n.Values) {
				take(n.Values[i])
			}
		}
	case *ast.KeyValueExpr:
		if key, ok := n.Key.(*ast.Ident); ok && strings.EqualFold(key.Name, "code") {
			take(n.Value)
		}
	case *ast.ReturnStmt:
		if len(n.Results) == 2 {
			if first, ok := n.Results[0].(*ast.BasicLit); ok && slices.Contains(evidence, strings.Trim(first.Value, `"`)) {
				take(n.Results[1])
			}
		}
	}
}

// Every code that an adapter, the worker, we ourselves or the sandbox can produce is a sentence of its own, and says
// nothing of the machinery.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	all := map[string]string{}
	for room, least := range map[string]int{"clinic": 5, "sendgrid": 8, "twilio": 8, "wire": 7, "worker": 2, "sandbox": 15} {
		found := codesIn(t, room)
		if len(found) < least {
			t.Errorf("%s has only %d codes: %v", room, len(found), slices.Sorted(maps.Keys(found)))
		}
		maps.Copy(all, found)
	}
	for _, said := range strings.Fields(`400 401 403 404 405 406 413 415 429 451 500 502 503 504
		20429 20500 20003 21211 21614 21612 21408 21610 30003 30004 30005 30006 30007 30008 30034 30610 14107 63038`) {
		all[said] = "the design"
	}
	for code, where := range all {
		words := clinic.CodeWords(code)
		if strings.Contains(words, "The provider's code is") && code != "redis_away" { // of a task, not of a delivery
			t.Errorf("%q has no words (%s)", code, where)
		}
		if !strings.HasSuffix(words, ".") || strings.Contains(words, "  ") || strings.Contains(strings.ToLower(words), "twilio") {
			t.Errorf("%q reads %q", code, words)
		}
	}
	for code, want := range map[string]string{"302": "another address", "418": "with status 418", "599": "error of its own", "4711x": "code is 4711x"} {
		if words := clinic.CodeWords(code); !strings.Contains(words, want) {
			t.Errorf("%q reads %q", code, words)
		}
	}
}

// What means a wrong setting tells the staff whom to tell.
func TestConfigurationTellsWhomToTell(t *testing.T) {
	t.Parallel()
	for code := range clinic.ConfigurationCodes {
		if words := clinic.CodeWords(code); !clinic.Configuration(code) || !strings.Contains(words, "Tell your administrator.") {
			t.Errorf("%q reads %q", code, words)
		}
	}
	for _, code := range []string{"", "21610", "429", "500", "bad_address"} {
		if clinic.Configuration(code) {
			t.Errorf("%q is no setting", code)
		}
	}
}
