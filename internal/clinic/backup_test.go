package clinic_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func backupOf(w *clinictest.World) clinic.Backup {
	sum := sha256.Sum256([]byte("an archive"))
	id := uuid.New()
	return clinic.Backup{ID: id, Name: "20261125T030000Z-" + id.String()[:8], TakenAt: w.Clock.Now().Add(-time.Minute), Bytes: 10, SHA256: sum[:]}
}

// A backup is on the record, and the last one is known by its moment. What cannot be published is not recorded either.
func TestBackupCreate(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	if at, err := w.Clinic.BackupLast(ctx); err != nil || !at.IsZero() {
		t.Fatalf("before there is one: %v %v", at, err)
	}
	away := errors.New("the bucket is away")
	err := w.Clinic.BackupCreate(ctx, w.Operator, backupOf(w), func(context.Context) error { return away })
	if !errors.Is(err, away) {
		t.Fatalf("a backup that is not published: %v", err)
	}
	wantCount(t, w, 0, "backups", "SELECT count(*) FROM backups")
	wantCount(t, w, 0, "events", "SELECT count(*) FROM audit_events WHERE deed = 'backup.create'")
	b, published := backupOf(w), false
	must(t, w.Clinic.BackupCreate(ctx, w.Operator, b, func(context.Context) error { published = true; return nil }))
	old := backupOf(w)
	old.TakenAt = b.TakenAt.Add(-time.Hour)
	must(t, w.Clinic.BackupCreate(ctx, w.Operator, old, func(context.Context) error { return nil }))
	if at, err := w.Clinic.BackupLast(ctx); err != nil || !at.Equal(b.TakenAt) || !published {
		t.Errorf("the last one is of %v, want %v: %v", at, b.TakenAt, err)
	}
	wantCount(t, w, 1, "events of it", "SELECT count(*) FROM audit_events WHERE deed = 'backup.create' AND subject_id = $1 AND detail->>'name' = $2", b.ID, b.Name)
	if err := w.Exec(t, "UPDATE backups SET taken_at = now()"); err == nil {
		t.Error("a backup's row can be changed")
	}
}

// The facts of a snapshot are of one moment, whatever is done meanwhile.
func TestBackupSnapshot(t *testing.T) {
	t.Parallel()
	_, key, known := clinictest.LedgerKey(t)
	w := clinictest.New(t, clinictest.Sealing(key, known))
	_, err := w.Clinic.LedgerSeal(ctx)
	must(t, err)
	must(t, w.Clinic.BackupSnapshot(ctx, func(_ context.Context, f clinic.BackupFacts) error {
		if f.Snapshot == "" || f.Schema != clinic.SchemaVersion || f.Server < 13 || time.Since(f.At).Abs() > time.Minute || f.Ledger.Note == "" ||
			f.Ledger.Leaves != f.Ledger.Events || len(f.Keys) != 1 || f.Keys[0].Patients != 1 || f.Instance != see(t, w) {
			t.Errorf("the facts are %+v", f)
		}
		return nil
	}))
}

// A database that sends is none that was just restored.
func TestBackupRestore(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	wantCode(t, w.Clinic.BackupRestore(ctx, w.Operator, backupOf(w)), "not_held", "where sending is not stopped")
	hold(t, w, 3)
	must(t, w.Clinic.BackupRestore(ctx, w.Operator, backupOf(w)))
	wantCount(t, w, 1, "restores on the record", "SELECT count(*) FROM audit_events WHERE deed = 'backup.restore' AND outcome = 'done'")
}
