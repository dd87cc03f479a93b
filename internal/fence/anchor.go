package fence

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"countersign/internal/blob"
	"countersign/internal/clinic"
)

// anchorName is the file outside the database.
const anchorName = "instance.json"

// anchor is what that file says: the last generation of which a worker could tell it. It only goes forward.
type anchor struct {
	Format     int       `json:"v"`
	Lineage    uuid.UUID `json:"lineage"`
	Generation int64     `json:"generation"`
	Beat       uuid.UUID `json:"beat"`
	At         time.Time `json:"at"`

	version blob.Version
}

// errUnreadable: the file is there and is not one of ours.
var errUnreadable = errors.New("instance.json in BLOB_URL cannot be read")

// readAnchor is nil when there is no file. With errUnreadable it can still be written over.
func readAnchor(ctx context.Context, b *blob.Bucket) (*anchor, error) {
	content, version, err := b.Read(ctx, anchorName)
	if errors.Is(err, blob.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a := &anchor{version: version}
	if json.Unmarshal(content, a) != nil || a.Format != 1 || a.Lineage == uuid.Nil || a.Generation < 1 {
		return &anchor{version: version}, errUnreadable
	}
	return a, nil
}

// writeAnchor writes the installation over what was read, and over nothing else.
func writeAnchor(ctx context.Context, b *blob.Bucket, i clinic.Instance, over *anchor) error {
	a := anchor{Format: 1, Lineage: i.Lineage, Generation: i.Generation, Beat: i.Beat, At: time.Now().UTC().Truncate(time.Second)}
	content, err := json.Marshal(a)
	if err != nil {
		return err
	}
	var version blob.Version
	if over != nil {
		version = over.version
	}
	return b.Write(ctx, anchorName, append(content, '\n'), version)
}
