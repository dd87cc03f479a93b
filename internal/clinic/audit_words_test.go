package clinic_test

import (
	"os"
	"regexp"
	"testing"

	"countersign/internal/clinic"
)

// Every deed is something that a person can read on the trail, and choose in its search.
func TestEveryDeedHasWords(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("deed.go")
	must(t, err)
	inGroups := map[clinic.Deed]string{}
	for _, g := range clinic.DeedGroups() {
		for _, d := range g.Deeds {
			inGroups[d] = g.Name
		}
	}
	all := regexp.MustCompile(`Deed = "(([a-z]+)\.[a-z.-]+)"`).FindAllStringSubmatch(string(source), -1)
	for _, m := range all {
		deed := clinic.Deed(m[1])
		if words := clinic.DeedWords(deed); words == m[1] {
			t.Errorf("%s has no words", deed)
		}
		if name, in := inGroups[deed]; !in || name == m[2] {
			t.Errorf("%s stands under %q", deed, name)
		}
	}
	if len(all) < 100 {
		t.Errorf("only %d deeds were understood", len(all))
	}
}
