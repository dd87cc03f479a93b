package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/ledger"
)

// ErrTampered: the ledger is not what was signed. Any other error of VerifyLedger means that it could not be checked.
var ErrTampered = errors.New("the audit ledger is not what was signed")

// Verifying is what an auditor wants of VerifyLedger.
type Verifying struct {
	Keys    []string // verifiers; none: those of the settings
	Anchors string   // the bucket's address, or a file with lines of the workers' log; empty: BLOB_URL
	JSON    bool
}

// progressEvery is how often a long verification says how far it is.
const progressEvery = 2 * time.Second

// VerifyLedger verifies the whole ledger against the trail and the anchors, and says on out what it found; how far it is, on
// said. It needs the address of a database, which may be a copy, and writes nothing.
func VerifyLedger(ctx context.Context, cfg *config.Config, want Verifying, out, said io.Writer) error {
	known, err := verifiers(cfg, want.Keys)
	if err != nil {
		return err
	}
	check := clinic.LedgerCheck{Known: known, Progress: progress(said)}
	if check.Anchors, err = readAnchors(ctx, cfg, want.Anchors); err != nil {
		return err
	}
	place, done, err := archivesOf(ctx, placeOf(cfg, want.Anchors))
	if err != nil {
		return err
	}
	defer done()
	check.Archives = place
	c, err := openTrail(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	began := time.Now()
	report, err := c.LedgerVerify(ctx, check)
	if err != nil {
		return fmt.Errorf("the ledger could not be checked: %w", sayable(err))
	}
	if want.JSON {
		err = json.NewEncoder(out).Encode(report)
	} else {
		sayReport(report, time.Since(began), out)
	}
	if err != nil {
		return err
	}
	return verdict(report)
}

// verdict is nil of a clean ledger.
func verdict(report clinic.LedgerReport) error {
	switch {
	case report.Signed == 0 && report.Checkpoints+report.Anchors > 0:
		return errNoneOfIt
	case len(report.Findings) > 0:
		return ErrTampered
	}
	return nil
}

// errNoneOfIt: which of the two it is, nobody can tell without the right key or an anchor.
var errNoneOfIt = errors.New("nothing here is signed by this key: it is not this ledger's, or all of the ledger was written anew without it. Take the key from " +
	"whoever keeps it, not from this database")

// archivesOf is where the months are that were taken out: with the anchors. Nil without an address.
func archivesOf(ctx context.Context, address string) (clinic.ArchivePlace, func(), error) {
	if address == "" {
		return nil, func() {}, nil
	}
	bucket, err := blob.Open(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	return bucket, func() { _ = bucket.Close() }, nil
}

func sayReport(r clinic.LedgerReport, took time.Duration, out io.Writer) {
	fmt.Fprintf(out, "%d events: %d sealed, %d waiting to be; %d checkpoints, %d anchors; %.1fs, %.0f events/s\n", r.Events, r.Leaves, r.Waiting,
		r.Checkpoints, r.Anchors, took.Seconds(), float64(r.Leaves)/took.Seconds())
	for _, f := range r.Findings {
		fmt.Fprintf(out, "TAMPERED %s: %s\n", f.Code, f.Words)
	}
	if r.Archived > 0 {
		fmt.Fprintf(out, "%d of the events were read from archives\n", r.Archived)
	}
	if r.ByHash > 0 {
		fmt.Fprintf(out, "%d leaves are of archived events whose bytes were not read: of them their hashes alone are verified\n", r.ByHash)
	}
	for _, s := range r.Restores {
		fmt.Fprintf(out, "RESTORED: the ledger's key says in %s, at %s, that a restore lost leaves %d to %d, the last of %s; %d anchors are of them. Was there that restore?\n",
			s.Name, s.Said.Format(time.RFC3339), s.From, s.Before-1, s.Until.Format(time.RFC3339), s.Anchors)
	}
	if r.More > 0 {
		fmt.Fprintf(out, "and %d more\n", r.More)
	}
	switch {
	case len(r.Findings) > 0:
	case r.Anchors == 0:
		fmt.Fprintf(out, "ok: root %s. No anchors: that the tail was cut, or all rewritten with the key, could not be seen.\n", r.Root)
	default:
		fmt.Fprintf(out, "ok: root %s, %d leaves of %d under an anchor from outside\n", r.Root, r.Anchored, r.Leaves)
	}
}

func progress(said io.Writer) func(done, of int64) {
	last := time.Now()
	return func(done, of int64) {
		if time.Since(last) > progressEvery {
			last = time.Now()
			fmt.Fprintf(said, "%d of %d events (%d %%)\n", done, of, 100*done/max(of, 1))
		}
	}
}

// verifiers are those that are given, or the settings'.
func verifiers(cfg *config.Config, given []string) (ledger.Verifiers, error) {
	if len(given) > 0 {
		return ledger.ReadVerifiers(given...)
	}
	signer, known, err := openLedger(cfg)
	if err == nil && signer == nil && len(cfg.LedgerKnown()) == 0 {
		err = errors.New("no verifier key: give --key, or set LEDGER_VERIFIERS")
	}
	return known, err
}

// openTrail opens the database without the keys that open what is sealed: an auditor needs none of them.
func openTrail(ctx context.Context, cfg *config.Config) (*clinic.Clinic, error) {
	return clinic.Open(ctx, clinic.Config{DatabaseURL: cfg.DatabaseURL.Reveal(), MaxConns: 2})
}

// ProveEvent prints the offline proof of a sealed event.
func ProveEvent(ctx context.Context, cfg *config.Config, event uuid.UUID, keys []string, out io.Writer) error {
	known, err := verifiers(cfg, keys)
	if err != nil {
		return err
	}
	c, err := openTrail(ctx, cfg)
	if err != nil {
		return err
	}
	defer c.Close()
	place, done, err := archivesOf(ctx, cfg.BlobURL)
	if err != nil {
		return err
	}
	defer done()
	proof, err := c.LedgerProve(ctx, event, known, place)
	if clinic.Code(err) == "not_proved" {
		return fmt.Errorf("%w: %w", ErrTampered, sayable(err))
	}
	if err != nil {
		return sayable(err)
	}
	return json.NewEncoder(out).Encode(proof)
}

// CheckProof checks a proof file with nothing but the verifier key, and prints the event.
func CheckProof(file []byte, keys []string, out io.Writer) error {
	known, err := ledger.ReadVerifiers(keys...)
	if err != nil {
		return err
	}
	proof, err := ledger.ReadProof(file)
	if err != nil {
		return err
	}
	under, err := proof.Check(known)
	if errors.Is(err, ledger.ErrOtherKey) {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrTampered, err)
	}
	fmt.Fprintf(out, "ok: leaf %d of %d, under the checkpoint of %s\n%s\n", proof.Leaf, under.Size, under.At.Format(time.RFC3339), proof.Bytes)
	return nil
}
