package docs_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"countersign/internal/clinic"
)

// The table of roles that people read is the one that the deeds are checked by: each row, and no deed of people left out.
func TestSecurityIsThePolicy(t *testing.T) {
	t.Parallel()
	quoted := regexp.MustCompile("`([a-z]+\\.[a-z-]+)`")
	said := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| [^|]+ \\| `[^|]+\\|.*$").FindAllString(read(t, "docs/SECURITY.md"), -1) {
		cells := strings.Split(strings.Trim(row, "| "), "|")
		if len(cells) != 2+len(clinic.Roles) {
			t.Fatalf("a row of %d cells: %s", len(cells), row)
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if said[m[1]] != nil {
				t.Errorf("%s stands in the table twice", m[1])
			}
			said[m[1]] = cells[2:]
		}
	}
	var deeds []string
	for _, m := range regexp.MustCompile(`Deed = "([a-z.-]+)"`).FindAllStringSubmatch(read(t, "internal/clinic/deed.go"), -1) {
		var scopes []string
		for _, role := range clinic.Roles {
			scopes = append(scopes, clinic.Actor{Kind: clinic.ActorPerson, Role: role}.May(clinic.Deed(m[1])).String())
		}
		if !slices.ContainsFunc(scopes, func(s string) bool { return s != clinic.None.String() }) {
			continue // no person's
		}
		deeds = append(deeds, m[1])
		if said[m[1]] != nil && !slices.Equal(said[m[1]], scopes) {
			t.Errorf("%s: the table says %v, the policy %v", m[1], said[m[1]], scopes)
		}
	}
	var rows []string
	for deed := range said {
		rows = append(rows, deed)
	}
	same(t, "the table of roles", rows, deeds)
	if len(deeds) < 60 {
		t.Errorf("the policy was not understood: %d deeds", len(deeds))
	}
}
