package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Reset keeps the one keyset that opens what the last run sealed in the person's own database, and only that.
func TestResetKeepsTheKeysetOfAnotherDatabase(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		runs []string // the DATABASE_URL of each run, in order
		kept bool
	}{
		"private":                   {[]string{""}, false},
		"theirs":                    {[]string{"postgres://elsewhere/clinic"}, true},
		"theirs, after a private":   {[]string{"", "postgres://elsewhere/clinic"}, true},
		"private, after one theirs": {[]string{"postgres://elsewhere/clinic", ""}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last *Local
			var told *transcript
			state := testFolder(t)
			for _, address := range test.runs {
				last, told = testProduct(t, "DATABASE_URL="+address)
				last.state = state
				secretsOfOneRun(t, last)
			}
			for range 2 { // a second reset is no more forgetful than the first
				if code := last.Reset(); code != 0 {
					t.Fatalf("reset ends with %d:\n%s", code, told)
				}
				keyset, _ := os.ReadFile(filepath.Join(state, "run", "keyset"))
				if kept := string(keyset) == "a-keyset\n"; kept != test.kept {
					t.Errorf("the keyset is kept: %t, want %t", kept, test.kept)
				}
			}
			if blobs, _ := filepath.Glob(filepath.Join(state, "run", "blob-*")); len(blobs) != map[bool]int{true: 1}[test.kept] {
				t.Errorf("the folder of the database is kept: %v", blobs)
			}
			left, _ := filepath.Glob(filepath.Join(state, "run", "*"))
			for i := range left {
				left[i] = filepath.Base(left[i])
			}
			if !test.kept {
				if len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				return
			}
			mustContain(t, told.String(), "kept the keyset", "forgot the data, keys and logs in ")
			if len(left) != 5 || !strings.HasPrefix(left[0], "blob-") || !slices.Equal(left[1:], []string{"keyset", "ledger-key", "lock", "own-database"}) {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// secretsOfOneRun does what a run does with its secrets, with a keyset made before.
func secretsOfOneRun(t *testing.T, l *Local) {
	t.Helper()
	home, err := OpenHome(filepath.Join(l.state, "run"))
	if err != nil {
		t.Fatal(err)
	}
	defer home.Close()
	if err := os.WriteFile(home.Keyset(), []byte("a-keyset\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(home.LedgerKey(), []byte("a-ledger-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &run{Local: l, env: l.env.Clone(), home: home}
	if err := s.makeSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(home.Path("env"))
	if err != nil {
		t.Error(err)
	}
	_, folder, _ := strings.Cut(string(env), "BLOB_URL='file://")
	folder, _, _ = strings.Cut(folder, "'")
	if err := os.MkdirAll(folder, 0o700); err != nil { // as the product does
		t.Error(err)
	}
}
