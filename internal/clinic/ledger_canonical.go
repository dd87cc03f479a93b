package clinic

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// canonical writes the canonical bytes that the columns of an event give: exactly what json.Marshal writes of an event, which
// TestCanonical holds it to, and fast, because a verification does it for every event there is. Not whole: some column does
// not have the form that it must have.
func (r rawEvent) canonical(dst []byte) (_ []byte, whole bool) {
	w := canonicalWriter{dst: append(dst, `{"v":1,"id":`...), whole: true}
	w.id(r[colID])
	w.name(`,"at":`)
	w.time(r[colAt])
	w.name(`,"clinic":`)
	w.id(r[colClinic])
	w.name(`,"actor_kind":`)
	w.text(r[colActorKind])
	w.name(`,"actor":`)
	w.idOrNull(r[colActor])
	w.name(`,"role":`)
	w.text(r[colRole])
	w.name(`,"session":`)
	w.idOrNull(r[colSession])
	w.name(`,"deed":`)
	w.text(r[colDeed])
	w.name(`,"subject_kind":`)
	w.text(r[colSubjectKind])
	w.name(`,"subject":`)
	w.idOrNull(r[colSubject])
	w.name(`,"patient":`)
	w.idOrNull(r[colPatient])
	w.name(`,"outcome":`)
	w.text(r[colOutcome])
	w.name(`,"reason":`)
	w.text(r[colReason])
	w.name(`,"rev":`)
	w.rev(r[colRev])
	w.name(`,"detail":`)
	w.detail(r[colDetail])
	w.name(`,"ip":`)
	w.text(r[colIP])
	w.name(`,"agent":`)
	w.text(r[colAgent])
	w.name(`,"request":`)
	w.text(r[colRequest])
	return append(w.dst, '}'), w.whole
}

type canonicalWriter struct {
	dst   []byte
	whole bool
}

func (w *canonicalWriter) name(s string) { w.dst = append(w.dst, s...) }

// idShape is an id with its quotes; idPlaces, where each of its bytes has its two digits.
const idShape = `"00000000-0000-0000-0000-000000000000"`

var idPlaces = [16]uint8{1, 3, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27, 29, 31, 33, 35}

func (w *canonicalWriter) id(raw []byte) {
	if len(raw) != len(idPlaces) {
		w.whole = false
		return
	}
	const digits = "0123456789abcdef"
	w.dst = append(w.dst, idShape...)
	id := w.dst[len(w.dst)-len(idShape):]
	for i, at := range idPlaces {
		id[at], id[at+1] = digits[raw[i]>>4], digits[raw[i]&15]
	}
}

func (w *canonicalWriter) idOrNull(raw []byte) {
	if raw == nil {
		w.name("null")
		return
	}
	w.id(raw)
}

// firstWritten and lastWritten are between what times a year has four digits.
var (
	firstWritten = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - pgEpoch
	lastWritten  = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - pgEpoch
)

func (w *canonicalWriter) time(raw []byte) {
	if len(raw) != 8 {
		w.whole = false
		return
	}
	micros := int64(binary.BigEndian.Uint64(raw))
	if micros < firstWritten || micros >= lastWritten { // JSON has no such time
		w.whole = false
		return
	}
	w.dst = append(pgTime(micros).AppendFormat(append(w.dst, '"'), time.RFC3339Nano), '"')
}

func (w *canonicalWriter) rev(raw []byte) {
	switch len(raw) {
	case 0:
		w.name("null")
		w.whole = w.whole && raw == nil
	case 4:
		w.dst = strconv.AppendInt(w.dst, int64(int32(binary.BigEndian.Uint32(raw))), 10)
	default:
		w.whole = false
	}
}

// asIs are the bytes that JSON writes as they are.
var asIs = func() (table [256]bool) {
	for b := ' '; b < utf8.RuneSelf; b++ {
		table[b] = b != '"' && b != '\\' && b != '<' && b != '>' && b != '&'
	}
	return table
}()

// plainly is how many bytes of s are written as they are.
func plainly(s []byte) int {
	for i, b := range s {
		if !asIs[b] {
			return i
		}
	}
	return len(s)
}

func (w *canonicalWriter) text(raw []byte) {
	if raw == nil {
		w.whole = false
		return
	}
	if plainly(raw) == len(raw) {
		w.dst = append(append(append(w.dst, '"'), raw...), '"')
		return
	}
	escaped, err := json.Marshal(string(raw))
	w.dst = append(w.dst, escaped...)
	w.whole = w.whole && err == nil
}

// detail writes what a jsonb holds. Nearly all are objects of plain words and numbers; encoding/json does the others.
func (w *canonicalWriter) detail(raw []byte) {
	if len(raw) < 3 || raw[0] != 1 {
		w.whole = false
		return
	}
	if dst, ok := flatObject(w.dst, raw[1:]); ok {
		w.dst = dst
		return
	}
	var of map[string]any
	d := json.NewDecoder(bytes.NewReader(raw[1:]))
	d.UseNumber()
	if d.Decode(&of) != nil {
		w.whole = false
		return
	}
	again, err := json.Marshal(of)
	w.dst = append(w.dst, again...)
	w.whole = w.whole && err == nil
}

// flatObject writes an object of Postgres's, {"k": v, "k": v}, without its spaces and with its keys in the order of their
// bytes. Not ok: something in it is more than plain words and numbers.
func flatObject(dst, in []byte) (_ []byte, ok bool) {
	var few [16][2][]byte
	pairs := few[:0]
	if in[0] != '{' {
		return dst, false
	}
	in = in[1:]
	for len(in) > 1 {
		var pair [2][]byte
		if pair[0], in, ok = plainValue(in); !ok || pair[0][0] != '"' || len(in) < 3 || in[0] != ':' || in[1] != ' ' {
			return dst, false
		}
		if pair[1], in, ok = plainValue(in[2:]); !ok {
			return dst, false
		}
		pairs = append(pairs, pair)
		if len(in) > 2 && in[0] == ',' && in[1] == ' ' {
			in = in[2:]
		} else if len(in) > 1 {
			return dst, false
		}
	}
	if len(in) != 1 || in[0] != '}' {
		return dst, false
	}
	slices.SortFunc(pairs, func(a, b [2][]byte) int { return bytes.Compare(a[0][1:len(a[0])-1], b[0][1:len(b[0])-1]) })
	dst = append(dst, '{')
	for i, pair := range pairs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, pair[0]...), ':'), pair[1]...)
	}
	return append(dst, '}'), true
}

// plainValue cuts a plain string, number, true, false or null off.
func plainValue(in []byte) (value, rest []byte, ok bool) {
	if len(in) == 0 {
		return nil, nil, false
	}
	if in[0] == '"' {
		n := plainly(in[1:])
		if n+1 >= len(in) || in[n+1] != '"' {
			return nil, nil, false
		}
		return in[:n+2], in[n+2:], true
	}
	n := bytes.IndexAny(in, ",}")
	if n <= 0 || in[0] == '{' || in[0] == '[' {
		return nil, nil, false
	}
	return in[:n], in[n:], true
}
