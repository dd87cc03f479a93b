package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"

	"countersign/internal/backup"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/seal"
)

// backupPurpose is what manifests are signed for, by the key of KEYSET that does not rotate: so whoever can write to the
// bucket cannot make a backup that this installation takes for its own.
const backupPurpose = "backup manifest 1"

// Backups is what the commands about backups work with.
type Backups struct {
	cfg   *config.Config
	keys  *seal.Keyring
	store *backup.Store
	out   io.Writer
}

// OpenBackups opens a place with backups; without an address BACKUP_URL, else BLOB_URL.
func OpenBackups(ctx context.Context, cfg *config.Config, address string, out io.Writer) (*Backups, error) {
	if address == "" {
		address = cfg.BackupPlace()
	}
	if address == "" {
		return nil, errors.New("nobody says where backups are: set BACKUP_URL or BLOB_URL, or give --at")
	}
	keys, err := openKeyring(ctx, cfg)
	if err != nil {
		return nil, err
	}
	store, err := backup.Open(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("the place of the backups cannot be opened: %w", err)
	}
	return &Backups{cfg: cfg, keys: keys, store: store, out: out}, nil
}

// Close lets go of the place.
func (b *Backups) Close() error { return b.store.Close() }

func (b *Backups) say(format string, args ...any) { fmt.Fprintf(b.out, format+"\n", args...) }

// NewBackupKey prints a key that opens backups to out, and its recipient to said.
func NewBackupKey(out, said io.Writer) error {
	key, recipient, err := backup.NewKey()
	if err != nil {
		return err
	}
	fmt.Fprintf(said, "Its recipient, which is no secret and belongs into BACKUP_RECIPIENTS:\n%s\n", recipient)
	_, err = fmt.Fprintln(out, key)
	return err
}

// Create makes a backup of one moment and keeps it. Processes go on meanwhile. With keep, only so many of the newest stay.
func (b *Backups) Create(ctx context.Context, keep int) error {
	to := b.cfg.BackupRecipients()
	if len(to) == 0 && b.cfg.Env.Guarded() {
		return fmt.Errorf("BACKUP_RECIPIENTS is empty, and %s makes no backup that anybody could open: make a key with «countersign backup key», away from this machine", b.cfg.Env)
	}
	c, err := openStore(ctx, b.cfg, clinic.Times{})
	if err != nil {
		return err
	}
	defer c.Close()
	m := &backup.Manifest{Archive: backup.Archive{Recipients: to}}
	began := time.Now()
	if err := c.BackupSnapshot(ctx, func(ctx context.Context, f clinic.BackupFacts) error { return b.dump(ctx, m, f) }); err != nil {
		return sayable(err)
	}
	if err := m.Seal(b.mac); err != nil {
		return err
	}
	sum, err := hex.DecodeString(m.Archive.SHA256)
	if err != nil {
		return err
	}
	made := clinic.Backup{ID: m.ID, Name: m.Name, TakenAt: m.TakenAt, Bytes: m.Archive.Bytes, SHA256: sum}
	err = c.BackupCreate(ctx, clinic.OperatorActor("operator"), made, func(ctx context.Context) error { return b.store.Publish(ctx, m) })
	if err != nil {
		return fmt.Errorf("the backup cannot be recorded, and there is none: %w", sayable(err))
	}
	b.say("Backup %s of %s: %d bytes in %.1fs, schema %d, %d events on the trail, %d of them sealed.", m.Name, m.TakenAt.Format(time.RFC3339),
		m.Archive.Bytes, time.Since(began).Seconds(), m.Schema, m.Ledger.Events, m.Ledger.Leaves)
	b.sayKeys(m)
	if len(to) == 0 {
		b.say("It is not encrypted: BACKUP_RECIPIENTS is empty.")
	}
	if keep > 0 {
		return b.prune(ctx, keep)
	}
	return nil
}

// dump keeps the archive of the moment that the facts are of, and writes them into the manifest.
func (b *Backups) dump(ctx context.Context, m *backup.Manifest, f clinic.BackupFacts) error {
	programs, err := backup.Find(ctx, b.cfg.PGBin, f.Server)
	if err != nil {
		return err
	}
	m.ID = uuid.Must(uuid.NewV7())
	m.Name, m.TakenAt, m.App, m.Schema, m.Postgres, m.Program = backup.NameOf(f.At, m.ID), f.At, Version(), f.Schema, f.Server, programs.Major
	i := f.Instance
	m.Instance = backup.Instance{Lineage: i.Lineage, Generation: i.Generation, Beat: i.Beat, BeatAt: i.BeatAt, Anchored: i.Anchored}
	m.Ledger = backup.Ledger{Events: f.Ledger.Events, Leaves: f.Ledger.Leaves, Checkpoint: f.Ledger.Note}
	for _, k := range f.Keys {
		m.Keys = append(m.Keys, backup.Key{ID: keyID(k.ID), Patients: k.Patients})
	}
	return b.store.Keep(ctx, m, func(ctx context.Context, to io.Writer) error {
		return programs.Dump(ctx, b.cfg.MigrateDatabaseURL.Reveal(), f.Snapshot, to)
	})
}

func keyID(id uint32) string { return fmt.Sprintf("%08x", id) }

func (b *Backups) mac(exact []byte) []byte { return b.keys.MAC(backupPurpose, exact) }

func (b *Backups) prune(ctx context.Context, keep int) error {
	gone, err := b.store.Prune(ctx, keep, time.Now())
	for _, name := range gone {
		b.say("Taken away: %s.", name)
	}
	if err != nil {
		return fmt.Errorf("the backup is made; old ones cannot be taken away: %w", err)
	}
	return nil
}

// missing are the wrapping keys that a backup needs and KEYSET lacks.
func (b *Backups) missing(m *backup.Manifest) (ids []string, patients int64) {
	for _, k := range m.Keys {
		var id uint32
		if _, err := fmt.Sscanf(k.ID, "%08x", &id); err != nil || !b.keys.Holds(id) {
			ids, patients = append(ids, k.ID), patients+k.Patients
		}
	}
	return ids, patients
}

// sayKeys says which wrapping keys have to be kept as long as the backup.
func (b *Backups) sayKeys(m *backup.Manifest) {
	var need string
	for _, k := range m.Keys {
		need += fmt.Sprintf(", %s (%d patients)", k.ID, k.Patients)
	}
	if need == "" {
		b.say("It needs no wrapping key: it has no patients.")
		return
	}
	b.say("It needs the wrapping keys %s. They are not in it: keep a KEYSET that holds them as long as the backup.", need[2:])
}

// List prints what there is, the oldest first.
func (b *Backups) List(ctx context.Context) error {
	names, err := b.store.List(ctx)
	if err != nil {
		return fmt.Errorf("the backups cannot be listed: %w", err)
	}
	t := tabwriter.NewWriter(b.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "backup\tof\tbytes\tschema\tsealed events\tencrypted\tKEYSET")
	for _, name := range names {
		m, err := b.store.Read(ctx, name)
		if err != nil {
			fmt.Fprintf(t, "%s\t%v\n", name, err)
			continue
		}
		held := "holds its keys"
		if lost, _ := b.missing(m); len(lost) > 0 {
			held = "lacks a key"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%t\t%s\n", m.Name, m.TakenAt.Format(time.RFC3339), m.Archive.Bytes, m.Schema, m.Ledger.Leaves, len(m.Archive.Recipients) > 0, held)
	}
	return t.Flush()
}
