package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/ledger"
)

// openLedger reads LEDGER_KEY and LEDGER_VERIFIERS. Without a key nothing is sealed; without both nothing can be verified.
func openLedger(cfg *config.Config) (*ledger.Key, ledger.Verifiers, error) {
	verifiers := cfg.LedgerKnown()
	var signer *ledger.Key
	if cfg.LedgerKey != "" {
		var err error
		if signer, err = ledger.ReadKey(cfg.LedgerKey.Reveal()); err != nil {
			return nil, ledger.Verifiers{}, fmt.Errorf("LEDGER_KEY: %w", err)
		}
		verifiers = append(verifiers, signer.Verifier())
	}
	if len(verifiers) == 0 {
		return nil, ledger.Verifiers{}, nil
	}
	known, err := ledger.ReadVerifiers(verifiers...)
	if err != nil {
		return nil, known, fmt.Errorf("LEDGER_VERIFIERS: %w", err)
	}
	return signer, known, nil
}

// NewLedgerKey prints a signing key to out, and to said its verifier.
func NewLedgerKey(local bool, out, said io.Writer) error {
	text, err := ledger.NewKey(local)
	if err != nil {
		return err
	}
	key, err := ledger.ReadKey(text)
	if err != nil {
		return err
	}
	fmt.Fprintf(said, "Its verifier, which is no secret and belongs with whoever audits:\n%s\n", key.Verifier())
	_, err = fmt.Fprintln(out, text)
	return err
}

// LedgerVerifier is what the checkpoints that these settings sign are verified by; empty without a key.
func LedgerVerifier(cfg *config.Config) (string, error) {
	signer, _, err := openLedger(cfg)
	if err != nil || signer == nil {
		return "", err
	}
	return signer.Verifier(), nil
}

// anchorFolder holds the ledger's checkpoints in BLOB_URL.
const anchorFolder = "ledger/"

// anchorName grows with the ledger. Two checkpoints of one size and another root have two names, and both are kept.
func anchorName(c clinic.Checkpoint) string {
	root := strings.NewReplacer("+", "-", "/", "_").Replace(c.Root.String())
	return fmt.Sprintf("%s%020d-%s.txt", anchorFolder, c.Size, root[:16])
}

// anchor is nil without a place outside.
func (a *App) anchor() func(context.Context, clinic.Checkpoint) error {
	if a.bucket == nil {
		return nil
	}
	return func(ctx context.Context, c clinic.Checkpoint) error {
		err := a.bucket.Write(ctx, anchorName(c), []byte(c.Note), "")
		if errors.Is(err, blob.ErrMoved) { // another worker has written it, or this one before it was started again
			return nil
		}
		return err
	}
}
