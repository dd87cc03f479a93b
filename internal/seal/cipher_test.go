package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/google/uuid"
)

// Anybody with the key opens what is sealed by AES-256-GCM alone: a first byte for the version, a nonce of 96 bits, the text
// and its tag, bound to its place. Each nonce is another one, also for the same text at the same place.
func TestSealedIsAESGCM(t *testing.T) {
	t.Parallel()
	ring, _ := openKeyring(t)
	key, at := patientKey(t, ring), Place{"drafts", "body", uuid.New()}
	if len(key.raw) != 32 {
		t.Fatalf("the key has %d bits", len(key.raw)*8)
	}
	block, err := aes.NewCipher(key.raw)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	bound := "\x01drafts|body|" + at.Row.String()
	nonces := map[string]bool{}
	for range 10_000 {
		sealed, err := key.Seal(marked, at)
		if err != nil {
			t.Fatal(err)
		}
		nonce := sealed[1:13]
		if plain, err := aead.Open(nil, nonce, sealed[13:], []byte(bound)); err != nil || string(plain) != marked {
			t.Fatalf("AES-256-GCM by itself: %v", err)
		}
		nonces[string(nonce)] = true
	}
	if len(nonces) != 10_000 {
		t.Errorf("10,000 values have %d nonces", len(nonces))
	}
}
