package seal

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var made = time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC)

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ringOf(t *testing.T, k *Keyset) *Keyring {
	t.Helper()
	text := must[string](t)(k.Text())
	return must[*Keyring](t)(OpenKeyring(text))
}

// Each step leaves a keyset with which everything opens that the step before it, or after it, has wrapped: so processes
// may be at two steps at once.
func TestRotationInThreeSteps(t *testing.T) {
	t.Parallel()
	patient := uuid.New()
	first := must[*Keyset](t)(MakeKeyset(made, false))
	added, id, err := first.Add(made.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	promoted, now, err := added.Promote()
	if err != nil || now != id {
		t.Fatalf("%v: %d wraps, not %d", err, now, id)
	}
	steps := []*Keyring{ringOf(t, first), ringOf(t, added), ringOf(t, promoted)}
	for i, pair := range [][2]*Keyring{{steps[0], steps[1]}, {steps[1], steps[0]}, {steps[1], steps[2]}, {steps[2], steps[1]}} {
		_, wrapped, err := pair[0].NewKey(patient)
		if err != nil {
			t.Fatal(err)
		}
		if WrappedBy(wrapped) != pair[0].Primary() || !pair[1].Holds(WrappedBy(wrapped)) {
			t.Errorf("pair %d: wrapped by %d", i, WrappedBy(wrapped))
		}
		if _, err := pair[1].Unwrap(patient, wrapped); err != nil {
			t.Errorf("pair %d does not open: %v", i, err)
		}
	}
	dropped := must[*Keyset](t)(promoted.Drop(steps[0].Primary()))
	_, old, _ := steps[0].NewKey(patient)
	if ring := ringOf(t, dropped); ring.Holds(steps[0].Primary()) || ring.Primary() != id {
		t.Error("the old key is still there, or another wraps")
	} else if _, err := ring.Unwrap(patient, old); !errors.Is(err, ErrOpen) {
		t.Errorf("a dropped key opens: %v", err)
	}
	if _, err := promoted.Drop(id); err == nil {
		t.Error("the key that wraps was dropped")
	}
	if _, _, err := promoted.Promote(); err == nil {
		t.Error("promoted twice")
	}
}

func TestKeysetSaysWhatItHolds(t *testing.T) {
	t.Parallel()
	first := must[*Keyset](t)(MakeKeyset(made, true))
	added, id, _ := first.Add(made.Add(time.Hour))
	again := must[*Keyset](t)(ReadKeyset(must[string](t)(added.Text())))
	keys := again.Keys()
	if len(keys) != 2 || !keys[0].Wraps || keys[1].Wraps || keys[1].ID != id || !keys[1].Made.Equal(made.Add(time.Hour)) || !keys[0].Made.Equal(made) {
		t.Errorf("%+v", keys)
	}
	if !again.Local() || must[*Keyset](t)(ReadKeyset(must[string](t)(NewKeyset()))).Local() {
		t.Error("it does not know whether it is a local one")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%d"} {
		if shown := fmt.Sprintf(format, again); strings.Contains(shown, "value") || len(shown) > 20 {
			t.Errorf("%s shows %q", format, shown)
		}
	}
	if WrappedBy(nil) != 0 || WrappedBy([]byte{0, 1, 2, 3, 4, 5}) != 0 {
		t.Error("what is no wrapped key has a wrapping key")
	}
}

// A new key of a patient seals; the earlier ones go on opening, in the old place only.
func TestRenew(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	patient, at := uuid.New(), Place{"messages", "body", uuid.New()}
	key, _, _ := ring.NewKey(patient)
	old, err := key.Seal(marked, at)
	if err != nil {
		t.Fatal(err)
	}
	renewed := must[Key](t)(key.Renew())
	renewed = must[Key](t)(ring.Unwrap(patient, must[[]byte](t)(ring.Wrap(patient, renewed))))
	fresh := must[Sealed](t)(renewed.Seal(marked, at))
	for name, sealed := range map[string]Sealed{"old": old, "fresh": fresh} {
		if text, err := renewed.Open(sealed, at); err != nil || text.Reveal() != marked {
			t.Errorf("the %s row: %v", name, err)
		}
		if _, err := renewed.Open(sealed, Place{"messages", "body", uuid.New()}); !errors.Is(err, ErrOpen) {
			t.Errorf("the %s row opens in another place: %v", name, err)
		}
	}
	if _, err := key.Open(fresh, at); !errors.Is(err, ErrOpen) {
		t.Errorf("the old key opens what the new one sealed: %v", err)
	}
	if _, err := (Key{}).Renew(); !errors.Is(err, ErrKey) {
		t.Errorf("no key was renewed: %v", err)
	}
	for i := 1; i < mostKeys; i++ {
		key = must[Key](t)(key.Renew())
	}
	if _, err := key.Renew(); err == nil {
		t.Error("there is no end of keys")
	}
}
