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
)

// keptYears is how long the trail stays in the database unless somebody says otherwise: 45 CFR 164.316(b)(2)(i).
const keptYears = 6

// ArchiveMonths takes every month of the trail before the given one to BLOB_URL, the oldest first, as the database's owner. First
// the whole ledger is verified against the anchors: what is not what was signed stays where it is. before zero: six years ago.
func ArchiveMonths(ctx context.Context, cfg *config.Config, before time.Time, asJSON bool, out io.Writer) error {
	if before.IsZero() {
		before = time.Now().UTC().AddDate(-keptYears, 0, 0)
	}
	if cfg.BlobURL == "" {
		return errors.New("BLOB_URL must name the place for the archives")
	}
	known, err := verifiers(cfg, nil)
	if err != nil {
		return err
	}
	anchors, err := readAnchors(ctx, cfg, cfg.BlobURL)
	if err != nil {
		return err
	}
	bucket, err := blob.Open(ctx, cfg.BlobURL)
	if err != nil {
		return err
	}
	defer bucket.Close()
	c, err := clinic.Open(ctx, clinic.Config{DatabaseURL: cfg.MigrateDatabaseURL.Reveal(), MaxConns: 4})
	if err != nil {
		return err
	}
	defer c.Close()
	report, err := verifyFirst(ctx, c, clinic.LedgerCheck{Known: known, Anchors: anchors, Archives: bucket}, asJSON, out)
	if err != nil {
		return err
	}
	months, err := c.LedgerMonths(ctx, before)
	if err != nil {
		return err
	}
	for _, month := range months {
		done, err := c.AuditArchive(ctx, clinic.OperatorActor("operator"), month, report.Anchored, bucket)
		if clinic.Code(err) == "no_events" { // an empty table harms nobody
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", month.Format("2006-01"), sayable(err))
		}
		if asJSON {
			if err := json.NewEncoder(out).Encode(done); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(out, "%s: %d events, leaves %d to %d, are in %s and no longer in the database\n", month.Format("2006-01"), done.Events, done.First, done.Last, done.File)
	}
	if len(months) == 0 && !asJSON {
		fmt.Fprintf(out, "there is no month before %s in the database\n", before.Format("2006-01"))
	}
	return nil
}

// verifyFirst says what it finds where that is not clean.
func verifyFirst(ctx context.Context, c *clinic.Clinic, check clinic.LedgerCheck, asJSON bool, out io.Writer) (clinic.LedgerReport, error) {
	began := time.Now()
	report, err := c.LedgerVerify(ctx, check)
	if err != nil {
		return report, fmt.Errorf("the ledger could not be checked: %w", sayable(err))
	}
	err = verdict(report)
	switch {
	case err != nil && asJSON:
		err = errors.Join(err, json.NewEncoder(out).Encode(report))
	case err != nil:
		sayReport(report, time.Since(began), out)
	}
	return report, err
}
