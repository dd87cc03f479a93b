package main_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"countersign/internal/clinictest"
)

// audited is a sealed clinic and the real program; anchors is a folder with its checkpoint.
type audited struct {
	*clinictest.World
	program, anchors, verifier, other, event string
}

func audit(t *testing.T) *audited {
	t.Helper()
	_, key, known := clinictest.LedgerKey(t)
	_, stranger, _ := clinictest.LedgerKey(t)
	a := &audited{World: clinictest.New(t, clinictest.Sealing(key, known)), verifier: key.Verifier(), other: stranger.Verifier()}
	done, err := a.Clinic.LedgerSeal(t.Context())
	must(t, err)
	folder := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(folder, "ledger"), 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "ledger", "1.txt"), []byte(done.Head.Note), 0o600))
	a.anchors = "file://" + folder
	a.event = a.Strings(t, "SELECT event_id::text FROM ledger_leaves WHERE leaf = 2")[0]
	a.program = build(t)
	return a
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "countersign")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "countersign/cmd/countersign").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// runs the program with nothing in its environment but that.
func (a *audited) runs(t *testing.T, env []string, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(a.program, append([]string{"audit"}, args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append([]string{"KEPT=1"}, env...), &stdout, &stderr
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// An auditor has the address of a database, a verifier and the anchors, and nothing else of the environment. The exit code alone
// says clean, tampered or not checked, and what is read by a machine stands on stdout by itself.
func TestAuditExitCodes(t *testing.T) {
	t.Parallel()
	a := audit(t)
	here, away := []string{"DATABASE_URL=" + a.URL}, []string{"DATABASE_URL=postgres://nobody@127.0.0.1:1/nothing"}
	proof := filepath.Join(t.TempDir(), "proof.json")
	code, out, said := a.runs(t, here, "prove", a.event, "--key", a.verifier)
	if code != 0 || said != "" {
		t.Fatalf("prove: %d, %s", code, said)
	}
	must(t, os.WriteFile(proof, []byte(out), 0o600))
	forged := filepath.Join(t.TempDir(), "forged.json")
	must(t, os.WriteFile(forged, []byte(strings.Replace(out, `"leaf":2`, `"leaf":1`, 1)), 0o600))
	key := func(args ...string) []string { return append(args, "--key", a.verifier) }
	stranger := func(args ...string) []string { return append(args, "--key", a.other) }
	cases := map[string]struct {
		env  []string
		args []string
		code int
	}{
		"clean":                           {here, key("verify", "--anchors", a.anchors), 0},
		"clean, without anchors":          {here, key("verify"), 0},
		"clean, the anchors of BLOB_URL":  {append([]string{"BLOB_URL=" + a.anchors}, here...), key("verify"), 0},
		"clean, the key of the settings":  {append([]string{"LEDGER_VERIFIERS=" + a.verifier}, here...), []string{"verify"}, 0},
		"settings of the app that are no": {append([]string{"REDIS_URL=%zz", "KEYSET=x", "PORT=none"}, here...), key("verify"), 0},
		"another key":                     {here, stranger("verify"), 2},
		"another key, with anchors":       {here, stranger("verify", "--anchors", a.anchors), 2},
		"no key":                          {here, []string{"verify"}, 2},
		"a key that is none":              {here, []string{"verify", "--key", "x"}, 2},
		"no address":                      {nil, key("verify"), 2},
		"a database that is away":         {away, key("verify"), 2},
		"no anchors in the place":         {here, key("verify", "--anchors", "file://"+t.TempDir()), 2},
		"a place that is none":            {here, key("verify", "--anchors", "ftp://x"), 2},
		"an option that is none":          {here, key("verify", "--nonsense"), 2},
		"prove by another key":            {here, stranger("prove", a.event), 2},
		"prove what is not there":         {here, key("prove", "01900000-0000-7000-8000-000000000001"), 2},
		"prove what is no id":             {here, key("prove", "x"), 2},
		"prove, a database that is away":  {away, key("prove", a.event), 2},
		"a proof":                         {nil, key("check-proof", proof), 0},
		"a forged proof":                  {nil, key("check-proof", forged), 1},
		"a proof by another key":          {nil, stranger("check-proof", proof), 2},
		"a proof that is none":            {nil, key("check-proof", a.program), 2},
		"a proof that is not there":       {nil, key("check-proof", proof+"x"), 2},
		"no file":                         {nil, key("check-proof"), 2},
	}
	for name, c := range cases {
		if code, out, said := a.runs(t, c.env, c.args...); code != c.code {
			t.Errorf("%s: %d, not %d\n%s%s", name, code, c.code, out, said)
		}
	}
}

// What was tampered with is 1, in words and as JSON.
func TestAuditSaysTampered(t *testing.T) {
	t.Parallel()
	a := audit(t)
	here := []string{"DATABASE_URL=" + a.URL}
	key := func(args ...string) []string { return append(args, "--key", a.verifier) }
	a.tamper(t)
	for name, args := range map[string][]string{"tampered": key("verify"), "tampered, with anchors": key("verify", "--anchors", a.anchors)} {
		if code, out, _ := a.runs(t, here, args...); code != 1 || !strings.Contains(out, a.event) {
			t.Errorf("%s: %d\n%s", name, code, out)
		}
	}
	code, out, _ := a.runs(t, here, key("verify", "--json")...)
	var report struct {
		Findings []struct{ Code, Event string }
	}
	if err := json.Unmarshal([]byte(out), &report); code != 1 || err != nil || len(report.Findings) != 1 || report.Findings[0].Event != a.event {
		t.Errorf("as JSON: %d, %v\n%s", code, err, out)
	}
	must(t, a.Exec(t, "UPDATE audit_events SET rec = rec || '\\x00' WHERE id::text = $1", a.event))
	if code, _, said := a.runs(t, here, key("prove", a.event)...); code != 1 {
		t.Errorf("a tampered event was proved: %d %s", code, said)
	}
}

func (a *audited) tamper(t *testing.T) {
	must(t, a.Exec(t, "ALTER TABLE audit_events DISABLE TRIGGER ALL"))
	must(t, a.Exec(t, "UPDATE audit_events SET role = 'ops' WHERE id::text = $1", a.event))
}
