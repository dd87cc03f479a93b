package seal

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

const marked = "Marguerite Olander, potassium 5.9"

func openKeyring(t testing.TB) (*Keyring, string) {
	t.Helper()
	text, err := NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := OpenKeyring(text)
	if err != nil {
		t.Fatal(err)
	}
	return ring, text
}

func patientKey(t testing.TB, ring *Keyring) Key {
	t.Helper()
	key, _, err := ring.NewKey(uuid.New())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestSealOpensOnlyWhereItWasSealed(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	key, other := patientKey(t, ring), patientKey(t, ring)
	at := Place{"briefs", "inquiry", uuid.New()}
	sealed, err := key.Seal(marked, at)
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		key  Key
		at   Place
		want error
	}{
		"its own place":        {key, at, nil},
		"another row":          {key, Place{at.Table, at.Column, uuid.New()}, ErrOpen},
		"another column":       {key, Place{at.Table, "notes", at.Row}, ErrOpen},
		"another table":        {key, Place{"drafts", at.Column, at.Row}, ErrOpen},
		"another patient":      {other, at, ErrOpen},
		"names run together":   {key, Place{"briefsinquiry", "", at.Row}, ErrPlace},
		"names cut elsewhere":  {key, Place{"brief", "sinquiry", at.Row}, ErrOpen},
		"a separator smuggled": {key, Place{"briefs|inquiry", "x", at.Row}, ErrPlace},
		"no row":               {key, Place{at.Table, at.Column, uuid.Nil}, ErrPlace},
		"no key":               {Key{}, at, ErrKey},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.key.Open(sealed, tt.at)
			if !errors.Is(err, tt.want) {
				t.Fatalf("error is %v, want %v", err, tt.want)
			}
			if want := map[bool]string{true: marked}[tt.want == nil]; got.Reveal() != want {
				t.Errorf("opened %d bytes, want %d", len(got), len(want))
			}
			if err != nil && strings.Contains(err.Error(), marked) {
				t.Error("the error tells the text")
			}
		})
	}
}

func TestSealRefusesWhatIsNoPlaceOrKey(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	key := patientKey(t, ring)
	for _, at := range []Place{{}, {"a", "b", uuid.Nil}, {"", "b", uuid.New()}, {"a", "", uuid.New()}, {"a|b", "c", uuid.New()}} {
		if _, err := key.Seal(marked, at); !errors.Is(err, ErrPlace) {
			t.Errorf("sealing at %v gave %v", at, err)
		}
	}
	if _, err := (Key{}).Seal(marked, Place{"a", "b", uuid.New()}); !errors.Is(err, ErrKey) {
		t.Errorf("an empty key gave %v", err)
	}
}

// Whatever is sealed opens to the same text, shows none of it, and no longer
// opens when any one bit is changed or it is cut short.
func TestSealProperties(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	key := patientKey(t, ring)
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.String().Draw(t, "plain")
		at := Place{
			rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "table"),
			rapid.StringMatching(`[a-z_]{1,20}`).Draw(t, "column"),
			uuid.UUID(rapid.SliceOfN(rapid.ByteRange(1, 255), 16, 16).Draw(t, "row")),
		}
		sealed, err := key.Seal(plain, at)
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := key.Open(sealed, at); err != nil || opened.Reveal() != plain {
			t.Fatalf("did not open again: %v", err)
		}
		if len(sealed) != len(plain)+29 || len(plain) > 8 && bytes.Contains(sealed, []byte(plain)) {
			t.Fatal("the sealed bytes have the wrong length or show the text")
		}
		again, err := key.Seal(plain, at)
		if err != nil || bytes.Equal(sealed, again) {
			t.Fatal("sealing twice gave the same bytes")
		}
		bit := rapid.IntRange(0, len(sealed)*8-1).Draw(t, "bit")
		sealed[bit/8] ^= 1 << (bit % 8)
		if _, err := key.Open(sealed, at); !errors.Is(err, ErrOpen) {
			t.Fatalf("a changed bit gave %v", err)
		}
		cut := rapid.IntRange(0, len(again)-1).Draw(t, "cut")
		if _, err := key.Open(again[:cut], at); !errors.Is(err, ErrOpen) {
			t.Fatalf("a cut value gave %v", err)
		}
	})
}

func BenchmarkSealAndOpen600Bytes(b *testing.B) {
	ring, _ := openKeyring(b)
	key, at, plain := patientKey(b, ring), Place{"drafts", "body", uuid.New()}, strings.Repeat("a", 600)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		sealed, err := key.Seal(plain, at)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := key.Open(sealed, at); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnwrap(b *testing.B) {
	ring, _ := openKeyring(b)
	patient := uuid.New()
	_, wrapped, err := ring.NewKey(patient)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ring.Unwrap(patient, wrapped); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIndex(b *testing.B) {
	ring, _ := openKeyring(b)
	b.ReportAllocs()
	for b.Loop() {
		ring.Index("patients.mrn", "RC-104-882")
	}
}
