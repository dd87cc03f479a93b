package clinic

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/ledger"
)

// The columns of an event, in the order of its canonical bytes, and last the bytes themselves. A verification reads them as
// Postgres sends them, in its binary form: that is several times faster than decoding each, and whatever the database's owner
// has put there, NULL among it, can be read.
const (
	colID = iota
	colAt
	colClinic
	colActorKind
	colActor
	colRole
	colSession
	colDeed
	colSubjectKind
	colSubject
	colPatient
	colOutcome
	colReason
	colRev
	colDetail
	colIP
	colAgent
	colRequest
	colRec
	eventColumns
)

const eventSelect = `SELECT id, at, clinic_id, actor_kind, actor_id, role, session_id, deed, subject_kind, subject_id, patient_id, outcome, reason, rev,
	detail, ip, agent, request_id, rec FROM `

// eventFields are the names of the columns in the canonical bytes.
var eventFields = [eventColumns]string{"id", "at", "clinic", "actor_kind", "actor", "role", "session", "deed", "subject_kind", "subject", "patient", "outcome",
	"reason", "rev", "detail", "ip", "agent", "request", "rec"}

// mayBeNull says of which columns the canonical bytes have a null.
var mayBeNull = [eventColumns]bool{colActor: true, colSession: true, colSubject: true, colPatient: true, colRev: true}

// rawEvent is an event as Postgres sends it. Its slices are good until the next one is read.
type rawEvent [][]byte

// eventKey is by which an event is found: its id, and its time as Postgres keeps it.
type eventKey struct {
	id uuid.UUID
	at int64
}

// farAway is a time that no clock has: the year 287,000, and infinity.
const farAway = 9e18

// key is false where the row has no id or no time.
func (r rawEvent) key() (eventKey, bool) {
	if len(r[colID]) != len(uuid.UUID{}) || len(r[colAt]) != 8 {
		return eventKey{}, false
	}
	k := eventKey{uuid.UUID(r[colID]), int64(binary.BigEndian.Uint64(r[colAt]))}
	return k, -farAway < k.at && k.at < farAway
}

// pgEpoch is from when Postgres counts its microseconds.
var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// pgTime is a time of Postgres's.
func pgTime(micros int64) time.Time {
	return time.UnixMicro(max(min(micros, farAway), -farAway) + pgEpoch).UTC()
}

// seenEvent is what is kept of an event until its leaf comes.
type seenEvent struct {
	eventKey
	hash ledger.Hash
	bad  string // the columns that disagree with the bytes
}

// look reads a row. scratch is written over.
func (r rawEvent) look(scratch []byte) (seenEvent, []byte, bool) {
	k, ok := r.key()
	if !ok {
		return seenEvent{}, scratch, false
	}
	scratch = append(append(scratch[:0], 0), r[colRec]...) // the prefix of a leaf, RFC 6962
	e := seenEvent{eventKey: k, hash: ledger.PrefixedLeafHash(scratch)}
	again, whole := r.canonical(scratch[:0])
	if !whole || !bytes.Equal(again, r[colRec]) {
		e.bad = strings.Join(r.disagreement(), ", ")
	}
	return e, again, true
}

// disagreement names the columns that say something else than the canonical bytes; "rec" when these are not the canonical form
// of anything. A detail that holds more than words and numbers comes back from Postgres in another order, and means the same.
func (r rawEvent) disagreement() (bad []string) {
	for i, column := range r {
		if column == nil && !mayBeNull[i] {
			bad = append(bad, eventFields[i])
		}
	}
	if len(bad) > 0 {
		return bad
	}
	again, whole := r.canonical(nil)
	said, kept := fields(r[colRec]), fields(again)
	if !whole || said == nil || kept == nil {
		return []string{"rec"}
	}
	for name := range said {
		if !same(said[name], kept[name]) {
			bad = append(bad, name)
		}
	}
	for name := range kept {
		if _, there := said[name]; !there {
			bad = append(bad, name)
		}
	}
	slices.Sort(bad)
	return bad
}

// fields is nil where it is no object. Numbers stay as they are written: no two that differ become one.
func fields(object []byte) (of map[string]any) {
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	if d.Decode(&of) != nil || d.More() {
		return nil
	}
	return of
}

// same compares what fields has read: numbers by what they mean.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(string(a), string(b)))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, same)
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name := range a {
			other, there := b[name]
			if !there || !same(a[name], other) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

func sameNumber(a, b string) bool {
	if len(a) > 400 || len(b) > 400 { // a short exponent is a long number
		return false
	}
	x, ok := new(big.Float).SetPrec(2048).SetString(a)
	y, fine := new(big.Float).SetPrec(2048).SetString(b)
	return ok && fine && x.Cmp(y) == 0
}
