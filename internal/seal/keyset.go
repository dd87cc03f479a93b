package seal

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// Keyset is a keyset at rest, for those who keep it: what KEYSET holds. It
// never prints; Text is the secret itself.
//
// Its wrapping keys change in three steps, with a restart of every process
// after each of the first two, so that nobody meets a key that it does not
// have: Add (a key that only opens), Promote (it wraps), and, when nothing is
// wrapped by the older ones any more, Drop.
type Keyset struct {
	wrap, index *keyset.Handle
	made        map[uint32]time.Time
	local       bool
}

// envelope is what a keyset string holds: two Tink keysets in one piece of
// JSON. Wrap protects the patients' keys and rotates. Index feeds the look-up
// index and the signatures; a new one would orphan every index value.
type envelope struct {
	Wrap  json.RawMessage      `json:"wrap"`
	Index json.RawMessage      `json:"index"`
	Made  map[uint32]time.Time `json:"made,omitempty"`  // when each wrapping key was made
	Local bool                 `json:"local,omitempty"` // made for one person's machine
}

// WrappingKey is what may be known of a wrapping key.
type WrappingKey struct {
	ID    uint32
	Wraps bool      // it wraps now; the others only open
	Made  time.Time // zero if nobody wrote it down
}

// NewKeyset makes the text of a keyset with fresh keys.
func NewKeyset() (string, error) {
	k, err := MakeKeyset(time.Now(), false)
	if err != nil {
		return "", err
	}
	return k.Text()
}

// MakeKeyset makes a keyset with fresh keys. A local one is for trying out:
// guarded stages refuse it.
func MakeKeyset(now time.Time, local bool) (*Keyset, error) {
	wrap, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: make a wrapping key: %w", err)
	}
	index, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: make an index key: %w", err)
	}
	return &Keyset{wrap: wrap, index: index, local: local, made: map[uint32]time.Time{wrap.KeysetInfo().GetPrimaryKeyId(): now.UTC()}}, nil
}

// Keys are the wrapping keys, the one that wraps first and then the youngest.
func (k *Keyset) Keys() []WrappingKey {
	info := k.wrap.KeysetInfo()
	var keys []WrappingKey
	for _, one := range info.GetKeyInfo() {
		id := one.GetKeyId()
		keys = append(keys, WrappingKey{ID: id, Wraps: id == info.GetPrimaryKeyId(), Made: k.made[id]})
	}
	slices.SortStableFunc(keys, func(a, b WrappingKey) int {
		if a.Wraps != b.Wraps {
			return map[bool]int{true: -1, false: 1}[a.Wraps]
		}
		return cmp.Or(b.Made.Compare(a.Made), cmp.Compare(a.ID, b.ID))
	})
	return keys
}

// Local reports whether the keyset was made for trying out.
func (k *Keyset) Local() bool { return k.local }

// Add returns the keyset with one more wrapping key, which only opens as yet,
// and its id.
func (k *Keyset) Add(now time.Time) (*Keyset, uint32, error) {
	manager := keyset.NewManagerFromHandle(k.wrap)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, 0, fmt.Errorf("seal: add a wrapping key: %w", err)
	}
	next, err := k.with(manager)
	if err == nil {
		next.made[id] = now.UTC()
	}
	return next, id, err
}

// Promote returns the keyset in which the youngest key wraps. If it does so
// already, that is an error.
func (k *Keyset) Promote() (*Keyset, uint32, error) {
	keys := k.Keys()
	youngest := slices.MaxFunc(keys, func(a, b WrappingKey) int { return a.Made.Compare(b.Made) })
	if youngest.Wraps {
		return nil, 0, errors.New("seal: the youngest key wraps already; add one first")
	}
	manager := keyset.NewManagerFromHandle(k.wrap)
	if err := manager.SetPrimary(youngest.ID); err != nil {
		return nil, 0, fmt.Errorf("seal: promote a wrapping key: %w", err)
	}
	next, err := k.with(manager)
	return next, youngest.ID, err
}

// Drop returns the keyset without these wrapping keys. What they wrapped does
// not open any more. The key that wraps cannot be dropped.
func (k *Keyset) Drop(ids ...uint32) (*Keyset, error) {
	manager := keyset.NewManagerFromHandle(k.wrap)
	for _, id := range ids {
		if err := manager.Delete(id); err != nil {
			return nil, fmt.Errorf("seal: drop a wrapping key: %w", err)
		}
	}
	next, err := k.with(manager)
	if err == nil {
		maps.DeleteFunc(next.made, func(id uint32, _ time.Time) bool { return slices.Contains(ids, id) })
	}
	return next, err
}

func (k *Keyset) with(manager *keyset.Manager) (*Keyset, error) {
	wrap, err := manager.Handle()
	if err != nil {
		return nil, fmt.Errorf("seal: change the wrapping keys: %w", err)
	}
	made := maps.Clone(k.made)
	if made == nil {
		made = map[uint32]time.Time{}
	}
	return &Keyset{wrap: wrap, index: k.index, made: made, local: k.local}, nil
}

// ReadKeyset reads what Text wrote. Anything else is ErrKeyset.
func ReadKeyset(text string) (*Keyset, error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base64", ErrKeyset)
	}
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Wrap) == 0 || len(e.Index) == 0 {
		return nil, fmt.Errorf("%w: it does not hold a wrap and an index keyset", ErrKeyset)
	}
	k := &Keyset{made: e.Made, local: e.Local}
	if k.wrap, err = readHandle(e.Wrap); err != nil {
		return nil, fmt.Errorf("%w: its wrap keyset is broken", ErrKeyset)
	}
	if k.index, err = readHandle(e.Index); err != nil {
		return nil, fmt.Errorf("%w: its index keyset is broken", ErrKeyset)
	}
	return k, nil
}

func readHandle(raw []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
}

// Text is the keyset as base64 of JSON: the secret that opens everything. It
// belongs in a secret store, not beside the database.
func (k *Keyset) Text() (string, error) {
	e := envelope{Made: k.made, Local: k.local}
	for into, handle := range map[*json.RawMessage]*keyset.Handle{&e.Wrap: k.wrap, &e.Index: k.index} {
		var out bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&out)); err != nil {
			return "", fmt.Errorf("seal: write a keyset: %w", err)
		}
		*into = out.Bytes()
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("seal: write a keyset: %w", err)
	}
	return base64.StdEncoding.EncodeToString(raw), nil
}
