package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Keyring is an opened keyset. It never prints and is safe for use by many
// goroutines.
type Keyring struct {
	wrap    tink.AEAD
	holds   map[uint32]bool // the wrapping keys by their ids
	primary uint32
	root    []byte // the parent of every index and signature key
}

// OpenKeyring opens a keyset as Keyset.Text writes it. Anything else is
// ErrKeyset.
func OpenKeyring(text string) (*Keyring, error) {
	set, err := ReadKeyset(text)
	if err != nil {
		return nil, err
	}
	wrap, err := aead.New(set.wrap)
	if err != nil {
		return nil, fmt.Errorf("%w: its wrapping keys are not AEAD keys", ErrKeyset)
	}
	index, err := prf.NewPRFSet(set.index)
	if err != nil {
		return nil, fmt.Errorf("%w: its index key is not a PRF key", ErrKeyset)
	}
	root, err := index.ComputePrimaryPRF([]byte("countersign index root 1"), keyBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: its index key derives nothing", ErrKeyset)
	}
	ring := &Keyring{wrap: wrap, root: root, holds: map[uint32]bool{}}
	for _, key := range set.Keys() {
		ring.holds[key.ID] = true
		if key.Wraps {
			ring.primary = key.ID
		}
	}
	return ring, nil
}

// Primary is the id of the key that wraps now.
func (r *Keyring) Primary() uint32 { return r.primary }

// Holds reports whether the keyset has the wrapping key of that id.
func (r *Keyring) Holds(id uint32) bool { return r.holds[id] }

// WrappedBy is the id of the wrapping key that a stored key was wrapped with,
// or 0 for bytes that are no wrapped key. Tink writes it in front, in the
// clear: a 1 and the id, big-endian.
func WrappedBy(wrapped []byte) uint32 {
	if len(wrapped) < 5 || wrapped[0] != 1 {
		return 0
	}
	return binary.BigEndian.Uint32(wrapped[1:5])
}

// NewKey makes a patient's key and the wrapped form to store. The wrapped form
// opens for this patient only.
func (r *Keyring) NewKey(patient uuid.UUID) (Key, []byte, error) {
	key, err := newKey(randomKey())
	if err != nil {
		return Key{}, nil, err
	}
	wrapped, err := r.Wrap(patient, key)
	if err != nil {
		return Key{}, nil, err
	}
	return key, wrapped, nil
}

// Wrap encrypts a patient's key under the newest wrapping key. It is how a
// rotation renews what is stored: Unwrap, then Wrap.
func (r *Keyring) Wrap(patient uuid.UUID, key Key) ([]byte, error) {
	if key.raw == nil {
		return nil, ErrKey
	}
	if patient == uuid.Nil {
		return nil, errors.New("seal: a key needs a patient id")
	}
	wrapped, err := r.wrap.Encrypt(key.raw, wrapBound(patient))
	if err != nil {
		return nil, fmt.Errorf("seal: wrap a key: %w", err)
	}
	return wrapped, nil
}

// Unwrap opens a patient's stored key. A key of another patient, or wrapped by
// a keyset that is not this one, is ErrOpen.
func (r *Keyring) Unwrap(patient uuid.UUID, wrapped []byte) (Key, error) {
	raw, err := r.wrap.Decrypt(wrapped, wrapBound(patient))
	if err != nil {
		return Key{}, ErrOpen
	}
	return newKey(raw)
}

// Index is the 32-byte value to store and search for an exact look-up: an
// HMAC-SHA256 with a key of the column's own, so that equal values in two
// columns do not show as equal. The caller normalises the value first.
func (r *Keyring) Index(column, value string) []byte {
	return sum(r.derive("index|"+column), []byte(value))
}

// MAC signs exact bytes for one purpose: HMAC-SHA256 over the parts, each with
// its length before it, so that no two lists of parts sign alike. It does not
// change when the wrapping keys rotate.
func (r *Keyring) MAC(purpose string, parts ...[]byte) []byte {
	var exact []byte
	for _, part := range parts {
		exact = binary.BigEndian.AppendUint64(exact, uint64(len(part)))
		exact = append(exact, part...)
	}
	return sum(r.derive("mac|"+purpose), exact)
}

// VerifyMAC reports, in constant time, whether mac is what MAC gives.
func (r *Keyring) VerifyMAC(mac []byte, purpose string, parts ...[]byte) bool {
	return hmac.Equal(mac, r.MAC(purpose, parts...))
}

// derive returns the key for one use, by the expand step of HKDF.
func (r *Keyring) derive(use string) []byte {
	key, err := hkdf.Expand(sha256.New, r.root, use, keyBytes)
	if err != nil {
		panic("seal: HKDF refused 32 bytes, which it never does: " + err.Error())
	}
	return key
}

func sum(key, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(message)
	return h.Sum(nil)
}

func wrapBound(patient uuid.UUID) []byte {
	return []byte("patient_keys|wrapped|" + patient.String())
}
