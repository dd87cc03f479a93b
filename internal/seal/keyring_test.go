package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestUnwrapOpensForItsPatientAndKeysetOnly(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	stranger, _ := openKeyring(t)
	patient, at := uuid.New(), Place{"patients", "name", uuid.New()}
	key, wrapped, err := ring.NewKey(patient)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal(marked, at)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ring.Unwrap(patient, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := again.Open(sealed, at); err != nil || text.Reveal() != marked {
		t.Fatalf("the unwrapped key does not open: %v", err)
	}
	if _, err := ring.Unwrap(uuid.New(), wrapped); !errors.Is(err, ErrOpen) {
		t.Errorf("another patient's id gave %v", err)
	}
	if _, err := stranger.Unwrap(patient, wrapped); !errors.Is(err, ErrOpen) {
		t.Errorf("another keyset gave %v", err)
	}
	for i := range wrapped {
		bent := bytes.Clone(wrapped)
		bent[i] ^= 1
		if _, err := ring.Unwrap(patient, bent); !errors.Is(err, ErrOpen) {
			t.Fatalf("byte %d changed gave %v", i, err)
		}
	}
	if _, _, err := ring.NewKey(uuid.Nil); err == nil {
		t.Error("a key was made for nobody")
	}
	if _, err := ring.Wrap(patient, Key{}); !errors.Is(err, ErrKey) {
		t.Errorf("wrapping an empty key gave %v", err)
	}
}

// rotated adds a wrapping key and lets it wrap.
func rotated(text string) (string, error) {
	set, err := ReadKeyset(text)
	if err != nil {
		return "", err
	}
	if set, _, err = set.Add(time.Now()); err != nil {
		return "", err
	}
	if set, _, err = set.Promote(); err != nil {
		return "", err
	}
	return set.Text()
}

func TestRotationKeepsOldWrapsOpening(t *testing.T) {
	t.Parallel()
	old, text := openKeyring(t)
	patient, at := uuid.New(), Place{"messages", "body", uuid.New()}
	key, wrapped, err := old.NewKey(patient)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal(marked, at)
	if err != nil {
		t.Fatal(err)
	}
	next, err := rotated(text)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := OpenKeyring(next)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := ring.Unwrap(patient, wrapped)
	if err != nil {
		t.Fatalf("the old wrap no longer opens: %v", err)
	}
	rewrapped, err := ring.Wrap(patient, kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.Unwrap(patient, rewrapped); !errors.Is(err, ErrOpen) {
		t.Errorf("the keyset before the rotation opens a new wrap: %v", err)
	}
	renewed, err := ring.Unwrap(patient, rewrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := renewed.Open(sealed, at); err != nil || got.Reveal() != marked {
		t.Errorf("an old row does not open after the rotation: %v", err)
	}
	if !bytes.Equal(old.Index("patients.mrn", "1"), ring.Index("patients.mrn", "1")) {
		t.Error("the rotation changed the look-up index")
	}
	if !ring.VerifyMAC(old.MAC("delivery", []byte("x")), "delivery", []byte("x")) {
		t.Error("the rotation broke old signatures")
	}
}

func TestIndexHasAKeyPerColumn(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	stranger, _ := openKeyring(t)
	mrn := ring.Index("patients.mrn", "RC-104-882")
	if len(mrn) != 32 || !bytes.Equal(mrn, ring.Index("patients.mrn", "RC-104-882")) {
		t.Fatal("the index is not 32 stable bytes")
	}
	for name, other := range map[string][]byte{
		"column": ring.Index("patients.phone", "RC-104-882"),
		"value":  ring.Index("patients.mrn", "RC-104-883"),
		"keyset": stranger.Index("patients.mrn", "RC-104-882"),
		"use":    ring.MAC("patients.mrn", []byte("RC-104-882")),
	} {
		if bytes.Equal(mrn, other) {
			t.Errorf("another %s has the same index", name)
		}
	}
}

func TestMACSignsExactParts(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	mac := ring.MAC("delivery", []byte("ab"), []byte("c"))
	tests := map[string]struct {
		purpose string
		parts   [][]byte
		want    bool
	}{
		"the same":         {"delivery", [][]byte{[]byte("ab"), []byte("c")}, true},
		"cut elsewhere":    {"delivery", [][]byte{[]byte("a"), []byte("bc")}, false},
		"run together":     {"delivery", [][]byte{[]byte("abc")}, false},
		"lengths left out": {"delivery", [][]byte{[]byte("ab\x00\x00\x00\x00\x00\x00\x00\x00c")}, false},
		"an empty part":    {"delivery", [][]byte{[]byte("ab"), []byte("c"), nil}, false},
		"another purpose":  {"page", [][]byte{[]byte("ab"), []byte("c")}, false},
		"nothing":          {"delivery", nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := ring.VerifyMAC(mac, tt.purpose, tt.parts...); got != tt.want {
				t.Errorf("verified is %v, want %v", got, tt.want)
			}
		})
	}
	if ring.VerifyMAC(nil, "delivery", []byte("ab"), []byte("c")) {
		t.Error("an empty signature verified")
	}
}

func TestOpenKeyringRefusesBrokenKeysets(t *testing.T) {
	t.Parallel()
	_, good := openKeyring(t)
	raw, err := base64.StdEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.StdEncoding.EncodeToString
	swapped := strings.NewReplacer(`"wrap"`, `"index"`, `"index"`, `"wrap"`).Replace(string(raw))
	for name, text := range map[string]string{
		"empty":        "",
		"not base64":   "****",
		"not JSON":     encode([]byte("keys")),
		"no keysets":   encode([]byte("{}")),
		"broken inner": encode([]byte(`{"wrap":{"key":[]},"index":{"key":[]}}`)),
		"swapped":      encode([]byte(swapped)),
	} {
		_, err := OpenKeyring(text)
		if !errors.Is(err, ErrKeyset) {
			t.Errorf("%s: error is %v", name, err)
		}
		if _, err := ReadKeyset(text); name != "swapped" && !errors.Is(err, ErrKeyset) {
			t.Errorf("%s: rotating gave %v", name, err)
		}
	}
	if _, err := OpenKeyring(" " + good + "\n"); err != nil {
		t.Errorf("white space around a keyset is refused: %v", err)
	}
}
