package crash

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The reader of the orders has tests of its own under the tag, which no other run of the tests builds.
func TestFaultpoints(t *testing.T) {
	t.Parallel()
	if out, err := exec.Command("go", "test", "-count=1", "-tags=faultpoints", "countersign/internal/faultpoint").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is shipped holds no trace of the fault points: neither the name of their setting nor their code. What the crash
// tests run does, or this test could not fail.
func TestShippedWithoutFaultpoints(t *testing.T) {
	t.Parallel()
	armed, err := built()
	must(t, err)
	shipped := t.TempDir()
	must(t, build(shipped, "countersign/cmd/worker"))
	for _, trace := range []string{"FAULTPOINTS", "before-commit", "request-written", "countersign/internal/faultpoint.read"} {
		if !holds(t, filepath.Join(armed, "worker"), trace) {
			t.Errorf("the armed worker does not hold %q, so its absence says nothing", trace)
		}
		if holds(t, filepath.Join(shipped, "worker"), trace) {
			t.Errorf("the shipped worker holds %q", trace)
		}
	}
}

func holds(t *testing.T, file, trace string) bool {
	t.Helper()
	raw, err := os.ReadFile(file)
	must(t, err)
	return bytes.Contains(raw, []byte(trace))
}
