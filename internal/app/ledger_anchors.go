package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/ledger"
)

// isLog says whether that is the name of a file and no bucket's address.
func isLog(anchors string) bool { return anchors != "" && !strings.Contains(anchors, "://") }

// placeOf is the bucket's address: that of the anchors, unless they are lines of a log.
func placeOf(cfg *config.Config, anchors string) string {
	if anchors == "" || isLog(anchors) {
		return cfg.BlobURL
	}
	return anchors
}

var errNoAnchors = errors.New("there are no anchors in that place")

// readAnchors reads every checkpoint of a bucket, or of a log. A place that was asked for and has none is an error: nothing could
// be compared.
func readAnchors(ctx context.Context, cfg *config.Config, asked string) (anchors []clinic.Anchor, err error) {
	if address := placeOf(cfg, asked); address != "" {
		bucket, err := blob.Open(ctx, address)
		if err != nil {
			return nil, err
		}
		defer bucket.Close()
		if anchors, err = anchorsIn(ctx, bucket); err != nil {
			return nil, err
		}
	}
	if isLog(asked) { // by itself, but for what was said of restores, which no log has
		lines, err := anchorsOfLog(asked)
		if err != nil || len(lines) == 0 {
			return nil, errors.Join(err, errNoAnchors)
		}
		return append(slices.DeleteFunc(anchors, func(a clinic.Anchor) bool { return !ledger.IsRestored(a.Note) }), lines...), nil
	}
	if asked != "" && len(anchors) == 0 {
		return nil, errNoAnchors
	}
	return anchors, nil
}

func anchorsIn(ctx context.Context, bucket *blob.Bucket) ([]clinic.Anchor, error) {
	names, err := bucket.List(ctx, anchorFolder)
	if err != nil {
		return nil, fmt.Errorf("the anchors cannot be listed: %w", err)
	}
	anchors := make([]clinic.Anchor, len(names))
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(anchorsAtOnce)
	for i, name := range names {
		reading.Go(func() error {
			note, _, err := bucket.Read(ctx, name)
			if err != nil {
				return fmt.Errorf("the anchor %s cannot be read: %w", name, err)
			}
			anchors[i] = clinic.Anchor{Name: name, Note: string(note)}
			return nil
		})
	}
	return anchors, reading.Wait()
}

// anchorsAtOnce is how many are read at a time: one a minute is half a million a year.
const anchorsAtOnce = 64

// mostLogLine is how long a line of a log may be.
const mostLogLine = 1 << 20

// anchorsOfLog reads the checkpoints that workers wrote as lines of their log, once each. What a platform puts before a line, and
// all other lines, are passed over.
func anchorsOfLog(name string) (anchors []clinic.Anchor, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("the anchors: %w", err)
	}
	defer file.Close()
	seen := map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 64<<10), mostLogLine)
	for n := 1; lines.Scan(); n++ {
		var said struct {
			Checkpoint string `json:"checkpoint"`
		}
		at := bytes.IndexByte(lines.Bytes(), '{')
		if at < 0 || json.Unmarshal(lines.Bytes()[at:], &said) != nil || said.Checkpoint == "" || seen[said.Checkpoint] {
			continue
		}
		seen[said.Checkpoint] = true
		anchors = append(anchors, clinic.Anchor{Name: fmt.Sprintf("of line %d of the log", n), Note: said.Checkpoint})
	}
	if lines.Err() != nil {
		return nil, fmt.Errorf("the anchors: %w", lines.Err())
	}
	return anchors, nil
}
