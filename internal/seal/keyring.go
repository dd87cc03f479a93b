package seal

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// envelope is what a keyset string holds: two Tink keysets in one piece of
// JSON. Wrap protects the patients' keys and rotates. Index feeds the look-up
// index and the signatures; a new one would orphan every index value.
type envelope struct {
	Wrap  json.RawMessage `json:"wrap"`
	Index json.RawMessage `json:"index"`
}

// Keyring is an opened keyset. It never prints and is safe for use by many
// goroutines.
type Keyring struct {
	wrap tink.AEAD
	root []byte // the parent of every index and signature key
}

// NewKeyset makes a keyset with fresh keys, as base64 of JSON. It is the
// secret that opens everything: it belongs in a secret store, not beside the
// database.
func NewKeyset() (string, error) {
	wrap, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("seal: make a wrapping key: %w", err)
	}
	index, err := keyset.NewHandle(prf.HKDFSHA256PRFKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("seal: make an index key: %w", err)
	}
	return writeKeyset(wrap, index)
}

// RotateKeyset returns the keyset with one more wrapping key, which wraps from
// now on. Everything that the old keyset wrapped still opens, and the index
// and the signatures stay as they are.
func RotateKeyset(old string) (string, error) {
	wrap, index, err := readKeyset(old)
	if err != nil {
		return "", err
	}
	manager := keyset.NewManagerFromHandle(wrap)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return "", fmt.Errorf("seal: add a wrapping key: %w", err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return "", fmt.Errorf("seal: promote the new wrapping key: %w", err)
	}
	if wrap, err = manager.Handle(); err != nil {
		return "", fmt.Errorf("seal: add a wrapping key: %w", err)
	}
	return writeKeyset(wrap, index)
}

// OpenKeyring opens a keyset made by NewKeyset or RotateKeyset. Anything else
// is ErrKeyset.
func OpenKeyring(text string) (*Keyring, error) {
	wrapHandle, indexHandle, err := readKeyset(text)
	if err != nil {
		return nil, err
	}
	wrap, err := aead.New(wrapHandle)
	if err != nil {
		return nil, fmt.Errorf("%w: its wrapping keys are not AEAD keys", ErrKeyset)
	}
	index, err := prf.NewPRFSet(indexHandle)
	if err != nil {
		return nil, fmt.Errorf("%w: its index key is not a PRF key", ErrKeyset)
	}
	root, err := index.ComputePrimaryPRF([]byte("countersign index root 1"), keyBytes)
	if err != nil {
		return nil, fmt.Errorf("%w: its index key derives nothing", ErrKeyset)
	}
	return &Keyring{wrap: wrap, root: root}, nil
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
	wrapped, err := r.wrap.Encrypt(key.raw[:], wrapBound(patient))
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

func readKeyset(text string) (wrap, index *keyset.Handle, err error) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: it is not base64", ErrKeyset)
	}
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Wrap) == 0 || len(e.Index) == 0 {
		return nil, nil, fmt.Errorf("%w: it does not hold a wrap and an index keyset", ErrKeyset)
	}
	if wrap, err = readHandle(e.Wrap); err != nil {
		return nil, nil, fmt.Errorf("%w: its wrap keyset is broken", ErrKeyset)
	}
	if index, err = readHandle(e.Index); err != nil {
		return nil, nil, fmt.Errorf("%w: its index keyset is broken", ErrKeyset)
	}
	return wrap, index, nil
}

func readHandle(raw []byte) (*keyset.Handle, error) {
	return insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(raw)))
}

func writeKeyset(wrap, index *keyset.Handle) (string, error) {
	var e envelope
	for into, handle := range map[*json.RawMessage]*keyset.Handle{&e.Wrap: wrap, &e.Index: index} {
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
