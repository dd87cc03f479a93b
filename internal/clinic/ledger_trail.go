package clinic

import (
	"cmp"
	"context"
	"math"
	"slices"

	"countersign/internal/db"
)

// readAnchors takes those that are signed, the smallest first.
func (v *verifier) readAnchors() {
	for _, a := range v.Anchors {
		v.out.Anchors++
		c, err := v.Known.Read(a.Note)
		if err != nil {
			v.find("anchor_forged", nil, 0, 0, "the anchor %s: %s", a.Name, err)
			continue
		}
		v.anchors = append(v.anchors, anchored{c, a.Name})
	}
	slices.SortFunc(v.anchors, func(a, b anchored) int { return cmp.Compare(a.Size, b.Size) })
}

// beyond looks for what was signed, here or outside, over more leaves than there are, and for leaves over which nothing was.
func (v *verifier) beyond(ctx context.Context, upto int64) error {
	more, err := v.LedgerCheckpoints(ctx, db.LedgerCheckpointsParams{Since: upto, Until: math.MaxInt64, Most: mostFindings})
	if err != nil {
		return err
	}
	if len(more) > 0 {
		last := more[len(more)-1]
		if _, err := v.Known.Read(last.Note); err == nil {
			v.find("tail_cut", nil, upto, last.Size, "leaves %d to %d are gone: a checkpoint of the database was signed over %d", upto, last.Size-1, last.Size)
		} else {
			v.find("checkpoint_forged", nil, upto, last.Size, "the checkpoint over %d leaves, where there are %d: %s", last.Size, upto, err)
		}
	}
	if n := len(v.anchors); n > 0 { // those that were not reached
		last := v.anchors[n-1]
		v.find("tail_cut", nil, upto, last.Size, "leaves %d to %d are gone: the anchor %s was signed over %d at %s", upto, last.Size-1, last.name, last.Size,
			last.At.Format("2006-01-02T15:04:05Z"))
	}
	if !v.off && v.good < upto && len(v.out.Findings) == 0 {
		v.find("unsigned", nil, v.good, upto, "leaves %d to %d are under no checkpoint", v.good, upto-1)
	}
	return nil
}

// trail holds the trail to the ledger: each event is sealed or waits.
func (v *verifier) trail(ctx context.Context, counts db.LedgerCountsRow) error {
	lost, err := v.LedgerLost(ctx)
	if err != nil {
		return err
	}
	for _, id := range lost {
		v.find("lost", &id, counts.Upto, counts.Upto, "event %s was taken away before it was sealed", id)
	}
	if counts.Events == counts.Leaves-v.gone+counts.Waiting {
		return nil
	}
	stray, err := v.LedgerStray(ctx)
	if err != nil {
		return err
	}
	for _, e := range stray {
		v.find("unsealed", &e.ID, counts.Upto, counts.Upto, "event %s, dated %s, is neither sealed nor waiting to be: it was put in past the ledger, or its leaf was taken",
			e.ID, e.At.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if len(stray) == 0 {
		v.find("miscounted", nil, 0, counts.Upto, "%d events, %d leaves whose event is there, %d waiting: one is in twice", counts.Events, counts.Leaves-v.gone, counts.Waiting)
	}
	return nil
}
