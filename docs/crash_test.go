package docs_test

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each row of the crash matrix names its test, and each test of the room stands in the chapter.
func TestCrashMatrixNamesItsTests(t *testing.T) {
	t.Parallel()
	_, chapter, _ := strings.Cut(read(t, "docs/ARCHITECTURE.md"), "### The crash matrix")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	said := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(chapter, -1)
	files, err := filepath.Glob("../internal/crash/*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var names, tests []string
	for _, m := range said {
		names = append(names, m[1])
	}
	for _, file := range files {
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(read(t, strings.TrimPrefix(file, "../")), -1) {
			tests = append(tests, m[1])
		}
	}
	same(t, "the crash matrix of docs/ARCHITECTURE.md", names, tests)
}
