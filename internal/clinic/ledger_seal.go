package clinic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"countersign/internal/db"
	"countersign/internal/faultpoint"
	"countersign/internal/ledger"
)

// Checkpoint is the ledger's signed root.
type Checkpoint = ledger.Checkpoint

// sealBatch is how many events one transaction seals; a full batch is followed at once by another of twice as many, up to
// sealMost: each looks through all that waits.
const sealBatch, sealMost = 4000, 32_000

// sealing is what a process that seals has.
type sealing struct {
	key   *ledger.Key
	known ledger.Verifiers
	mu    sync.Mutex
	said  map[string]bool // the alarms that were raised: once a process is enough
	batch int             // of the next transaction; 0: sealBatch
	lost  int             // events that waited and are gone: they stay in the queue, before those that are there
}

// Sealed is what one call of LedgerSeal did.
type Sealed struct {
	Off    bool // this process has no key to seal with
	Leaves int
	More   bool       // a full batch: there may be more
	Lost   int        // events that waited and are gone
	Head   Checkpoint // the last one, whoever made it; without Note: there is none
}

// LedgerSeal makes leaves of the events that wait, the oldest first, and signs the new root, in one transaction: after a
// crash at any line either all of it is there or none. Of any number of workers one does it; the others see the head. What is
// there already is not believed: its root has to be what was signed, or nothing is added and an alarm is raised.
func (c *Clinic) LedgerSeal(ctx context.Context) (Sealed, error) {
	var done Sealed
	if c.seal == nil {
		return Sealed{Off: true}, nil
	}
	err := pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error {
		s := sealer{Queries: db.New(tx), tx: tx, sealing: c.seal, now: c.now().UTC(), out: &done}
		return s.run(ctx)
	})
	if err == nil && done.Leaves > 0 {
		faultpoint.Reach("ledger", "committed")
	}
	if isUnique(err, "ledger_leaves_pkey") || isUnique(err, "ledger_leaves_event_id_key") || isUnique(err, "ledger_checkpoints_pkey") {
		err = ledgerBroken()
	}
	if code := Code(err); code == "ledger_broken" || code == "ledger_key" {
		c.ledgerAlarm(ctx, code)
	}
	if done.Lost > 0 {
		c.ledgerAlarm(ctx, "ledger_lost")
	}
	return done, err
}

// ledgerAlarm is raised once in a process.
func (c *Clinic) ledgerAlarm(ctx context.Context, code string) {
	c.seal.mu.Lock()
	defer c.seal.mu.Unlock()
	if c.seal.said == nil {
		c.seal.said = map[string]bool{}
	}
	if !c.seal.said[code] {
		c.seal.said[code] = true
		c.alarm(ctx, code)
	}
}

func ledgerBroken() error {
	return refuse(Unavailable, "ledger_broken", "The audit ledger is not what was signed. Run countersign audit verify.")
}

// sealer is one transaction of LedgerSeal.
type sealer struct {
	*db.Queries
	*sealing
	tx   pgx.Tx // adds leaves by COPY: a page of them is one record of Postgres's log
	now  time.Time
	out  *Sealed
	tree *ledger.Tree
}

func (s *sealer) run(ctx context.Context) error {
	mine, err := s.LedgerLock(ctx)
	if err != nil {
		return err
	}
	if err := s.open(ctx); err != nil || !mine {
		return err
	}
	there, until, err := s.next(ctx)
	if err != nil {
		return err
	}
	if err := s.take(ctx, there); err != nil {
		return err
	}
	faultpoint.Reach("ledger", "taken")
	if len(there) == 0 {
		return nil
	}
	return s.add(ctx, there, until)
}

// next reads the oldest of what waits and is there, past whatever is lost, and the time up to which nothing else waits.
func (s *sealer) next(ctx context.Context) (there []db.LedgerNextRow, until time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batch := max(s.batch, sealBatch)
	waiting, err := s.LedgerNext(ctx, int32(batch+s.lost))
	if err != nil {
		return nil, until, err
	}
	until, total := s.now, len(waiting)
	if s.batch, s.out.More = 0, total == batch+s.lost; s.out.More {
		s.batch, until = min(2*batch, sealMost), earlier(until, waiting[total-1].At)
	}
	there = slices.DeleteFunc(waiting, func(p db.LedgerNextRow) bool { return p.Rec == nil })
	s.lost = total - len(there)
	s.out.Lost = s.lost
	return there, until, nil
}

// take takes these out of the queue.
func (s *sealer) take(ctx context.Context, events []db.LedgerNextRow) error {
	places := make([]pgtype.TID, len(events))
	for i, e := range events {
		places[i] = e.Place
	}
	n, err := s.LedgerTake(ctx, places)
	if err == nil && int(n) != len(events) {
		err = fmt.Errorf("%d of %d events were gone from the ledger's queue while they were sealed", len(events)-int(n), len(events))
	}
	return err
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// open reads the head and the tree's right edge, and holds the one to the other.
func (s *sealer) open(ctx context.Context) error {
	head, err := s.LedgerHead(ctx)
	if noRows(err) {
		s.tree = &ledger.Tree{}
		return nil
	}
	if err != nil {
		return err
	}
	signed, err := s.known.Read(head.Note)
	if err != nil || signed.Size != head.Size {
		return refuse(Unavailable, "ledger_key", "The audit ledger was signed by another key. Its verifier belongs in LEDGER_VERIFIERS.")
	}
	if s.tree, err = ledger.Open(signed.Size, leafHashes(ctx, s.Queries)); err != nil || s.tree.Root() != signed.Root {
		return ledgerBroken()
	}
	s.out.Head = signed
	return nil
}

// leafHashes reads the kept hashes of leaves.
func leafHashes(ctx context.Context, q *db.Queries) ledger.Fetch {
	return func(leaves []int64) ([][]byte, error) {
		rows, err := q.LedgerHashes(ctx, leaves)
		if err != nil {
			return nil, err
		}
		at := map[int64][]byte{}
		for _, r := range rows {
			at[r.Leaf] = r.Hashes
		}
		out := make([][]byte, len(leaves))
		for i, leaf := range leaves {
			out[i] = at[leaf]
		}
		return out, nil
	}
}

func (s *sealer) add(ctx context.Context, events []db.LedgerNextRow, until time.Time) error {
	n, err := s.tx.CopyFrom(ctx, pgx.Identifier{"ledger_leaves"}, []string{"leaf", "event_id", "at", "hashes"}, pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
		leaf := s.tree.Append(ledger.LeafHash(events[i].Rec))
		return []any{leaf.Index, events[i].EventID, events[i].At, leaf.Hashes}, nil
	}))
	if err != nil || int(n) != len(events) {
		return cmp.Or(err, ledgerBroken())
	}
	faultpoint.Reach("ledger", "leaves")
	head, err := s.key.Sign(s.tree, until)
	if err != nil {
		return err
	}
	if err := s.LedgerCheckpointAdd(ctx, db.LedgerCheckpointAddParams{Size: head.Size, SealedAt: head.At, Note: head.Note}); err != nil {
		return err
	}
	faultpoint.Reach("ledger", "before-commit")
	s.out.Leaves, s.out.Head = len(events), head
	return nil
}

// LedgerProve makes the offline proof of a sealed event; of one that was archived, if the place is given.
func (c *Clinic) LedgerProve(ctx context.Context, event uuid.UUID, known ledger.Verifiers, places ...ArchivePlace) (p ledger.Proof, err error) {
	err = pgx.BeginTxFunc(ctx, c.pool, ledgerLook, func(tx pgx.Tx) error {
		q := db.New(tx)
		leaf, err := q.LedgerLeafOf(ctx, event)
		if noRows(err) {
			return refuse(NotFound, "not_sealed", "This event is not in the ledger: there is none of this id, or it waits to be sealed.")
		}
		if err != nil {
			return err
		}
		if leaf.Rec == nil {
			rows, err := q.LedgerArchives(ctx)
			if err == nil {
				leaf.Rec, err = archivedBytes(ctx, rows, event, leaf.At, places)
			}
			if err != nil {
				return err
			}
		}
		head, err := q.LedgerHead(ctx)
		if err != nil {
			return err
		}
		under, err := known.Read(head.Note)
		if err == nil {
			p, err = ledger.Prove(leaf.Leaf, leaf.Rec, under, leafHashes(ctx, q))
		}
		if errors.Is(err, ledger.ErrOtherKey) {
			return refuse(Conflict, "other_key", "The ledger's last checkpoint is not signed by this key. Give the verifier of the key that seals.")
		}
		if err != nil {
			return refuse(Conflict, "not_proved", "This event cannot be proved: "+err.Error()+". Run countersign audit verify.")
		}
		return nil
	})
	return p, err
}

// ledgerLook is how the ledger is looked at: all of one moment, and changing nothing.
var ledgerLook = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
