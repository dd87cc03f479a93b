package clinictest

import (
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/ledger"
	"countersign/internal/seal"
)

// LedgerKey is a fresh signing key, as text, and what its checkpoints are verified by.
func LedgerKey(t testing.TB) (string, *ledger.Key, ledger.Verifiers) {
	t.Helper()
	text, err := ledger.NewKey(false)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ledger.ReadKey(text)
	if err != nil {
		t.Fatal(err)
	}
	known, err := ledger.ReadVerifiers(key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	return text, key, known
}

// Sealing lets the World's clinic seal its trail.
func Sealing(key *ledger.Key, known ledger.Verifiers) Option {
	return func(c *clinic.Config) { c.Ledger, c.LedgerKnown = key, known }
}

// Again opens the World's database once more, as another process does.
func (w *World) Again(t testing.TB, options ...Option) *clinic.Clinic {
	t.Helper()
	keys, err := seal.OpenKeyring(w.Keyset)
	w.must(t, err)
	cfg := clinic.Config{DatabaseURL: w.URL, Keyring: keys, BaseURL: "http://localhost:8080", MaxConns: 4, Now: w.Clock.Now}
	for _, o := range options {
		o(&cfg)
	}
	c, err := clinic.Open(t.Context(), cfg)
	w.must(t, err)
	t.Cleanup(c.Close)
	return c
}
