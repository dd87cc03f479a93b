package app

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"countersign/internal/backup"
	"countersign/internal/clinictest"
	"countersign/internal/config"
)

// What is done while pg_dump has not even begun is not in the backup: manifest and archive are of one moment.
func TestBackupIsOfOneMoment(t *testing.T) {
	t.Parallel()
	w, cfg, identity := saved(t)
	programs, began, goOn := slowly(t)
	cfg.PGBin = programs
	done := make(chan error, 1)
	go func() {
		_, err := backups(t, cfg, func(b *Backups) error { return b.Create(t.Context(), 0) })
		done <- err
	}()
	waitForFile(t, began, done)
	for range 5 {
		w.Clock.Add(time.Second)
		w.Approved(t, w.Patient, "sms")
	}
	sealAndAnchor(t, w, cfg)
	if err := os.WriteFile(goOn, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	cfg.PGBin = ""
	if said, err := restoreInto(t, cfg, Restoring{Into: clinictest.Empty(t), Identity: identity}); err != nil {
		t.Errorf("%v\n%s", err, said)
	}
}

// slowly is a folder with Postgres' programs, of which pg_dump says that it has been called and waits.
func slowly(t *testing.T) (folder, began, goOn string) {
	t.Helper()
	real, err := backup.Find(t.Context(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	began, goOn = filepath.Join(folder, "began"), filepath.Join(folder, "go-on")
	script := "#!/bin/sh\n[ \"$1\" = --version ] && exec " + real.DumpPath() + " --version\n: > " + began +
		"\nwhile [ ! -e " + goOn + " ]; do sleep 0.05; done\nexec " + real.DumpPath() + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "pg_dump"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real.RestorePath(), filepath.Join(folder, "pg_restore")); err != nil {
		t.Fatal(err)
	}
	return folder, began, goOn
}

func waitForFile(t *testing.T, name string, done <-chan error) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(name); err == nil {
			return
		}
		select {
		case err := <-done:
			t.Fatalf("it ended before it began: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatal("pg_dump was never called")
		}
	}
}

// Only so many of the newest stay, and what broke off a day ago goes with the next.
func TestBackupsAreFew(t *testing.T) {
	t.Parallel()
	_, cfg, identity := saved(t)
	for range 3 {
		create(t, cfg)
	}
	folder := filepath.Join(strings.TrimPrefix(cfg.BlobURL, "file://"), "backups")
	for name, age := range map[string]time.Duration{"20200101T000000Z-aabbccdd.dump.age": 25 * time.Hour, "20200102T000000Z-aabbccdd.dump.age": time.Hour} {
		file := filepath.Join(folder, name)
		if err := errors.Join(os.WriteFile(file, []byte("half"), 0o600), os.Chtimes(file, time.Now(), time.Now().Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	said, err := backups(t, cfg, func(b *Backups) error { return b.Create(t.Context(), 2) })
	if err != nil || strings.Count(said, "Taken away: ") != 2 {
		t.Fatalf("%v\n%s", err, said)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(files) != 5 || !slices.ContainsFunc(files, func(f string) bool { return strings.Contains(f, "20200102T") }) {
		t.Errorf("there are %v, %v", files, err)
	}
	said, err = backups(t, cfg, func(b *Backups) error { return b.List(t.Context()) })
	if err != nil || strings.Count(said, "holds its keys") != 2 {
		t.Errorf("%v\n%s", err, said)
	}
	if _, err := verify(t, cfg, identity); err != nil {
		t.Error(err)
	}
}

// Without a recipient a backup can be read by anybody, and that is said when it is made and in the list; so is a KEYSET that lacks
// what the backup's patients were sealed with.
func TestBackupSaysWhatItIs(t *testing.T) {
	t.Parallel()
	_, cfg, identity := saved(t)
	list := func(cfg *config.Config) string {
		t.Helper()
		said, err := backups(t, cfg, func(b *Backups) error { return b.List(t.Context()) })
		if err != nil {
			t.Fatal(err)
		}
		_, row, _ := strings.Cut(said, "\n")
		return strings.Join(strings.Fields(row), " ")
	}
	said, err := backups(t, cfg, func(b *Backups) error { return b.Create(t.Context(), 0) })
	if err != nil || strings.Contains(said, "It is not encrypted") || !strings.Contains(said, "It needs the wrapping keys ") {
		t.Errorf("%v\n%s", err, said)
	}
	if row := list(cfg); !strings.HasSuffix(row, " true holds its keys") {
		t.Errorf("the list says %s", row)
	}
	promoted := change(t, change(t, cfg, KeysetAdd), KeysetPromote)
	if err := RotateKeys(t.Context(), promoted, false, io.Discard); err != nil {
		t.Fatal(err)
	}
	if row := list(change(t, promoted, KeysetDrop)); !strings.HasSuffix(row, " true lacks a key") {
		t.Errorf("without the key the list says %s", row)
	}
	bare := *cfg
	bare.Backup.Recipients, bare.BlobURL = "", "file://"+t.TempDir()
	bare.Keyset = promoted.Keyset
	said, err = backups(t, &bare, func(b *Backups) error { return b.Create(t.Context(), 0) })
	if err != nil || !strings.Contains(said, "It is not encrypted: BACKUP_RECIPIENTS is empty.") {
		t.Errorf("%v\n%s", err, said)
	}
	if row := list(&bare); !strings.HasSuffix(row, " false holds its keys") {
		t.Errorf("the list says %s", row)
	}
	for _, key := range []string{"", identity} {
		if said, err := verify(t, &bare, key); err != nil || !strings.Contains(said, "The archive is whole") {
			t.Errorf("verified with the key %t: %v\n%s", key != "", err, said)
		}
	}
}
