package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/config"
)

// aged is a clinic with events of a month that is over and of this, sealed and anchored; old is one of the former.
type aged struct {
	*clinictest.World
	cfg              *config.Config
	bucket           *blob.Bucket
	month            time.Time
	file, table, old string
	verifier         string
}

func age(t *testing.T) *aged {
	t.Helper()
	text, key, known := clinictest.LedgerKey(t)
	a := &aged{World: clinictest.New(t, clinictest.Sealing(key, known)), verifier: key.Verifier()}
	folder := t.TempDir()
	a.cfg = &config.Config{Env: config.Local, DatabaseURL: config.Secret(a.URL), MigrateDatabaseURL: config.Secret(a.URL), LedgerKey: config.Secret(text), BlobURL: "file://" + folder}
	var err error
	if a.bucket, err = blob.Open(t.Context(), a.cfg.BlobURL); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.bucket.Close() })
	var back time.Duration
	a.month, back = a.LongAgo(t)
	a.Clock.Add(-back)
	a.table = "audit_events_" + a.month.Format("2006_01")
	a.file = filepath.Join(folder, "archive", "audit-"+a.month.Format("2006-01")+".gz")
	for range 5 {
		if _, err := a.Clinic.PatientShow(t.Context(), a.Staff, a.Patient); err != nil {
			t.Fatal(err)
		}
		a.Clock.Add(16 * time.Minute)
	}
	a.old = a.Strings(t, "SELECT id::text FROM "+a.table+" ORDER BY at LIMIT 1 OFFSET 2")[0]
	a.Clock.Add(back - 80*time.Minute)
	grow(t, a.World, a.cfg, 2)
	return a
}

func (a *aged) archive(t *testing.T) error {
	t.Helper()
	return ArchiveMonths(t.Context(), a.cfg, a.month.AddDate(0, 1, 0), false, io.Discard)
}

// rewrite changes the archive's lines.
func (a *aged) rewrite(t *testing.T, change func(string) string) {
	t.Helper()
	file, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	again := gzip.NewWriter(&out)
	_, err = again.Write([]byte(change(string(text))))
	if err = errors.Join(err, again.Close(), os.WriteFile(a.file, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// A month that was taken out is no longer in the database, verifies with the rest, is proved, and is on the trail.
func TestAuditArchive(t *testing.T) {
	t.Parallel()
	a := age(t)
	before := a.Count(t, "SELECT count(*) FROM audit_events")
	if err := a.archive(t); err != nil {
		t.Fatal(err)
	}
	if err := a.archive(t); err != nil {
		t.Errorf("again: %v", err)
	}
	if n := a.Count(t, "SELECT count(*) FROM audit_events"); n != before-5+1 || len(a.Strings(t, "SELECT 'there' WHERE to_regclass('"+a.table+"') IS NOT NULL")) != 0 {
		t.Errorf("%d events before, %d after", before, n)
	}
	if n := a.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'audit.archive' AND actor_kind = 'operator' AND detail->>'events' = '5'"); n != 1 {
		t.Errorf("it is on the trail %d times", n)
	}
	if said, clean := verified(t, a.cfg); !clean || !strings.Contains(said, "5 of the events were read from archives") {
		t.Errorf("with the archive: %s", said)
	}
	alone := *a.cfg
	alone.BlobURL = ""
	if said, clean := verified(t, &alone); !clean || !strings.Contains(said, "5 leaves are of archived events whose bytes were not read") {
		t.Errorf("without it: %s", said)
	}
	var file, out bytes.Buffer
	if err := ProveEvent(t.Context(), a.cfg, uuid.MustParse(a.old), nil, &file); err != nil {
		t.Fatal(err)
	}
	if err := CheckProof(file.Bytes(), []string{a.verifier}, &out); err != nil || !strings.Contains(out.String(), a.old) {
		t.Errorf("%v %s", err, out.String())
	}
	if err := ProveEvent(t.Context(), &alone, uuid.MustParse(a.old), nil, io.Discard); err == nil {
		t.Error("an archived event was proved without its archive")
	}
}

// Whatever is done to an archive is found, and by the name of the event.
func TestAuditArchiveIsVerified(t *testing.T) {
	t.Parallel()
	a := age(t)
	if err := a.archive(t); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	line := func(text string) (lines []string, at int) {
		lines = strings.SplitAfter(text, "\n")
		for i, l := range lines {
			if strings.Contains(l, a.old) {
				return lines, i
			}
		}
		t.Fatal("the event is not in its archive")
		return nil, 0
	}
	for name, change := range map[string]func(string) string{
		"edited": func(s string) string {
			l, i := line(s)
			l[i] = strings.Replace(l[i], `"done"`, `"refused"`, 1)
			return strings.Join(l, "")
		},
		"left out": func(s string) string { l, i := line(s); l[i] = ""; return strings.Join(l, "") },
		"twice":    func(s string) string { l, i := line(s); l[i] += l[i]; return strings.Join(l, "") },
	} {
		a.rewrite(t, change)
		if said, clean := verified(t, a.cfg); clean || !strings.Contains(said, a.old) {
			t.Errorf("%s: %s", name, said)
		}
		if err := os.WriteFile(a.file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, do := range map[string]func() error{
		"cut":   func() error { return os.WriteFile(a.file, whole[:len(whole)/2], 0o600) },
		"other": func() error { return os.WriteFile(a.file, []byte("x"), 0o600) },
		"gone":  func() error { return os.Remove(a.file) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if said, clean := verified(t, a.cfg); clean || !strings.Contains(said, "archive_gone") || strings.Contains(said, "event_gone") {
			t.Errorf("%s: %s", name, said)
		}
		if err := os.WriteFile(a.file, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// deaf is a bucket that takes what is written and goes away before it can be read back.
type deaf struct{ *blob.Bucket }

func (deaf) Open(context.Context, string) (io.ReadCloser, error) { return nil, errors.New("away") }

// Nothing is taken away that does not lie outside, whole, sealed and anchored; and what broke off is gone on with.
func TestAuditArchiveKeeps(t *testing.T) {
	t.Parallel()
	a := age(t)
	n := a.Count(t, "SELECT count(*) FROM audit_events")
	kept := func(what string, err error, code string) {
		t.Helper()
		if err == nil || code != "" && clinic.Code(err) != code {
			t.Errorf("%s: %v", what, err)
		}
		if now := a.Count(t, "SELECT count(*) FROM audit_events WHERE deed <> 'audit.archive'"); now != n {
			t.Fatalf("%s: %d events of %d are left", what, now, n)
		}
	}
	take := func(month time.Time, anchored int64, place clinic.ArchivePlace) error {
		_, err := a.Clinic.AuditArchive(t.Context(), clinic.OperatorActor("x"), month, anchored, place)
		return err
	}
	kept("not anchored", take(a.month, 2, a.bucket), "not_anchored")
	kept("not over", take(a.Clock.Now(), 1000, a.bucket), "not_over")
	kept("the bucket goes away", take(a.month, 1000, deaf{a.bucket}), "archive_differs")
	if _, err := os.Stat(a.file); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(a.file)
	if err != nil {
		t.Fatal(err)
	}
	a.rewrite(t, func(s string) string { return strings.Replace(s, `"done"`, `"refused"`, 1) })
	kept("what lies there is something else", take(a.month, 1000, a.bucket), "archive_differs")
	if err := os.WriteFile(a.file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Exec(t, "ALTER TABLE audit_events DISABLE TRIGGER ALL"); err != nil {
		t.Fatal(err)
	}
	flip := "UPDATE audit_events SET rec = set_bit(rec, 200, 1 - get_bit(rec, 200)) WHERE id = '" + a.old + "'"
	if err := a.Exec(t, flip); err != nil {
		t.Fatal(err)
	}
	kept("an event was edited", take(a.month, 1000, a.bucket), "not_sealed")
	kept("the ledger is not clean", a.archive(t), "")
	if err := a.Exec(t, flip); err != nil {
		t.Fatal(err)
	}
	if err := a.Exec(t, "ALTER TABLE audit_events ENABLE TRIGGER ALL"); err != nil {
		t.Fatal(err)
	}
	if err := take(a.month, 1000, a.bucket); err != nil {
		t.Errorf("gone on with: %v", err)
	}
	if said, clean := verified(t, a.cfg); !clean {
		t.Errorf("%s", said)
	}
}
