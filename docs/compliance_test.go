package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// standard and law are the lines that COMPLIANCE has to have, each once.
const (
	standard = `1.2.1 1.2.4 1.2.10 2.2.2 2.3.1 2.3.3 2.3.5 2.4.1 3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.4.3 3.4.5 3.4.6 3.4.8 3.5.1 3.5.2 3.5.3 3.5.8
		4.1.3 6.3.2 6.8.1 6.8.2 7.2.3 7.3.1 7.3.2 7.4.1 7.4.2 8.2.1 8.2.2 8.3.2 9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3 11.3.2 11.3.3 11.3.4
		12.3.1 12.3.2 13.3.1 13.4.2 14.2.1 14.2.3 14.3.1 14.3.2 15.3.3 15.4.2 16.2.5 16.3.1 16.3.2 16.3.3 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3`
	law = `164.312(a)(1) 164.312(a)(2)(i) 164.312(a)(2)(ii) 164.312(a)(2)(iii) 164.312(a)(2)(iv) 164.312(b) 164.312(c)(1) 164.312(c)(2) 164.312(d)
		164.312(e)(1) 164.312(e)(2)(i) 164.312(e)(2)(ii) 164.308(a)(1)(ii)(D) 164.308(a)(7)(ii)(A) 164.308(a)(7)(ii)(B) 164.308(a)(7)(ii)(C)
		164.308(a)(7)(ii)(D) 164.316(b)(2)(i)`
)

var testName = regexp.MustCompile("`(Test\\w+)`")

// testsOfTheCode are the names of all tests that there are.
func testsOfTheCode(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	err := filepath.WalkDir("..", func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return tests
}

// A test that a document names is there.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	tests := testsOfTheCode(t)
	for _, name := range []string{"docs/SECURITY.md", "docs/COMPLIANCE.md", "docs/SAFETY.md", "docs/ARCHITECTURE.md", "docs/OPERATIONS.md", "docs/SCALING.md"} {
		for _, m := range testName.FindAllStringSubmatch(read(t, name), -1) {
			if !tests[m[1]] {
				t.Errorf("%s names %s, which is not there", name, m[1])
			}
		}
	}
}

// Both lists are whole, each number once, and each line names a test that there is, or says that it is open.
func TestComplianceIsProven(t *testing.T) {
	t.Parallel()
	said, complaints := compliance(read(t, "docs/COMPLIANCE.md"), testsOfTheCode(t))
	for _, complaint := range complaints {
		t.Error(complaint)
	}
	same(t, "docs/COMPLIANCE.md", said, strings.Fields(standard+" "+law))
}

// compliance reads the lines of both lists, and says what is wrong with them.
func compliance(text string, tests map[string]bool) (said, complaints []string) {
	for _, row := range rows(text, `\d+[.\d]+[^\n]*`) {
		number := row[0]
		if slices.Contains(said, number) {
			complaints = append(complaints, number+" is there twice")
		}
		said = append(said, number)
		if len(row) != 3 || strings.TrimSpace(row[1]) == "" {
			complaints = append(complaints, number+" is not a number, what it asks for, and what is here")
			continue
		}
		// rows takes the outer backticks off a cell
		named := testName.FindAllStringSubmatch("`"+row[2]+"`", -1)
		for _, m := range named {
			if !tests[m[1]] {
				complaints = append(complaints, number+" names "+m[1]+", which is not there")
			}
		}
		if len(named) == 0 && !regexp.MustCompile(`^open: \S`).MatchString(row[2]) {
			complaints = append(complaints, number+" names no test, and does not say that it is open")
		}
	}
	return said, complaints
}

// What is wrong with a list is said.
func TestComplianceCatches(t *testing.T) {
	t.Parallel()
	for row, complaint := range map[string]string{
		"| 1.2.1 | a thing | `TestThere` |":                           "",
		"| 1.2.1 | a thing | `TestThere`, `TestThere`; open: a |":     "",
		"| 1.2.1 | a thing | open: comes with issue 5 |":              "",
		"| 1.2.1 | a thing | `TestGone` |":                            "1.2.1 names TestGone, which is not there",
		"| 1.2.1 | a thing | `TestThere`, `TestGone` |":               "1.2.1 names TestGone, which is not there",
		"| 164.312(b) | a thing | all is well |":                      "164.312(b) names no test, and does not say that it is open",
		"| 1.2.1 | a thing | open: |":                                 "1.2.1 names no test, and does not say that it is open",
		"| 1.2.1 | a thing | - |":                                     "1.2.1 names no test, and does not say that it is open",
		"| 1.2.1 | | `TestThere` |":                                   "1.2.1 is not a number, what it asks for, and what is here",
		"| 1.2.1 | a | open: b |\n| 1.2.1 | a | `TestThere` |":        "1.2.1 is there twice",
		"| 1.2.1 | a | open: b |\n| 1.2.10 | a | `TestThere` |":       "",
		"| 1.2.1 | a thing | TestThere without its quotation marks |": "1.2.1 names no test, and does not say that it is open",
	} {
		_, got := compliance(row+"\n", map[string]bool{"TestThere": true})
		if strings.Join(got, "; ") != complaint {
			t.Errorf("%s: %q, want %q", row, got, complaint)
		}
	}
}
