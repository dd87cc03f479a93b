package clinic

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// drawnEvent is any event that the trail can hold.
func drawnEvent(t *rapid.T) event {
	word := rapid.OneOf(rapid.StringMatching(`[a-z._-]{0,12}`), rapid.Map(rapid.String(), func(s string) string { return short(s) }),
		rapid.SampledFrom([]string{`"`, `\`, "<", ">", "&", "\u2028\u2029", "\x01\x1f\x7f", "\b\f\n\r\t", "héllo, 世界 🙂", "\ufffd"}))
	id := rapid.Map(rapid.SliceOfN(rapid.Byte(), 16, 16), func(b []byte) uuid.UUID { return uuid.UUID(b) })
	maybe := func(name string) *uuid.UUID {
		if rapid.Bool().Draw(t, "has "+name) {
			is := id.Draw(t, name)
			return &is
		}
		return nil
	}
	e := event{Version: 1, ID: id.Draw(t, "id"), At: time.UnixMicro(rapid.Int64Range(-6e16, 25e16).Draw(t, "at")).UTC(), ClinicID: id.Draw(t, "clinic"),
		ActorKind: ActorKind(word.Draw(t, "kind")), ActorID: maybe("actor"), Role: Role(word.Draw(t, "role")), SessionID: maybe("session"), Deed: Deed(word.Draw(t, "deed")),
		SubjectKind: word.Draw(t, "subject kind"), SubjectID: maybe("subject"), PatientID: maybe("patient"), Outcome: word.Draw(t, "outcome"), Reason: word.Draw(t, "reason"),
		Detail: map[string]any{}, IP: word.Draw(t, "ip"), Agent: word.Draw(t, "agent"), RequestID: word.Draw(t, "request")}
	if rapid.Bool().Draw(t, "has rev") {
		rev := rapid.Int32().Draw(t, "rev")
		e.Rev = &rev
	}
	for range rapid.IntRange(0, 5).Draw(t, "details") {
		var value any
		switch rapid.IntRange(0, 5).Draw(t, "of which kind") {
		case 0:
			value = rapid.Int64().Draw(t, "int")
		case 1:
			value = rapid.Bool().Draw(t, "bool")
		case 2:
			value = []string{word.Draw(t, "in a list"), word.Draw(t, "and another")}
		case 3:
			value = map[string]any{word.Draw(t, "inner name"): word.Draw(t, "inner")}
		case 4:
			value = nil
		default:
			value = word.Draw(t, "text")
		}
		e.Detail[word.Draw(t, "name")] = value
	}
	return e
}

// raw is the event as Postgres would send it, a detail's keys in its order.
func (e event) raw(t *rapid.T) rawEvent {
	opt := func(id *uuid.UUID) []byte {
		if id == nil {
			return nil
		}
		return id[:]
	}
	r := rawEvent{e.ID[:], binary.BigEndian.AppendUint64(nil, uint64(e.At.UnixMicro()-pgEpoch)), e.ClinicID[:], []byte(e.ActorKind), opt(e.ActorID), []byte(e.Role), opt(e.SessionID),
		[]byte(e.Deed), []byte(e.SubjectKind), opt(e.SubjectID), opt(e.PatientID), []byte(e.Outcome), []byte(e.Reason), nil, nil, []byte(e.IP), []byte(e.Agent), []byte(e.RequestID), nil}
	if e.Rev != nil {
		r[colRev] = binary.BigEndian.AppendUint32(nil, uint32(*e.Rev))
	}
	r[colDetail] = append([]byte{1}, jsonb(t, e.Detail)...)
	rec, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	r[colRec] = rec
	for i, c := range r {
		if c == nil && !mayBeNull[i] {
			r[i] = []byte{}
		}
	}
	return r
}

// jsonb is an object as Postgres prints it: keys by length first, spaces, and nothing escaped that need not be.
func jsonb(t *rapid.T, of map[string]any) string {
	print := func(v any) string {
		var out strings.Builder
		enc := json.NewEncoder(&out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(out.String(), "\n")
	}
	var pairs []string
	for _, name := range rapid.Permutation(keysOf(of)).Draw(t, "order") {
		pairs = append(pairs, print(name)+": "+print(of[name]))
	}
	return "{" + strings.Join(pairs, ", ") + "}"
}

func keysOf(of map[string]any) []string {
	names := []string{}
	for name := range of {
		names = append(names, name)
	}
	return names
}

// The canonical writer writes exactly what encoding/json does, of every event; and whatever is changed in a column is named.
func TestCanonical(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := drawnEvent(t).raw(t)
		again, whole := r.canonical(nil)
		if !whole || string(again) != string(r[colRec]) {
			t.Fatalf("whole %v\n%s\nwhere encoding/json writes\n%s", whole, again, r[colRec])
		}
		if e, _, ok := r.look(nil); !ok || e.bad != "" {
			t.Fatalf("%v %q", ok, e.bad)
		}
		column := rapid.IntRange(0, eventColumns-2).Draw(t, "column")
		was := r[column]
		switch {
		case column == colDetail:
			r[column] = []byte("\x01" + `{"changed": 12345}`)
		case len(was) == 0:
			r[column] = []byte("y")
		default:
			changed := append([]byte{}, was...)
			changed[len(changed)-1] ^= 1
			r[column] = changed
		}
		if _, ok := r.key(); !ok || string(r[column]) == string(was) {
			return
		}
		if e, _, _ := r.look(nil); !strings.Contains(e.bad, eventFields[column]) && e.bad != "rec" {
			t.Fatalf("%s changed from %q to %q: %q", eventFields[column], was, r[column], e.bad)
		}
		r[column] = nil
		if e, _, ok := r.look(nil); ok && was != nil && !strings.Contains(e.bad, eventFields[column]) && e.bad != "rec" {
			t.Fatalf("%s taken away: %q", eventFields[column], e.bad)
		}
	})
}
