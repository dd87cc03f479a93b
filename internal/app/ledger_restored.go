package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/ledger"
)

// SayRestored signs, after a restore, which leaves it has lost, and puts that beside the anchors: from then on those of the lost
// line are no tampering, and each verification tells of it. The database has to be clean by itself, and to have grown out of an
// anchor from before.
func SayRestored(ctx context.Context, cfg *config.Config, asJSON bool, out io.Writer) error {
	key, known, err := openLedger(cfg)
	if err != nil {
		return err
	}
	if key == nil || cfg.BlobURL == "" {
		return errors.New("this takes LEDGER_KEY, and BLOB_URL with the anchors")
	}
	bucket, err := blob.Open(ctx, cfg.BlobURL)
	if err != nil {
		return err
	}
	defer bucket.Close()
	report, err := weigh(ctx, cfg, known, bucket)
	if err != nil {
		return err
	}
	kept, left, err := fork(report)
	if err != nil {
		return err
	}
	note, err := key.SignRestored(kept, left, time.Now())
	if err != nil {
		return err
	}
	name := "ledger/restored-" + anchorName(left)[len(anchorFolder):]
	if err := bucket.Write(ctx, name, []byte(note), ""); err != nil {
		return fmt.Errorf("it could not be written beside the anchors: %w", err)
	}
	if asJSON {
		return json.NewEncoder(out).Encode(map[string]any{"name": name, "from": kept.Size, "since": kept.At, "before": left.Size, "until": left.At})
	}
	_, err = fmt.Fprintf(out, "signed: a restore lost what came after leaf %d (%s), up to leaf %d (%s)\n", kept.Size-1, kept.At.Format(time.RFC3339), left.Size-1, left.At.Format(time.RFC3339))
	return err
}

// weigh verifies the database by itself, with its archives, and holds the anchors to it without being put off by them.
func weigh(ctx context.Context, cfg *config.Config, known ledger.Verifiers, bucket *blob.Bucket) (r clinic.LedgerReport, err error) {
	anchors, err := anchorsIn(ctx, bucket)
	if err != nil {
		return r, err
	}
	c, err := openTrail(ctx, cfg)
	if err != nil {
		return r, err
	}
	defer c.Close()
	if r, err = c.LedgerVerify(ctx, clinic.LedgerCheck{Known: known, Anchors: anchors, Archives: bucket, Aside: true}); err != nil {
		return r, fmt.Errorf("the ledger could not be checked: %w", sayable(err))
	}
	if err := verdict(r); err != nil {
		return r, errors.Join(err, errors.New("this database is not clean by itself, which no restore explains: run countersign audit verify"))
	}
	return r, nil
}

// fork finds the last anchor before the line that was lost, and the last one of that line.
func fork(r clinic.LedgerReport) (kept, left ledger.Checkpoint, err error) {
	if len(r.Against) == 0 {
		return kept, left, errors.New("every anchor agrees with this database: nothing was lost")
	}
	first := r.Against[0].At
	for _, a := range r.Against {
		if a.At.Before(first) {
			first = a.At
		}
		if a.Size > left.Size {
			left = a
		}
	}
	for _, a := range r.Agreed {
		if a.At.Before(first) && a.Size > kept.Size {
			kept = a
		}
	}
	if kept.Size == 0 {
		return kept, left, errors.New("no anchor from before agrees with this database: it is another one, or its past was written anew")
	}
	return kept, left, nil
}
