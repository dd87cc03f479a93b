package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/config"
	"countersign/internal/kms"
	"countersign/internal/seal"
)

// openKeyset decrypts KEYSET, if a key service encrypted it, and reads it.
func openKeyset(ctx context.Context, cfg *config.Config) (*seal.Keyset, string, error) {
	text, err := kms.Decrypt(ctx, cfg.KeysetKMS, cfg.Keyset.Reveal())
	if err != nil {
		return nil, "", fmt.Errorf("KEYSET cannot be decrypted: %w", err)
	}
	set, err := seal.ReadKeyset(text)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("KEYSET cannot be opened: %w", err)
	case set.Local() && cfg.Env.Guarded():
		return nil, "", fmt.Errorf("KEYSET was made for trying out on one machine; %s refuses it", cfg.Env)
	}
	return set, text, nil
}

func openKeyring(ctx context.Context, cfg *config.Config) (*seal.Keyring, error) {
	_, text, err := openKeyset(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return seal.OpenKeyring(text)
}

// KeysetChange is one step of changing the wrapping keys of KEYSET.
type KeysetChange string

// The steps, in their order. Between two of them every process is started again with what the step before printed.
const (
	KeysetAdd     KeysetChange = "add"     // a key that opens, and does not wrap yet
	KeysetPromote KeysetChange = "promote" // the youngest key wraps
	KeysetDrop    KeysetChange = "drop"    // what wraps nothing any more goes
)

// ChangeKeyset prints the next KEYSET to out, and to said what it did. It changes nothing anywhere else. drop asks the
// database which keys are still needed.
func ChangeKeyset(ctx context.Context, cfg *config.Config, change KeysetChange, out, said io.Writer) error {
	set, _, err := openKeyset(ctx, cfg)
	if err != nil {
		return err
	}
	switch change {
	case KeysetAdd:
		var id uint32
		if set, id, err = set.Add(time.Now()); err == nil {
			fmt.Fprintf(said, "Key %08x is added; it opens, and does not wrap yet. Start every process with this KEYSET, then run «countersign keys promote».\n", id)
		}
	case KeysetPromote:
		var id uint32
		if set, id, err = set.Promote(); err == nil {
			fmt.Fprintf(said, "Key %08x wraps. Start every process with this KEYSET, then run «countersign keys rotate».\n", id)
		}
	case KeysetDrop:
		set, err = dropUnused(ctx, cfg, set, said)
	}
	if err != nil {
		return err
	}
	return printKeyset(ctx, set, cfg.KeysetKMS, out)
}

// MoveKeyset prints KEYSET, the same keys, as the key service at address encrypts it: from lying in the clear, or from another
// service. It has the service decrypt it again first, so that nobody puts a KEYSET into force that does not open.
func MoveKeyset(ctx context.Context, cfg *config.Config, address string, out, said io.Writer) error {
	next := *cfg
	next.KeysetKMS = address
	if bad := next.CheckKMS(); len(bad) > 0 {
		return bad
	}
	set, text, err := openKeyset(ctx, cfg)
	if err != nil {
		return err
	}
	moved, err := kms.Encrypt(ctx, address, text)
	if err != nil {
		return err
	}
	if again, err := kms.Decrypt(ctx, address, moved); err != nil || again != text {
		return errors.Join(errors.New("the key service encrypts, and does not give back what it encrypted; nothing is moved"), err)
	}
	fmt.Fprintf(said, "%d wrapping keys are moved. Start every process with this KEYSET and with that address as KEYSET_KMS, together; until then the old one goes on.\n", len(set.Keys()))
	_, err = fmt.Fprintln(out, moved)
	return err
}

func printKeyset(ctx context.Context, set *seal.Keyset, service string, out io.Writer) error {
	text, err := set.Text()
	if err != nil {
		return err
	}
	if text, err = kms.Encrypt(ctx, service, text); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, text)
	return err
}

// NewKeyset prints a keyset with fresh keys, encrypted by the key service if one is named.
func NewKeyset(ctx context.Context, service string, local bool, out io.Writer) error {
	set, err := seal.MakeKeyset(time.Now(), local)
	if err != nil {
		return err
	}
	return printKeyset(ctx, set, service, out)
}

func dropUnused(ctx context.Context, cfg *config.Config, set *seal.Keyset, said io.Writer) (*seal.Keyset, error) {
	counts, err := keyCounts(ctx, cfg)
	if err != nil {
		return nil, err
	}
	var unused []uint32
	for _, key := range set.Keys() {
		needed := slices.ContainsFunc(counts, func(c clinic.KeyCount) bool { return c.ID == key.ID })
		if !key.Wraps && !needed {
			unused = append(unused, key.ID)
			fmt.Fprintf(said, "Key %08x wraps nothing in this database and is dropped. Keep the old KEYSET as long as you keep backups from before.\n", key.ID)
		}
	}
	if len(unused) == 0 {
		return nil, fmt.Errorf("no key can be dropped: each of them still wraps, or is needed to open; run «countersign keys rotate» first")
	}
	return set.Drop(unused...)
}

func keyCounts(ctx context.Context, cfg *config.Config) ([]clinic.KeyCount, error) {
	c, err := openStore(ctx, cfg, clinic.Times{})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	counts, err := c.KeysShow(ctx, clinic.OperatorActor("operator"))
	return counts, sayable(err)
}

// ErrKeysLost: patients' keys were wrapped with a key that KEYSET does not hold.
var ErrKeysLost = fmt.Errorf("what is kept about some patients cannot be opened with this KEYSET; nothing is lost as long as the missing key is found in an older one")

// KeysStatus prints each wrapping key and how many patients depend on it. A key that is depended on and missing is
// ErrKeysLost.
func KeysStatus(ctx context.Context, cfg *config.Config, out io.Writer) error {
	set, _, err := openKeyset(ctx, cfg)
	if err != nil {
		return err
	}
	counts, err := keyCounts(ctx, cfg)
	if err != nil {
		return err
	}
	patients := map[uint32]int64{}
	for _, c := range counts {
		patients[c.ID] = c.Patients
	}
	fmt.Fprintf(out, "%-10s %-12s %-12s %s\n", "key", "made", "use", "patients")
	for _, key := range set.Keys() {
		made, use := "not known", "opens"
		if !key.Made.IsZero() {
			made = key.Made.Format(time.DateOnly)
		}
		if key.Wraps {
			use = "wraps"
		}
		fmt.Fprintf(out, "%08x   %-12s %-12s %d\n", key.ID, made, use, patients[key.ID])
		delete(patients, key.ID)
	}
	for _, c := range counts {
		if n, missing := patients[c.ID]; missing {
			fmt.Fprintf(out, "%08x   %-12s %-12s %d\n", c.ID, "not known", "MISSING", n)
			err = ErrKeysLost
		}
	}
	return err
}

// RotateKeys wraps every patient's key anew with the key that wraps now; with renew each patient gets a new key of their
// own first. It goes on from wherever it is run again.
func RotateKeys(ctx context.Context, cfg *config.Config, renew bool, out io.Writer) error {
	c, err := openStore(ctx, cfg, clinic.Times{})
	if err != nil {
		return err
	}
	defer c.Close()
	var patients, wrapped, lost int
	for step := (clinic.KeysTurned{More: true}); step.More; {
		if step, err = c.KeysRotate(ctx, clinic.OperatorActor("operator"), step, renew); err != nil {
			return sayable(err)
		}
		patients, wrapped, lost = patients+step.Patients, wrapped+step.Wrapped, lost+step.Lost
	}
	fmt.Fprintf(out, "%d patients: %d keys wrapped anew, %d as they should be, %d cannot be opened\n", patients, wrapped, patients-wrapped-lost, lost)
	if lost > 0 {
		return ErrKeysLost
	}
	return nil
}
