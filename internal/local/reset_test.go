package local

import (
	"os"
	"path/filepath"
	"slices"
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
			if !slices.Equal(left, []string{"keyset", "lock", "own-database"}) {
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
	s := &run{Local: l, env: l.env.Clone(), home: home}
	if err := s.makeSecrets(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(home.Path("env")); err != nil {
		t.Error(err)
	}
}
