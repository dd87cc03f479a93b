package clinic

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// seenLeaf is what is kept of a leaf until its event comes.
type seenLeaf struct {
	eventKey
	leaf   int64
	hash   ledger.Hash
	broken bool // and there is a finding about it: its event is there, and that is all that is asked
}

// leafAndEvent brings the leaves and the events together, which are read each in their own order. The two orders are nearly the
// same, so that few wait; when they are not, what waits too long is looked up, and memory stays bounded.
type leafAndEvent struct {
	v      *verifier
	ctx    context.Context
	ask    *db.Queries
	mu     sync.Mutex
	turn   sync.Cond
	leaves map[eventKey]seenLeaf
	events map[eventKey]seenEvent

	leavesRead, eventsRead bool
	stopped                error

	passed  int64 // events that came by
	met     int64 // leaves whose event is there, however it was found
	lookups int64 // of those, the ones that were looked up: their events come by as if nobody waited for them
	again   int64 // events that came by and have a leaf that is not waiting for them
	waiting int64 // events that wait to be sealed
	other   int64 // events that a finding is about already
}

// mostWaiting is how many may wait on either side; lookupBatch, how many are looked up at a time.
const mostWaiting, lookupBatch = 1 << 17, 4096

func newLeafAndEvent(ctx context.Context, v *verifier, ask *db.Queries) *leafAndEvent {
	j := &leafAndEvent{v: v, ctx: ctx, ask: ask, leaves: map[eventKey]seenLeaf{}, events: map[eventKey]seenEvent{}}
	j.turn.L = &j.mu
	return j
}

// far is how many of one side wait before its reading does: few enough that most of them stay in a processor's cache. Where the two orders differ
// by more, both go on, up to mostWaiting.
const far = 1 << 15

// addEvents takes what was read of the trail. It waits while the leaves are far behind.
func (j *leafAndEvent) addEvents(batch []seenEvent) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for ahead := min(far, j.v.mostWaiting); len(j.events) >= ahead && !j.leavesRead && len(j.leaves) < ahead && j.stopped == nil; {
		j.turn.Wait()
	}
	defer j.turn.Broadcast()
	j.passed += int64(len(batch))
	for _, e := range batch {
		if l, there := j.leaves[e.eventKey]; there {
			delete(j.leaves, e.eventKey)
			j.settle(l, e)
			continue
		}
		if _, there := j.events[e.eventKey]; there {
			j.doubled(e.id)
			continue
		}
		j.events[e.eventKey] = e
	}
	return j.bound()
}

// addLeaves takes what was read of the ledger. It waits while the events are far behind.
func (j *leafAndEvent) addLeaves(batch []seenLeaf) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for ahead := min(far, j.v.mostWaiting); len(j.leaves) >= ahead && !j.eventsRead && len(j.events) < ahead && j.stopped == nil; {
		j.turn.Wait()
	}
	defer j.turn.Broadcast()
	for _, l := range batch {
		if e, there := j.events[l.eventKey]; there {
			delete(j.events, l.eventKey)
			j.settle(l, e)
			continue
		}
		if was, there := j.leaves[l.eventKey]; there {
			j.v.find("leaf_doubled", &l.id, l.leaf, l.leaf+1, "event %s is leaf %d, and leaf %d too", l.id, was.leaf, l.leaf)
			continue
		}
		j.leaves[l.eventKey] = l
	}
	return j.bound()
}

// read says that one side has come to its end, or failed.
func (j *leafAndEvent) read(leaves bool, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.leavesRead, j.eventsRead = j.leavesRead || leaves, j.eventsRead || !leaves
	if j.stopped == nil {
		j.stopped = err
	}
	j.turn.Broadcast()
}

// bound looks up what is too much.
func (j *leafAndEvent) bound() error {
	for j.stopped == nil && len(j.leaves) >= j.v.mostWaiting && (j.eventsRead || len(j.events) >= j.v.mostWaiting) {
		j.stopped = j.lookLeavesUp()
	}
	for j.stopped == nil && len(j.events) >= j.v.mostWaiting && j.leavesRead {
		j.stopped = j.lookEventsUp()
	}
	if j.stopped == nil && len(j.events) >= 2*j.v.mostWaiting {
		j.stopped = j.lookEventsUp()
	}
	return j.stopped
}

// rest looks up all that has not met.
func (j *leafAndEvent) rest() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.stopped == nil && len(j.leaves) > 0 {
		j.stopped = j.lookLeavesUp()
	}
	for j.stopped == nil && len(j.events) > 0 {
		j.stopped = j.lookEventsUp()
	}
	return j.stopped
}

// settle holds an event to its leaf.
func (j *leafAndEvent) settle(l seenLeaf, e seenEvent) {
	j.met++
	if !l.broken && l.hash != e.hash {
		j.v.find("event_changed", &l.id, l.leaf, l.leaf+1, "event %s (leaf %d) is not what was sealed", l.id, l.leaf)
	}
	if e.bad != "" {
		j.v.find("columns_changed", &l.id, l.leaf, l.leaf+1, "event %s (leaf %d) says something else in its columns than in its bytes: %s", l.id, l.leaf, e.bad)
	}
}

func (j *leafAndEvent) doubled(id uuid.UUID) {
	j.other++
	j.v.find("event_doubled", &id, afterAll, afterAll, "event %s is on the trail twice", id)
}

// lookLeavesUp finds the events of leaves that wait, or says that they are gone or dated anew.
func (j *leafAndEvent) lookLeavesUp() error {
	batch := map[uuid.UUID][]seenLeaf{}
	var ids []uuid.UUID
	for k, l := range j.leaves {
		batch[k.id], ids = append(batch[k.id], l), append(ids, k.id)
		delete(j.leaves, k)
		if len(ids) == lookupBatch {
			break
		}
	}
	found := map[eventKey]seenEvent{}
	elsewhere := map[uuid.UUID]seenEvent{}
	var scratch []byte
	if err := j.v.reader.eventsOf(j.ctx, ids, func(row rawEvent) {
		e, again, ok := row.look(scratch)
		if scratch = again; ok {
			found[e.eventKey], elsewhere[e.id] = e, e
		}
	}); err != nil {
		return err
	}
	for id, leaves := range maps.All(batch) {
		for _, l := range leaves {
			e, there := found[l.eventKey]
			moved, somewhere := elsewhere[id]
			switch {
			case there:
				j.lookups++
				j.settle(l, e)
			case somewhere:
				j.v.find("event_moved", &id, l.leaf, l.leaf+1, "event %s (leaf %d) is dated %s on the trail, and %s in the ledger", id, l.leaf,
					pgTime(moved.at).Format(time.RFC3339Nano), pgTime(l.at).Format(time.RFC3339Nano))
			case j.v.archives.byHash(pgTime(l.at)):
				j.met, j.lookups, j.v.out.ByHash = j.met+1, j.lookups+1, j.v.out.ByHash+1
			default:
				j.v.find("event_gone", &id, l.leaf, l.leaf+1, "event %s (leaf %d) is gone", id, l.leaf)
			}
		}
	}
	return nil
}

// lookEventsUp says of events that wait whether they are sealed or wait to be, or have no business there.
func (j *leafAndEvent) lookEventsUp() error {
	var p db.LedgerPlacesParams
	batch := map[eventKey]seenEvent{}
	for k, e := range j.events {
		batch[k] = e
		p.Ids, p.Micros = append(p.Ids, k.id), append(p.Micros, k.at)
		delete(j.events, k)
		if len(p.Ids) == lookupBatch {
			break
		}
	}
	rows, err := j.ask.LedgerPlaces(j.ctx, p)
	if err != nil {
		return err
	}
	for _, r := range rows {
		k := eventKey{r.ID, r.Micros}
		e, at := batch[k], pgTime(k.at).Format("2006-01-02T15:04:05Z")
		switch {
		case r.Sealed:
			j.again++
		case r.Waits:
			j.waiting++
			if e.bad != "" {
				j.v.find("columns_changed", &k.id, afterAll, afterAll, "event %s (not sealed yet) says something else in its columns than in its bytes: %s", k.id, e.bad)
			}
		case r.Elsewhere: // its leaf says so
			j.other++
		default:
			j.other++
			j.v.find("unsealed", &k.id, afterAll, afterAll, "event %s, dated %s, is neither sealed nor waiting to be: it was put in past the ledger, or its leaf was taken", k.id, at)
		}
	}
	return nil
}

// count holds the numbers to each other: each event that came by is a leaf's, waits, or has a finding. If not, some are there
// twice, and are named.
func (j *leafAndEvent) count(ctx context.Context) error {
	looked := j.lookups
	if j.v.Archives == nil { // of what lies in archives nothing comes by
		looked -= j.v.out.ByHash
	}
	if j.again <= looked && j.passed == j.met-j.lookups+j.again+j.waiting+j.other {
		return nil
	}
	twice, err := j.ask.LedgerTwice(ctx)
	if err != nil {
		return err
	}
	for _, id := range twice {
		j.doubled(id)
	}
	if len(twice) == 0 {
		j.v.find("miscounted", nil, afterAll, afterAll, "%d events, %d leaves whose event is there, %d waiting", j.passed, j.met, j.waiting)
	}
	return nil
}

// eventsOf reads the events of some ids, whatever their dates.
func (r *ledgerReader) eventsOf(ctx context.Context, ids []uuid.UUID, do func(rawEvent)) error {
	var list bytes.Buffer
	for i, id := range ids {
		if i > 0 {
			list.WriteByte(',')
		}
		fmt.Fprintf(&list, "'%s'", id)
	}
	return stream(ctx, r.ask, eventSelect+"audit_events WHERE id = ANY(ARRAY["+list.String()+"]::uuid[])", func(row [][]byte) error {
		do(row)
		return nil
	})
}
