package clinic

import (
	"cmp"
	"context"
	"slices"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// readAnchors takes those that are signed, the smallest first.
func (v *verifier) readAnchors() {
	for _, a := range v.Anchors {
		if ledger.IsRestored(a.Note) {
			v.readRestored(a)
			continue
		}
		v.out.Anchors++
		c, err := v.Known.Read(a.Note)
		if err != nil {
			v.forged("the anchor %s: %s", a.Name, err)
			continue
		}
		v.out.Signed++
		v.anchors = append(v.anchors, anchored{c, a.Name})
	}
	// those that a restore has left behind cannot be held to what is there
	v.anchors = slices.DeleteFunc(v.anchors, func(a anchored) bool {
		for i, r := range v.restored {
			if r.Excuses(a.Checkpoint) {
				v.out.Restores[i].Anchors++
				return true
			}
		}
		return false
	})
	slices.SortFunc(v.anchors, func(a, b anchored) int { return cmp.Compare(a.Size, b.Size) })
}

func (v *verifier) forged(words, name string, err error) {
	if !v.Aside {
		v.find("anchor_forged", nil, 0, 0, words, name, err)
	}
}

// readRestored takes what was said of a restore. The leaves that were kept have to have the root that it names.
func (v *verifier) readRestored(a Anchor) {
	r, err := v.Known.ReadRestored(a.Note)
	if err != nil {
		v.forged("what %s says of a restore: %s", a.Name, err)
		return
	}
	v.restored = append(v.restored, r)
	v.out.Restores = append(v.out.Restores, LedgerRestore{Name: a.Name, From: r.Kept.Size, Before: r.Left.Size, Until: r.Left.At, Said: r.At})
	v.anchors = append(v.anchors, anchored{r.Kept, a.Name})
}

// beyond looks for what was signed, here or outside, over more leaves than there are, and for leaves over which nothing was.
func (v *verifier) beyond() error {
	signs, last := 0, checkpointRow{}
	for v.nextSign() {
		for _, row := range v.sign {
			v.out.Checkpoints++
			if row.err != nil {
				v.find("checkpoint_forged", nil, afterAll, afterAll, "the checkpoint over %d leaves, where there are %d: %s", row.size, v.next, row.err)
				continue
			}
			v.out.Signed++
			signs, last = signs+1, row
		}
		v.sign = nil
	}
	if signs > 0 {
		v.cut(last.signed, "a checkpoint of the database")
	}
	for _, a := range v.anchors { // those that were not reached
		v.out.Against = append(v.out.Against, a.Checkpoint)
	}
	if n := len(v.anchors); n > 0 && !v.Aside {
		v.cut(v.anchors[n-1].Checkpoint, "the anchor "+v.anchors[n-1].name)
	}
	if !v.off && v.good < v.next && len(v.found) == 0 {
		v.find("unsigned", nil, v.good, v.next, "leaves %d to %d are under no checkpoint", v.good, v.next-1)
	}
	return nil
}

// cut says that leaves are gone over which something was signed.
func (v *verifier) cut(by Checkpoint, what string) {
	v.find("tail_cut", nil, v.next, by.Size, "leaves %d to %d are gone: %s was signed over %d at %s. Somebody has cut the tail off, or the database was restored from a backup of before",
		v.next, by.Size-1, what, by.Size, by.At.Format("2006-01-02T15:04:05Z"))
}

// trail holds the trail to the ledger: each event is sealed or waits.
func (v *verifier) trail(ctx context.Context, ask *db.Queries, join *leafAndEvent) error {
	v.out.Events, v.out.Waiting = join.passed, join.waiting
	lost, err := ask.LedgerLost(ctx)
	if err != nil {
		return err
	}
	for _, id := range lost {
		v.find("lost", &id, afterAll, afterAll, "event %s was taken away before it was sealed", id)
	}
	again, err := ask.LedgerQueuedAgain(ctx)
	if err != nil {
		return err
	}
	for _, id := range again {
		v.find("queued_again", &id, afterAll, afterAll, "event %s is sealed, and was put among those that wait to be", id)
	}
	return join.count(ctx)
}
