package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
)

// grow seals n more events and puts the checkpoint beside the others.
func grow(t *testing.T, w *clinictest.World, cfg *config.Config, n int) clinic.Checkpoint {
	t.Helper()
	bucket, err := blob.Open(t.Context(), cfg.BlobURL)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	w.Clock.Add(20 * time.Minute)
	for range n {
		if _, err := w.Clinic.PatientShow(t.Context(), w.Staff, w.Patient); err != nil {
			t.Fatal(err)
		}
		w.Clock.Add(16 * time.Minute) // a view of its own
	}
	done, err := w.Clinic.LedgerSeal(t.Context())
	if err == nil {
		err = (&App{bucket: bucket}).anchor()(t.Context(), done.Head)
	}
	if err != nil {
		t.Fatal(err)
	}
	return done.Head
}

// back takes the database to a size of before, as a restored backup has it.
func back(t *testing.T, w *clinictest.World, size int64) {
	t.Helper()
	for _, table := range []string{"audit_events", "ledger_leaves", "ledger_checkpoints"} {
		if err := w.Exec(t, "ALTER TABLE "+table+" DISABLE TRIGGER ALL"); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{"DELETE FROM audit_events e USING ledger_leaves l WHERE l.event_id = e.id AND l.leaf >= $1", "DELETE FROM ledger_leaves WHERE leaf >= $1", "DELETE FROM ledger_checkpoints WHERE size > $1"} {
		if err := w.Exec(t, sql, size); err != nil {
			t.Fatal(err)
		}
	}
	for _, table := range []string{"audit_events", "ledger_leaves", "ledger_checkpoints"} {
		if err := w.Exec(t, "ALTER TABLE "+table+" ENABLE TRIGGER ALL"); err != nil {
			t.Fatal(err)
		}
	}
}

// verified is what a verification says, and whether it is clean.
func verified(t *testing.T, cfg *config.Config) (string, bool) {
	t.Helper()
	var out bytes.Buffer
	err := VerifyLedger(t.Context(), cfg, Verifying{}, &out, io.Discard)
	if err != nil && !errors.Is(err, ErrTampered) {
		t.Fatal(err)
	}
	return out.String(), err == nil
}

// A restore contradicts the anchors of what it lost, until somebody with the key signs what it was; from then on each
// verification tells of it, and finds all else.
func TestAuditRestored(t *testing.T) {
	t.Parallel()
	w, cfg, _ := audited(t)
	if err := SayRestored(t.Context(), cfg, false, io.Discard); err == nil {
		t.Error("a restore was signed that never was")
	}
	kept := grow(t, w, cfg, 3)
	for range 3 {
		grow(t, w, cfg, 2)
	}
	back(t, w, kept.Size)
	if said, clean := verified(t, cfg); clean || !strings.Contains(said, "restored from a backup") {
		t.Errorf("restored: %s", said)
	}
	for range 4 { // it goes on over the lost line's sizes
		grow(t, w, cfg, 2)
	}
	if said, clean := verified(t, cfg); clean || !strings.Contains(said, "rewritten") {
		t.Errorf("gone on: %s", said)
	}
	var out bytes.Buffer
	if err := SayRestored(t.Context(), cfg, false, &out); err != nil || !strings.Contains(out.String(), "a restore lost") {
		t.Fatalf("%v %s", err, out.String())
	}
	if said, clean := verified(t, cfg); !clean || !strings.Contains(said, "RESTORED") || !strings.Contains(said, "3 anchors are of them") {
		t.Errorf("signed: %v %s", clean, said)
	}
	head := grow(t, w, cfg, 2)
	if said, clean := verified(t, cfg); !clean {
		t.Errorf("grown: %s", said)
	}
	back(t, w, head.Size-2)
	if said, clean := verified(t, cfg); clean || !strings.Contains(said, "tail_cut") {
		t.Errorf("the tail of the new line was cut, and it says %s", said)
	}
}

// Nobody without the key excuses anything, and a past that was written anew is no restore.
func TestAuditRestoredIsNoExcuse(t *testing.T) {
	t.Parallel()
	w, cfg, _ := audited(t)
	kept, left := grow(t, w, cfg, 3), grow(t, w, cfg, 3)
	back(t, w, kept.Size)
	_, stranger, _ := clinictest.LedgerKey(t)
	note, err := stranger.SignRestored(kept, left, w.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := blob.Open(t.Context(), cfg.BlobURL)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if err := bucket.Write(t.Context(), "ledger/restored-x.txt", []byte(note), ""); err != nil {
		t.Fatal(err)
	}
	if said, clean := verified(t, cfg); clean || !strings.Contains(said, "anchor_forged") || !strings.Contains(said, "tail_cut") {
		t.Errorf("signed by a stranger: %s", said)
	}
	for _, sql := range []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL", "UPDATE audit_events SET role = 'ops' WHERE id = (SELECT event_id FROM ledger_leaves WHERE leaf = 1)"} {
		if err := w.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	if err := SayRestored(t.Context(), cfg, false, io.Discard); err == nil {
		t.Error("a restore explains an edited event")
	}
}

// A restore is signed only over a past that is whole, the months that were taken out included.
func TestAuditRestoredReadsTheArchives(t *testing.T) {
	t.Parallel()
	a := age(t)
	if _, err := a.Clinic.AuditArchive(t.Context(), clinic.OperatorActor("x"), a.month, 1000, a.bucket); err != nil {
		t.Fatal(err)
	}
	kept := grow(t, a.World, a.cfg, 2)
	grow(t, a.World, a.cfg, 2)
	back(t, a.World, kept.Size)
	whole, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	a.rewrite(t, func(s string) string { return strings.Replace(s, `"done"`, `"refused"`, 1) })
	if err := SayRestored(t.Context(), a.cfg, false, io.Discard); !errors.Is(err, ErrTampered) {
		t.Errorf("over an archive that was edited: %v", err)
	}
	if err := os.WriteFile(a.file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	log := a.asLog(t)
	stray := filepath.Join(filepath.Dir(a.file), "..", "ledger", "stray.txt") // what somebody puts among the anchors holds no restore up
	if err := os.WriteFile(stray, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := SayRestored(t.Context(), a.cfg, false, io.Discard); err != nil {
		t.Error(err)
	}
	if err := os.Remove(stray); err != nil {
		t.Fatal(err)
	}
	if said, clean := verified(t, a.cfg); !clean || !strings.Contains(said, "RESTORED") || !strings.Contains(said, "5 of the events were read from archives") {
		t.Errorf("%s", said)
	}
	var out bytes.Buffer
	if err := VerifyLedger(t.Context(), a.cfg, Verifying{Anchors: log}, &out, io.Discard); err != nil || !strings.Contains(out.String(), "1 anchors are of them") {
		t.Errorf("by the log: %v %s", err, out.String())
	}
}

// asLog is a file with the anchors as a worker says them.
func (a *aged) asLog(t *testing.T) string {
	t.Helper()
	anchors, err := anchorsIn(t.Context(), a.bucket)
	if err != nil {
		t.Fatal(err)
	}
	var lines bytes.Buffer
	for _, anchor := range anchors {
		if err := json.NewEncoder(&lines).Encode(map[string]string{"msg": "ledger checkpoint", "checkpoint": anchor.Note}); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(t.TempDir(), "worker.log")
	if err := os.WriteFile(name, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// A database whose past agrees with no anchor is another one, or was written anew: no restore.
func TestAuditRestoredIsOfThisLedger(t *testing.T) {
	t.Parallel()
	w, cfg, _ := audited(t)
	grow(t, w, cfg, 3)
	back(t, w, 0) // to before the first anchor
	bucket, err := blob.Open(t.Context(), cfg.BlobURL)
	if err != nil {
		t.Fatal(err)
	}
	defer bucket.Close()
	if err := SayRestored(t.Context(), cfg, false, io.Discard); err == nil || errors.Is(err, ErrTampered) || !strings.Contains(err.Error(), "no anchor from before") {
		t.Errorf("signed: %v", err)
	}
	if names, err := bucket.List(t.Context(), "ledger/restored-"); err != nil || len(names) != 0 {
		t.Errorf("%v %v", names, err)
	}
}
