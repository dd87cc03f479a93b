package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"countersign/internal/backup"
	"countersign/internal/clinic"
	"countersign/internal/ledger"
)

// ErrBackupKeys: KEYSET lacks what a backup's patients were sealed with.
var ErrBackupKeys = errors.New("KEYSET lacks a key that this backup needs")

// BackupRefused says whether an error means that the backup itself is bad, rather than that it could not be looked at.
func BackupRefused(err error) bool {
	return errors.Is(err, backup.ErrAltered) || errors.Is(err, ErrTampered)
}

// Verify holds a backup, or without a name the newest, to its manifest, and that to KEYSET. With the file of a backup key
// it reads the archive as a restore would. It needs no database and writes nothing.
func (b *Backups) Verify(ctx context.Context, name, identity string) error {
	m, err := b.store.Read(ctx, name)
	if err != nil {
		return err
	}
	lost := b.trusted(m)
	if lost != nil && !errors.Is(lost, ErrBackupKeys) {
		return lost
	}
	err = b.whole(ctx, m, identity)
	if errors.Is(err, backup.ErrNoKey) && identity == "" {
		if err = b.store.Sum(ctx, m); err == nil {
			b.say("The archive is as it was kept, %d bytes. Without --identity it was not opened.", m.Archive.Bytes)
		}
	}
	return errors.Join(err, lost)
}

// trusted holds a manifest to KEYSET. ErrBackupKeys: nothing is wrong with it, and keys are missing.
func (b *Backups) trusted(m *backup.Manifest) error {
	b.say("Backup %s of %s, made by Postgres %d, schema %d.", m.Name, m.TakenAt.Format(time.RFC3339), m.Postgres, m.Schema)
	b.sayKeys(m)
	lost, patients := b.missing(m)
	signed := m.Sealed(func(exact, mac []byte) bool { return b.keys.VerifyMAC(mac, backupPurpose, exact) })
	switch {
	case !signed && len(lost) > 0:
		return fmt.Errorf("%w: this is not the KEYSET of the installation that it is of, or its manifest was altered; it needs %s", ErrBackupKeys, strings.Join(lost, ", "))
	case !signed:
		return fmt.Errorf("%w: its manifest is not what this installation has signed", backup.ErrAltered)
	case len(lost) > 0:
		b.say("Your KEYSET lacks %s: what is kept about %d patients would not open.", strings.Join(lost, ", "), patients)
		return fmt.Errorf("%w: %s", ErrBackupKeys, strings.Join(lost, ", "))
	}
	b.say("Your KEYSET holds them, and the manifest is signed by it.")
	return nil
}

// whole reads the archive to its end, twice: what it holds, and every byte of it.
func (b *Backups) whole(ctx context.Context, m *backup.Manifest, identity string) error {
	keys, err := backup.Identities(identity)
	if err != nil {
		return err
	}
	if len(keys) == 0 && len(m.Archive.Recipients) > 0 {
		return backup.ErrNoKey
	}
	programs, err := backup.Find(ctx, b.cfg.PGBin, m.Program)
	if err != nil {
		return err
	}
	if err := b.store.ReadArchive(ctx, m, keys, true, programs.Whole); err != nil {
		return err
	}
	var contents string
	err = b.store.ReadArchive(ctx, m, keys, false, func(ctx context.Context, from io.Reader) (err error) {
		contents, err = programs.Contents(ctx, from)
		return err
	})
	if err != nil {
		return err
	}
	_, tables, err := withoutInstance(contents)
	if err == nil {
		b.say("The archive is whole, %d bytes: the rows of %d tables.", m.Archive.Bytes, tables)
	}
	return err
}

var (
	tableData    = regexp.MustCompile(`(?m)^\d+; \d+ \d+ TABLE DATA .*$`)
	instanceData = regexp.MustCompile(`(?m)^\d+; \d+ \d+ TABLE DATA \S+ instance .*\n`)
)

// withoutInstance takes the installation's own row out of a list of contents: a restore writes it anew, as stopped.
func withoutInstance(contents string) (list string, tables int, err error) {
	if len(instanceData.FindAllString(contents, -1)) != 1 {
		return "", 0, fmt.Errorf("%w: the archive is not of an installation of Countersign", backup.ErrAltered)
	}
	return instanceData.ReplaceAllString(contents, ""), len(tableData.FindAllString(contents, -1)), nil
}

// checkRestored holds a restored database to the manifest and its ledger to its signatures, and says what is missing.
func (b *Backups) checkRestored(ctx context.Context, m *backup.Manifest, address string) error {
	c, err := clinic.Open(ctx, clinic.Config{DatabaseURL: address, Keyring: b.keys, MaxConns: 3})
	if err != nil {
		return err
	}
	defer c.Close()
	if err := b.sameFacts(ctx, c, m); err != nil {
		return err
	}
	known, err := verifiers(b.cfg, nil)
	if err != nil {
		b.say("The ledger was not verified: %v.", err)
		return nil
	}
	anchors, later, err := b.anchors(ctx, m, known)
	if err != nil {
		return err
	}
	began := time.Now()
	report, err := c.LedgerVerify(ctx, clinic.LedgerCheck{Known: known, Anchors: anchors})
	if err != nil {
		return fmt.Errorf("the ledger could not be checked: %w", sayable(err))
	}
	sayReport(report, time.Since(began), b.out)
	if len(report.Findings) > 0 {
		return ErrTampered
	}
	if later != nil {
		b.say("Lost: the anchors outside know of %d sealed events, this database of %d. %d are gone, the last of them sealed at %s.", later.Size, report.Leaves,
			later.Size-report.Leaves, later.At.Format(time.RFC3339))
	}
	return nil
}

// sameFacts: what the manifest says of its moment is what the database says of itself.
func (b *Backups) sameFacts(ctx context.Context, c *clinic.Clinic, m *backup.Manifest) error {
	return c.BackupSnapshot(ctx, func(_ context.Context, f clinic.BackupFacts) error {
		keys := map[string]int64{}
		for _, k := range f.Keys {
			keys[keyID(k.ID)] = k.Patients
		}
		same := len(keys) == len(m.Keys) && f.Ledger.Events == m.Ledger.Events && f.Ledger.Leaves == m.Ledger.Leaves && f.Ledger.Note == m.Ledger.Checkpoint &&
			f.Instance.Lineage == m.Instance.Lineage && f.Instance.Generation == m.Instance.Generation
		for _, k := range m.Keys {
			same = same && keys[k.ID] == k.Patients
		}
		if !same {
			return fmt.Errorf("%w: what was restored is not of the manifest's moment", backup.ErrAltered)
		}
		return nil
	})
}

// anchors are the checkpoints that the backup has to agree with: its manifest's, and those outside up to it. later is the
// last one beyond it: what it does not know.
func (b *Backups) anchors(ctx context.Context, m *backup.Manifest, known ledger.Verifiers) (upTo []clinic.Anchor, later *clinic.Checkpoint, err error) {
	all, err := readAnchors(ctx, b.cfg, "")
	if err != nil {
		return nil, nil, err
	}
	for _, a := range all {
		c, err := known.Read(a.Note)
		if err == nil && c.Size > m.Ledger.Leaves {
			if later == nil || c.Size > later.Size {
				later = &c
			}
			continue
		}
		upTo = append(upTo, a) // what cannot be read is for the verification to say
	}
	if m.Ledger.Checkpoint != "" {
		upTo = append(upTo, clinic.Anchor{Name: "of the manifest", Note: m.Ledger.Checkpoint})
	}
	return upTo, later, nil
}
