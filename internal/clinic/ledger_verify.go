package clinic

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// LedgerCheck is what the ledger is verified against.
type LedgerCheck struct {
	Known    ledger.Verifiers
	Anchors  []Anchor // from outside the database
	Progress func(done, of int64)
	Aside    bool         // what contradicts an anchor is no finding: it is told in the report, for who answers for a restore
	Archives ArchivePlace // with the months that were taken out; nil: they are verified by their leaves' hashes alone
}

// Anchor is a checkpoint that was kept outside.
type Anchor struct{ Name, Note string }

// LedgerReport is what a verification found.
type LedgerReport struct {
	Events      int64           `json:"events"`
	Leaves      int64           `json:"leaves"`
	Waiting     int64           `json:"waiting"`  // not sealed yet
	Archived    int64           `json:"archived"` // of the events, those read from archives
	ByHash      int64           `json:"by_hash"`  // leaves whose events are in archives that were not read: their bytes were not seen
	Checkpoints int64           `json:"checkpoints"`
	Anchors     int64           `json:"anchors"`
	Signed      int64           `json:"signed"`   // of the checkpoints and anchors, by a key that is known
	Anchored    int64           `json:"anchored"` // leaves under the last anchor that agrees
	Root        string          `json:"root"`
	Restores    []LedgerRestore `json:"restores,omitempty"`
	Agreed      []Checkpoint    `json:"-"` // the anchors that agree with what is there
	Against     []Checkpoint    `json:"-"` // and those that do not, or are over more leaves
	Findings    []LedgerFinding `json:"findings"`
	More        int             `json:"more"` // findings beyond those
}

// LedgerRestore is what somebody with the ledger's key has said of a restore: from leaf From on the leaves up to Before were lost,
// whose last checkpoint was of Until, and Anchors of the anchors with them, which are held to nothing. It is for people to know
// whether there was that restore.
type LedgerRestore struct {
	Name    string    `json:"name"`
	From    int64     `json:"from"`
	Before  int64     `json:"before"`
	Until   time.Time `json:"until"`
	Said    time.Time `json:"said"`
	Anchors int64     `json:"anchors"`
}

// LedgerFinding is something that is not as it was signed. From and Before are leaves; Event, if it is about one.
type LedgerFinding struct {
	Code   string     `json:"code"`
	Event  *uuid.UUID `json:"event,omitempty"`
	From   int64      `json:"from"`
	Before int64      `json:"before"`
	Words  string     `json:"words"`
}

const (
	mostFindings = 100
	mostKept     = 10_000               // of findings, before the first of them are told
	backdated    = 10 * time.Minute     // clocks of processes may differ, and deeds take a moment
	afterAll     = int64(math.MaxInt64) // where a finding stands that is about no leaf
	progressStep = 8192                 // leaves
)

// LedgerVerify reads the whole ledger and the whole trail, as they are at one moment, changes nothing, and says what does not
// agree: each event with its leaf and its columns with its bytes, the leaves with the tree, the tree with each signed
// checkpoint and each anchor, and the trail with the leaves.
func (c *Clinic) LedgerVerify(ctx context.Context, check LedgerCheck) (LedgerReport, error) {
	return c.ledgerVerify(ctx, check, mostWaiting)
}

func (c *Clinic) ledgerVerify(ctx context.Context, check LedgerCheck, waiting int) (_ LedgerReport, err error) {
	v := &verifier{LedgerCheck: check, tree: &ledger.Tree{}, mostWaiting: waiting}
	if v.reader, err = c.openReader(ctx); err != nil {
		return v.out, err
	}
	defer v.reader.close(ctx)
	err = v.run(ctx)
	v.tell()
	return v.out, err
}

type verifier struct {
	LedgerCheck
	reader      *ledgerReader
	out         LedgerReport
	mostWaiting int

	tree      *ledger.Tree
	hashes    []byte    // of the leaf before, to be written over
	next      int64     // the number that the next leaf has to have
	of        int64     // how many there seem to be
	off       bool      // the tree is known to be another one: what comes after is not to be compared
	misshapen bool      // a leaf since good has not as many hashes as it must have
	good      int64     // the leaves under the last checkpoint or anchor that agrees
	goodAt    time.Time // its time
	last      uuid.UUID // the event of the leaf before
	anchors   []anchored
	signs     chan []checkpointRow
	sign      []checkpointRow // of those, what is not reached yet

	restored []ledger.Restored
	archives *archives

	mu    sync.Mutex
	found []LedgerFinding
}

// anchored is an anchor that is signed.
type anchored struct {
	Checkpoint
	name string
}

func (v *verifier) find(code string, event *uuid.UUID, from, before int64, words string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.found) >= mostKept {
		v.out.More++
		return
	}
	v.found = append(v.found, LedgerFinding{Code: code, Event: event, From: from, Before: before, Words: fmt.Sprintf(words, args...)})
}

// tell puts the first findings into the report, in the order of the leaves.
func (v *verifier) tell() {
	slices.SortStableFunc(v.found, func(a, b LedgerFinding) int { return cmp.Compare(a.From, b.From) })
	v.out.More += max(0, len(v.found)-mostFindings)
	v.out.Findings = append([]LedgerFinding{}, v.found[:min(len(v.found), mostFindings)]...)
	for i := range v.out.Findings {
		f := &v.out.Findings[i]
		f.From, f.Before = min(f.From, v.next), min(f.Before, v.next)
	}
}

// run reads the trail, the leaves and the checkpoints at once.
func (v *verifier) run(ctx context.Context) (err error) {
	ask := db.New(v.reader.ask)
	if v.of, err = ask.LedgerLast(ctx); err != nil {
		return err
	}
	rows, err := ask.LedgerArchives(ctx)
	if err != nil {
		return err
	}
	v.archives = newArchives(rows)
	v.readAnchors()
	ctx, stop := context.WithCancel(ctx)
	join := newLeafAndEvent(ctx, v, ask)
	v.signs = make(chan []checkpointRow, 2)
	var signsFailed error
	var readers sync.WaitGroup
	defer readers.Wait()
	defer stop()
	readers.Go(func() {
		defer close(v.signs)
		signsFailed = v.reader.eachCheckpoint(ctx, v.Known, func(batch []checkpointRow) error {
			select {
			case v.signs <- batch:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	var events sync.WaitGroup
	events.Go(func() {
		err := v.readArchives(ctx, rows, join)
		if err == nil {
			err = v.reader.eachEvent(ctx, join.addEvents, func(table string) {
				v.find("event_unreadable", nil, afterAll, afterAll, "an event in %s has no id or no time", table)
			})
		}
		join.read(false, err)
	})
	err = v.eachLeaf(ctx, join)
	join.read(true, err)
	events.Wait()
	if err == nil {
		err = join.rest()
	}
	if err == nil {
		err = v.beyond()
	}
	if err == nil {
		err = cmp.Or(signsFailed, v.trail(ctx, ask, join))
	}
	return err
}

// eachLeaf makes the tree anew.
func (v *verifier) eachLeaf(ctx context.Context, join *leafAndEvent) error {
	batch := make([]seenLeaf, 0, readBatch)
	err := v.reader.eachLeaf(ctx, func(r leafRow) error {
		if l, ok := v.leaf(r); ok {
			batch = append(batch, l)
		}
		v.reached()
		if v.Progress != nil && v.next%progressStep == 0 {
			v.Progress(v.next, max(v.of, v.next))
		}
		if len(batch) < readBatch {
			return nil
		}
		err := join.addLeaves(batch)
		batch = batch[:0]
		return err
	})
	if err == nil {
		err = join.addLeaves(batch)
	}
	v.out.Root = v.tree.Root().String()
	return err
}

// leaf adds one to the tree. Not ok: it does not say whose it is.
func (v *verifier) leaf(r leafRow) (l seenLeaf, ok bool) {
	v.out.Leaves++
	id := r.event.id
	if !r.whole || r.leaf < v.next {
		v.off = true
		v.find("leaf_broken", &id, v.next, v.next+1, "a row of the ledger (event %s, leaf %d, where leaf %d has to be) is not as it was written", id, r.leaf, v.next)
		return seenLeaf{eventKey: r.event, leaf: r.leaf, broken: true}, r.whole
	}
	if r.leaf > v.next {
		if !v.off {
			v.find("leaves_gone", nil, v.next, r.leaf, "leaves %d to %d are gone", v.next, r.leaf-1)
		}
		v.off = true
	}
	v.next = min(r.leaf, math.MaxInt64-1) + 1
	l = seenLeaf{eventKey: r.event, leaf: r.leaf, broken: len(r.hashes) < ledger.HashSize}
	if !v.goodAt.IsZero() && pgTime(r.event.at).Before(v.goodAt.Add(-backdated)) {
		v.find("backdated", &id, r.leaf, v.next, "event %s (leaf %d) is dated %s, and was added after the checkpoint of %s", id, r.leaf,
			pgTime(r.event.at).Format(time.RFC3339), v.goodAt.Format(time.RFC3339))
	}
	copy(l.hash[:], r.hashes)
	kept := v.tree.AppendOver(l.hash, v.hashes)
	v.hashes = kept.Hashes
	switch {
	case l.broken:
		v.find("leaf_broken", &id, r.leaf, v.next, "leaf %d (event %s) has no hash: it is not as it was written", r.leaf, id)
		v.off = true
	case v.off || v.misshapen:
	case len(kept.Hashes) != len(r.hashes):
		v.misshapen = true
		v.find("leaf_changed", &id, r.leaf, v.next, "leaf %d (event %s) has %d bytes of hashes, where %d were written", r.leaf, id, len(r.hashes), len(kept.Hashes))
	case string(kept.Hashes) != string(r.hashes):
		v.tampered(kept.Hashes, r.hashes, r.leaf, id)
	}
	v.last = id
	return l, true
}

// reached holds the tree to what was signed over as many leaves as it has now.
func (v *verifier) reached() {
	for v.nextSign() && v.sign[0].size <= v.next {
		v.signed(v.sign[0])
		v.sign = v.sign[1:]
	}
	for len(v.anchors) > 0 && v.anchors[0].Size <= v.next {
		v.anchor(v.anchors[0])
		v.anchors = v.anchors[1:]
	}
}

// nextSign is whether there is another checkpoint.
func (v *verifier) nextSign() bool {
	for len(v.sign) == 0 {
		more, open := <-v.signs
		if !open {
			return false
		}
		v.sign = more
	}
	return true
}

// tampered names the smallest part of the tree whose own hashes do not agree.
func (v *verifier) tampered(want, kept []byte, at int64, id uuid.UUID) {
	v.off = true
	level := 1
	for n := ledger.HashSize; n+ledger.HashSize <= min(len(want), len(kept)) && string(want[n:n+ledger.HashSize]) == string(kept[n:n+ledger.HashSize]); n += ledger.HashSize {
		level++
	}
	from := at + 1 - 1<<min(level, 62)
	if level == 1 {
		v.find("leaf_changed", nil, from, at+1, "leaf %d (event %s) or leaf %d (event %s) is not what was sealed", at-1, v.last, at, id)
		return
	}
	v.find("leaves_changed", nil, from, at+1, "leaves %d to %d are not what was sealed", from, at)
}

// signed holds the tree to a checkpoint of the database.
func (v *verifier) signed(row checkpointRow) {
	v.out.Checkpoints++
	switch {
	case row.err != nil:
		v.find("checkpoint_forged", nil, v.good, row.size, "leaves %d to %d: of the checkpoint over %d, %s", v.good, row.size-1, row.size, row.err)
		return
	case row.signed.Size != row.size || !row.signed.At.Equal(pgTime(row.at)):
		v.find("checkpoint_moved", nil, v.good, row.size, "the checkpoint over %d leaves was signed for %d, at %s", row.size, row.signed.Size, row.signed.At.Format(time.RFC3339))
		return
	}
	v.out.Signed++
	v.agrees(row.signed, "the checkpoint", v.good)
}

// anchor holds the tree to a checkpoint that was kept outside.
func (v *verifier) anchor(a anchored) {
	if a.Size == v.tree.Size() && a.Root == v.tree.Root() {
		v.out.Agreed = append(v.out.Agreed, a.Checkpoint)
	} else {
		v.out.Against = append(v.out.Against, a.Checkpoint)
	}
	if v.Aside {
		return
	}
	if v.agrees(a.Checkpoint, "the anchor "+a.name, v.out.Anchored) {
		v.out.Anchored = a.Size
	}
}

// agrees says whether the tree has the root of c. Up to good it had that of the one before of the same kind.
func (v *verifier) agrees(c Checkpoint, what string, good int64) bool {
	if c.Size != v.tree.Size() || c.Root != v.tree.Root() {
		if !v.off {
			v.find("rewritten", nil, good, c.Size, "leaves %d to %d were rewritten: they do not give the root of %s over %d, signed at %s",
				good, c.Size-1, what, c.Size, c.At.Format(time.RFC3339))
		}
		v.off = true
		return false
	}
	v.good, v.goodAt, v.misshapen = c.Size, c.At, false
	return true
}
