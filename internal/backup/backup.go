// Package backup keeps copies of a database in a place outside of it: an archive as pg_dump writes it, encrypted to whoever
// may open it, and beside it a manifest that says what the archive is. A backup is there once its manifest is: what broke
// off before that is never taken for one.
//
// It knows Postgres' own programs, archives and manifests. What the facts of a manifest mean, and whose keys sign it, is
// its caller's; it knows no table and no patient.
package backup

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/blob"
)

// Manifest says what an archive is. All of it is of one moment: the snapshot that pg_dump read from.
type Manifest struct {
	Format   int       `json:"v"`
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	TakenAt  time.Time `json:"taken_at"` // by the database's clock
	App      string    `json:"app"`      // the revision that made it
	Schema   int       `json:"schema"`
	Postgres int       `json:"postgres"` // the server's major version
	Program  int       `json:"pg_dump"`  // pg_dump's
	Archive  Archive   `json:"archive"`
	Instance Instance  `json:"instance"`
	Ledger   Ledger    `json:"ledger"`
	Keys     []Key     `json:"keys"` // the wrapping keys without which patients' text does not open
	MAC      string    `json:"mac"`  // by a key of the installation's, over all the rest
}

// Archive is the file beside the manifest, as it lies there.
type Archive struct {
	Name       string   `json:"name"`
	Bytes      int64    `json:"bytes"`
	SHA256     string   `json:"sha256"`
	Recipients []string `json:"recipients,omitempty"` // whom it is encrypted to; none: it is not
}

// Instance is how the restore fence stood.
type Instance struct {
	Lineage    uuid.UUID  `json:"lineage"`
	Generation int64      `json:"generation"`
	Beat       uuid.UUID  `json:"beat"`
	BeatAt     *time.Time `json:"beat_at,omitempty"`
	Anchored   bool       `json:"anchored"`
}

// Ledger is how far the audit trail was.
type Ledger struct {
	Events     int64  `json:"events"`
	Leaves     int64  `json:"leaves"`
	Checkpoint string `json:"checkpoint,omitempty"` // the last signed one
}

// Key is one wrapping key's id, and how many patients' keys it wrapped.
type Key struct {
	ID       string `json:"id"`
	Patients int64  `json:"patients"`
}

// ErrAltered: a manifest or an archive is not what was made.
var ErrAltered = errors.New("the backup is not what was made")

const (
	folder   = "backups/"
	ending   = ".manifest.json"
	format   = 1
	mostName = 64
)

// NameOf is a backup's name: names sort by time.
func NameOf(at time.Time, id uuid.UUID) string {
	return at.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(id[12:])
}

// Seal signs the manifest.
func (m *Manifest) Seal(mac func([]byte) []byte) error {
	exact, err := m.exact()
	if err != nil {
		return err
	}
	m.MAC = hex.EncodeToString(mac(exact))
	return nil
}

// Sealed says whether the manifest is what Seal has signed.
func (m *Manifest) Sealed(verify func(exact, mac []byte) bool) bool {
	mac, err := hex.DecodeString(m.MAC)
	exact, failed := m.exact()
	return err == nil && failed == nil && verify(exact, mac)
}

func (m *Manifest) exact() ([]byte, error) {
	bare := *m
	bare.MAC = ""
	return json.Marshal(bare)
}

// Store is a place with backups.
type Store struct{ bucket *blob.Bucket }

// Open opens a place as blob.Open does.
func Open(ctx context.Context, address string) (*Store, error) {
	bucket, err := blob.Open(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Store{bucket}, nil
}

// Close lets go of it.
func (s *Store) Close() error { return s.bucket.Close() }

// Publish writes the manifest: from then on the backup is there.
func (s *Store) Publish(ctx context.Context, m *Manifest) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return s.bucket.Write(ctx, folder+m.Name+ending, append(text, '\n'), "")
}

// List gives the names of all backups, the oldest first.
func (s *Store) List(ctx context.Context) (names []string, err error) {
	files, err := s.bucket.List(ctx, folder)
	for _, file := range files {
		if name, whole := strings.CutSuffix(strings.TrimPrefix(file, folder), ending); whole {
			names = append(names, name)
		}
	}
	return names, err
}

// Read reads one manifest; without a name the newest.
func (s *Store) Read(ctx context.Context, name string) (*Manifest, error) {
	if name == "" {
		names, err := s.List(ctx)
		if err != nil {
			return nil, fmt.Errorf("the backups cannot be listed: %w", err)
		}
		if len(names) == 0 {
			return nil, errors.New("there is no backup in that place")
		}
		name = names[len(names)-1]
	}
	if len(name) > mostName || strings.ContainsAny(name, "/\\") {
		return nil, errors.New("this is no backup's name; countersign backup list shows them")
	}
	text, _, err := s.bucket.Read(ctx, folder+name+ending)
	if errors.Is(err, blob.ErrMissing) {
		return nil, fmt.Errorf("there is no backup %s; countersign backup list shows those that there are", name)
	}
	if err != nil {
		return nil, err
	}
	m := &Manifest{}
	if json.Unmarshal(text, m) != nil || m.Format != format || m.Name != name || m.Archive.Name != archiveName(m) {
		return nil, fmt.Errorf("%w: its manifest cannot be read", ErrAltered)
	}
	return m, nil
}

// stray is how old a file without a manifest must be to be taken for what a broken-off backup left.
const stray = 24 * time.Hour

// Prune keeps the newest backups, and takes away the others and what backups that broke off have left behind. A backup
// stops being listed before its archive goes.
func (s *Store) Prune(ctx context.Context, keep int, now time.Time) (gone []string, err error) {
	names, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for len(names) > max(keep, 1) {
		if err := s.bucket.Delete(ctx, folder+names[0]+ending); err != nil {
			return gone, err
		}
		gone, names = append(gone, names[0]), names[1:]
	}
	files, err := s.bucket.Files(ctx, folder)
	for _, file := range files {
		name, _, _ := strings.Cut(strings.TrimPrefix(file.Name, folder), ".")
		if slices.Contains(names, name) || !slices.Contains(gone, name) && now.Sub(file.At) < stray {
			continue
		}
		if err := s.bucket.Delete(ctx, file.Name); err != nil {
			return gone, err
		}
	}
	return gone, err
}
