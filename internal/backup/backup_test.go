package backup

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"countersign/internal/blob"
)

// A password goes into the environment and never among the arguments, nor does what is our driver's alone.
func TestAddressIsSplit(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]string{
		"postgres://app:s%40cret@db:5432/x?sslmode=verify-full&default_query_exec_mode=exec&pool_max_conns=4": {"postgres://app@db:5432/x?sslmode=verify-full", "s@cret"},
		"postgresql://db/x?user=app&password=secret":                                                          {"postgresql://db/x?user=app", "secret"},
		"postgres://app@db/x": {"postgres://app@db/x", ""},
	} {
		if bare, password, err := split(address); err != nil || bare != want[0] || password != want[1] {
			t.Errorf("%q %q %v", bare, password, err)
		}
	}
	for _, address := range []string{"host=db password=secret", "mysql://db", "postgres://db/x?sslpassword=secret"} {
		if _, _, err := split(address); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// Programs that are missing, or older than the server, are a sentence with what to install.
func TestProgramsAreFound(t *testing.T) {
	t.Parallel()
	p, err := Find(t.Context(), "", 13)
	if err != nil || p.Major < 13 {
		t.Fatalf("%+v %v", p, err)
	}
	if _, err := Find(t.Context(), "", p.Major+1); err == nil || !strings.Contains(err.Error(), "older than") || !strings.Contains(err.Error(), "postgresql-client-") {
		t.Errorf("older than the server: %v", err)
	}
	if _, err := Find(t.Context(), t.TempDir(), 13); err == nil || !strings.Contains(err.Error(), "PG_BIN") {
		t.Errorf("an empty folder: %v", err)
	}
}

// What a program says of rows goes nowhere; its password is not to be seen by others on the machine.
func TestProgramsTellNoRows(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	script := "#!/bin/sh\necho \"$*\" > " + folder + "/args\necho \"$PGPASSWORD $KEYSET\" > " + folder + "/env\n" +
		"echo 'pg_dump: error: it went wrong' >&2\necho 'DETAIL: Key (name)=(Rosa Delgado) exists' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(folder, "pg_dump"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	err := Programs{dump: filepath.Join(folder, "pg_dump")}.Dump(t.Context(), "postgres://app:secret@db/x", "snapshot-1", io.Discard)
	var ended *exec.ExitError
	if !errors.As(err, &ended) || !strings.Contains(err.Error(), "it went wrong") || strings.Contains(err.Error(), "Delgado") {
		t.Errorf("it says %v", err)
	}
	args, _ := os.ReadFile(filepath.Join(folder, "args"))
	env, _ := os.ReadFile(filepath.Join(folder, "env"))
	if strings.Contains(string(args), "secret") || string(env) != "secret \n" || !strings.Contains(string(args), "--snapshot=snapshot-1") {
		t.Errorf("the arguments are %s, the environment %q", args, env)
	}
}

// An archive whose writing breaks off is not there; nor is a backup without its manifest.
func TestBrokenOffIsNotThere(t *testing.T) {
	t.Parallel()
	address := "file://" + t.TempDir()
	s, err := Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	broken := errors.New("broken off")
	m := &Manifest{Name: "20261125T030000Z-aabbccdd"}
	err = s.Keep(t.Context(), m, func(_ context.Context, to io.Writer) error {
		_, _ = to.Write(make([]byte, 1<<20))
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("it says %v", err)
	}
	bucket, err := blob.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if files, err := bucket.Files(t.Context(), ""); err != nil || len(files) != 0 {
		t.Errorf("there are %v %v", files, err)
	}
	if _, err := s.Read(t.Context(), "../instance"); err == nil || !strings.Contains(err.Error(), "no backup's name") {
		t.Errorf("a name that leads elsewhere: %v", err)
	}
}

// What is kept is what was written, encrypted to whom the manifest names: without their key, or with another, nothing of it comes out.
func TestArchiveOpensForItsRecipientOnly(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := Open(t.Context(), "file://"+folder)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	key, recipient, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	identities := func(key string) []age.Identity {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := Identities(file)
		if err != nil || len(all) != 1 {
			t.Fatalf("%d keys, %v", len(all), err)
		}
		return all
	}
	m := &Manifest{Name: "20261125T030000Z-aabbccdd", Archive: Archive{Recipients: []string{recipient}}}
	if err := s.Keep(t.Context(), m, func(_ context.Context, to io.Writer) error { _, err := io.WriteString(to, "Rosa Delgado"); return err }); err != nil {
		t.Fatal(err)
	}
	read := func(keys []age.Identity) (text string, err error) {
		err = s.ReadArchive(t.Context(), m, keys, true, func(_ context.Context, from io.Reader) error {
			all, err := io.ReadAll(from)
			text = string(all)
			return err
		})
		return text, err
	}
	if text, err := read(identities(key)); text != "Rosa Delgado" || err != nil {
		t.Errorf("with its key: %q, %v", text, err)
	}
	for name, keys := range map[string][]age.Identity{"no key": nil, "another key": identities(other)} {
		if text, err := read(keys); text != "" || !errors.Is(err, ErrNoKey) {
			t.Errorf("with %s: %q, %v", name, text, err)
		}
	}
	if err := s.Sum(t.Context(), m); err != nil {
		t.Errorf("as it lies there: %v", err)
	}
}
