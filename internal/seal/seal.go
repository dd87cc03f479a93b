// Package seal keeps patient text unreadable at rest and unprintable in
// memory.
//
// There are three levels of keys. A Tink keyset, which comes from outside,
// wraps one 32-byte key per patient; that key seals each field with the
// standard library's AES-256-GCM. The additional data of a field is its
// table, column and row id, so a value that is copied to another row, column,
// table or patient does not open. The keyset also feeds the exact look-up
// index and the signatures on exact bytes, both of them one-way.
//
// The package knows keys and bytes. It does not know where they are stored,
// who may open them, or what a patient is. It hides text from every formatter;
// it cannot hide it from a caller who asks for it with Reveal.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

var (
	// ErrOpen says that sealed bytes did not open: they were altered, moved
	// from another place, sealed under another key, or never sealed at all.
	// Which of these it was cannot be told apart, on purpose.
	ErrOpen = errors.New("seal: the sealed value does not open here")
	// ErrPlace says that a value has no usable place: an empty name, a name
	// with a separator in it, or a row without an id.
	ErrPlace = errors.New("seal: the place needs a table, a column and a row id")
	// ErrKey says that a key is the empty value of its type.
	ErrKey = errors.New("seal: the key is empty")
	// ErrKeyset says that a keyset cannot be used. It never quotes the keyset.
	ErrKeyset = errors.New("seal: the keyset cannot be read")
)

const (
	keyBytes    = 32
	version1    = 1  // the first byte of a sealed value: AES-256-GCM, random 96-bit nonce in front
	gcmOverhead = 28 // 12 bytes of nonce and 16 of tag
)

// Place is where a sealed value lives. The row id is therefore made before
// the row is inserted.
type Place struct {
	Table, Column string
	Row           uuid.UUID
}

// bound returns the additional data that ties a sealed value to its place. The
// version is part of it, so that an older format can never be passed off as a
// newer one.
func (p Place) bound(version byte) ([]byte, error) {
	if p.Table == "" || p.Column == "" || p.Row == uuid.Nil || strings.Contains(p.Table+p.Column, "|") {
		return nil, ErrPlace
	}
	out := make([]byte, 0, 1+len(p.Table)+len(p.Column)+2+36)
	out = append(out, version)
	out = append(out, p.Table...)
	out = append(out, '|')
	out = append(out, p.Column...)
	out = append(out, '|')
	return append(out, p.Row.String()...), nil
}

// Key seals and opens the fields of one patient: it seals with the newest of
// the patient's keys and opens with each of them, so that a new one never
// leaves an old row behind. It never prints, and it is safe for use by many
// goroutines. The zero Key refuses to work.
type Key struct {
	aeads []cipher.AEAD // the newest first
	raw   []byte        // the same, to wrap them again when the keyset rotates
}

// mostKeys is how many keys a patient can have had. A year's habit of a new
// one each quarter comes this far in sixteen years.
const mostKeys = 64

func newKey(raw []byte) (Key, error) {
	if len(raw) == 0 || len(raw)%keyBytes != 0 || len(raw) > mostKeys*keyBytes {
		return Key{}, ErrOpen
	}
	k := Key{raw: slices.Clone(raw)}
	for one := range slices.Chunk(k.raw, keyBytes) {
		block, err := aes.NewCipher(one)
		if err != nil {
			return Key{}, fmt.Errorf("seal: make a cipher: %w", err)
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return Key{}, fmt.Errorf("seal: make a cipher: %w", err)
		}
		k.aeads = append(k.aeads, aead)
	}
	return k, nil
}

// Renew returns the key with one more, fresh, that seals from now on. What the
// earlier ones sealed still opens, and is sealed anew when it is next written.
func (k Key) Renew() (Key, error) {
	if k.aeads == nil {
		return Key{}, ErrKey
	}
	if len(k.aeads) == mostKeys {
		return Key{}, fmt.Errorf("seal: a patient has had %d keys, which is the most", mostKeys)
	}
	return newKey(append(randomKey(), k.raw...))
}

// Seal encrypts plain for one place. The result is 29 bytes longer than plain.
// Sealing the same text twice gives different bytes.
func (k Key) Seal(plain string, at Place) (Sealed, error) {
	if k.aeads == nil {
		return nil, ErrKey
	}
	bound, err := at.bound(version1)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 1, 1+len(plain)+gcmOverhead)
	out[0] = version1
	return k.aeads[0].Seal(out, nil, []byte(plain), bound), nil
}

// Open decrypts a value that was sealed for this place with this key, now or
// before a Renew. Anything else is ErrOpen.
func (k Key) Open(s Sealed, at Place) (Text, error) {
	if k.aeads == nil {
		return "", ErrKey
	}
	bound, err := at.bound(version1)
	if err != nil {
		return "", err
	}
	if len(s) < 1+gcmOverhead || s[0] != version1 {
		return "", ErrOpen
	}
	for _, aead := range k.aeads {
		if plain, err := aead.Open(nil, nil, s[1:], bound); err == nil {
			return Text(plain), nil
		}
	}
	return "", ErrOpen
}

// randomKey returns 32 bytes from the system's source of randomness, which
// never fails.
func randomKey() []byte {
	raw := make([]byte, keyBytes)
	rand.Read(raw)
	return raw
}
