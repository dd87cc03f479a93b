package clinic

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// LedgerCheck is what the ledger is verified against.
type LedgerCheck struct {
	Known    ledger.Verifiers
	Anchors  []Anchor // from outside the database
	Progress func(done, of int64)
}

// Anchor is a checkpoint that was kept outside.
type Anchor struct{ Name, Note string }

// LedgerReport is what a verification found.
type LedgerReport struct {
	Events      int64           `json:"events"`
	Leaves      int64           `json:"leaves"`
	Waiting     int64           `json:"waiting"` // not sealed yet
	Checkpoints int64           `json:"checkpoints"`
	Anchors     int64           `json:"anchors"`
	Anchored    int64           `json:"anchored"` // leaves under the last anchor that agrees
	Root        string          `json:"root"`
	Findings    []LedgerFinding `json:"findings"`
	More        int             `json:"more"` // findings beyond those
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
	verifyChunk  = 4096 // leaves
	mostFindings = 100
	backdated    = 10 * time.Minute // clocks of processes may differ, and deeds take a moment
)

// LedgerVerify reads the whole ledger and the whole trail, as they are at one moment, changes nothing, and says what does not
// agree: each event with its leaf and its columns with its bytes, the leaves with the tree, the tree with each signed
// checkpoint and each anchor, and the trail with the leaves.
func (c *Clinic) LedgerVerify(ctx context.Context, check LedgerCheck) (LedgerReport, error) {
	v := &verifier{LedgerCheck: check, tree: &ledger.Tree{}}
	v.out.Findings = []LedgerFinding{}
	err := pgx.BeginTxFunc(ctx, c.pool, ledgerLook, func(tx pgx.Tx) error {
		v.Queries = db.New(tx)
		return v.run(ctx)
	})
	return v.out, err
}

type verifier struct {
	LedgerCheck
	*db.Queries
	out     LedgerReport
	tree    *ledger.Tree
	off     bool      // the tree is known to be another one: what comes after is not to be compared
	good    int64     // the leaves under the last checkpoint or anchor that agrees
	goodAt  time.Time // its time
	gone    int64     // events that have a leaf and are not there
	last    uuid.UUID // the event of the leaf before
	anchors []anchored
}

// anchored is an anchor that is signed.
type anchored struct {
	Checkpoint
	name string
}

func (v *verifier) find(code string, event *uuid.UUID, from, before int64, words string, args ...any) {
	if len(v.out.Findings) >= mostFindings {
		v.out.More++
		return
	}
	v.out.Findings = append(v.out.Findings, LedgerFinding{Code: code, Event: event, From: from, Before: before, Words: fmt.Sprintf(words, args...)})
}

func (v *verifier) run(ctx context.Context) error {
	counts, err := v.LedgerCounts(ctx)
	if err != nil {
		return err
	}
	v.out.Events, v.out.Leaves, v.out.Waiting = counts.Events, counts.Leaves, counts.Waiting
	v.readAnchors()
	if err := v.stream(ctx, counts.Upto); err != nil {
		return err
	}
	v.out.Root = v.tree.Root().String()
	if err := v.beyond(ctx, counts.Upto); err != nil {
		return err
	}
	return v.trail(ctx, counts)
}

// chunk is some leaves with their events, and the checkpoints that end among them.
type chunk struct {
	rows  []db.LedgerChunkRow
	signs []db.LedgerCheckpoint
	bad   []([]string) // the columns that disagree, by row
	until int64
	err   error
}

// stream reads ahead of what is verified: Postgres and we work at the same time.
func (v *verifier) stream(ctx context.Context, upto int64) error {
	ctx, stop := context.WithCancel(ctx)
	chunks := make(chan chunk, 2)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer stop()
	reader.Go(func() {
		defer close(chunks)
		for since := int64(0); since < upto; since += verifyChunk {
			c := v.read(ctx, since)
			select {
			case chunks <- c:
			case <-ctx.Done():
				return
			}
		}
	})
	for c := range chunks {
		if c.err != nil {
			return c.err
		}
		v.chunk(&c)
		if v.Progress != nil {
			v.Progress(min(c.until, upto), upto)
		}
	}
	return ctx.Err()
}

func (v *verifier) read(ctx context.Context, since int64) (c chunk) {
	c.until = since + verifyChunk
	if c.rows, c.err = v.LedgerChunk(ctx, db.LedgerChunkParams{Since: since, Until: c.until}); c.err != nil {
		return c
	}
	c.signs, c.err = v.LedgerCheckpoints(ctx, db.LedgerCheckpointsParams{Since: since, Until: c.until, Most: verifyChunk})
	return c
}

// chunk compares columns with bytes on two processors, and then goes leaf by leaf.
func (v *verifier) chunk(c *chunk) {
	c.bad = make([][]string, len(c.rows))
	var both sync.WaitGroup
	half := len(c.rows) / 2
	for _, part := range [][2]int{{0, half}, {half, len(c.rows)}} {
		both.Go(func() {
			for i := part[0]; i < part[1]; i++ {
				if c.rows[i].Found != nil {
					c.bad[i] = disagreement(&c.rows[i])
				}
			}
		})
	}
	both.Wait()
	for i := range c.rows {
		v.leaf(&c.rows[i], c.bad[i])
		for len(c.signs) > 0 && c.signs[0].Size <= v.tree.Size() {
			v.signed(c.signs[0])
			c.signs = c.signs[1:]
		}
		for len(v.anchors) > 0 && v.anchors[0].Size <= v.tree.Size() {
			v.anchor(v.anchors[0])
			v.anchors = v.anchors[1:]
		}
	}
}

// leaf holds one event to its leaf and adds that to the tree.
func (v *verifier) leaf(r *db.LedgerChunkRow, columns []string) {
	at, id := v.tree.Size(), r.EventID
	if r.Leaf != at {
		if !v.off {
			v.find("leaves_gone", nil, at, r.Leaf, "leaves %d to %d are gone", at, r.Leaf-1)
		}
		v.off = true
		at = r.Leaf
	}
	hash := ledger.Hash(r.Hashes[:ledger.HashSize])
	switch {
	case r.Found == nil:
		v.gone++
		v.find("event_gone", &id, r.Leaf, r.Leaf+1, "event %s (leaf %d) is gone", id, r.Leaf)
	case ledger.LeafHash(r.Rec) != hash:
		v.find("event_changed", &id, r.Leaf, r.Leaf+1, "event %s (leaf %d) is not what was sealed", id, r.Leaf)
	}
	if len(columns) > 0 {
		v.find("columns_changed", &id, r.Leaf, r.Leaf+1, "event %s (leaf %d) says something else in its columns than in its bytes: %s", id, r.Leaf, strings.Join(columns, ", "))
	}
	if r.Found != nil && !v.goodAt.IsZero() && r.LeafAt.Before(v.goodAt.Add(-backdated)) {
		v.find("backdated", &id, r.Leaf, r.Leaf+1, "event %s (leaf %d) is dated %s, and was added after the checkpoint of %s", id, r.Leaf,
			r.LeafAt.UTC().Format(time.RFC3339), v.goodAt.Format(time.RFC3339))
	}
	kept := v.tree.Append(hash)
	if !v.off && string(kept.Hashes) != string(r.Hashes) {
		v.tampered(kept.Hashes, r.Hashes, at, id)
	}
	v.last = id
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
func (v *verifier) signed(row db.LedgerCheckpoint) {
	v.out.Checkpoints++
	c, err := v.Known.Read(row.Note)
	switch {
	case err != nil:
		v.find("checkpoint_forged", nil, v.good, row.Size, "leaves %d to %d: of the checkpoint over %d, %s", v.good, row.Size-1, row.Size, err)
		return
	case c.Size != row.Size || !c.At.Equal(row.SealedAt):
		v.find("checkpoint_moved", nil, v.good, row.Size, "the checkpoint over %d leaves was signed for %d, at %s", row.Size, c.Size, c.At.Format(time.RFC3339))
		return
	}
	v.agrees(c, "the checkpoint", v.good)
}

// anchor holds the tree to a checkpoint that was kept outside.
func (v *verifier) anchor(a anchored) {
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
	v.good, v.goodAt = c.Size, c.At
	return true
}
