package docs_test

import (
	"strings"
	"testing"

	"countersign/internal/clinic"
)

// SCALING names every deed that reads on a replica, and no other one there.
func TestReplicaDeedsAreNamed(t *testing.T) {
	t.Parallel()
	_, there, _ := strings.Cut(read(t, "docs/SCALING.md"), "**What is read there**")
	there, _, _ = strings.Cut(there, "**What is not**")
	for _, d := range clinic.OnReplica() {
		if !strings.Contains(there, "`"+string(d)+"`") {
			t.Errorf("SCALING does not say that %s reads on a replica", d)
		}
	}
	if named := strings.Count(there, "`") / 2; named != len(clinic.OnReplica()) {
		t.Errorf("SCALING names %d deeds, and there are %d", named, len(clinic.OnReplica()))
	}
}
