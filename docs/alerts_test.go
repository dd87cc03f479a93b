package docs_test

import (
	"regexp"
	"strings"
	"testing"

	"countersign/internal/alert"
)

// Each rule has its section in the runbook, in the order of the code, and the section says what to do; each section is of a rule.
func TestRunbookHasEveryAlert(t *testing.T) {
	t.Parallel()
	_, text, _ := strings.Cut(read(t, "docs/OPERATIONS.md"), "\n## Alerts\n")
	text, _, found := strings.Cut(text, "\n## ")
	if !found {
		t.Fatal("docs/OPERATIONS.md has no part about alerts")
	}
	var said, real []string
	for _, m := range regexp.MustCompile(`(?m)^### (\S+)\n\n(.*)$`).FindAllStringSubmatch(text, -1) {
		said = append(said, m[1])
		if len(m[2]) < 40 {
			t.Errorf("the section %s says nothing", m[1])
		}
	}
	for _, r := range alert.Rules {
		real = append(real, r.Name)
	}
	same(t, "docs/OPERATIONS.md", said, real)
}
