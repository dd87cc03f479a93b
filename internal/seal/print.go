package seal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
)

// What the three types show in place of their content, whatever the verb.
const (
	sealedShown = "[sealed]"
	textShown   = "[patient]"
	keyShown    = "[key]"
)

// Sealed is an encrypted field as it stands in a bytea column. It prints as
// [sealed]. The nil value is a SQL null.
type Sealed []byte

// BytesValue and ScanBytes make a Sealed a bytea parameter and scan target for
// pgx. The scanned bytes are a copy.
func (s Sealed) BytesValue() ([]byte, error) { return s, nil }

// ScanBytes takes the bytes of a bytea column; a null makes the value nil.
func (s *Sealed) ScanBytes(b []byte) error {
	*s = slices.Clone(b)
	return nil
}

// Format writes [sealed] for every verb and flag.
func (s Sealed) Format(f fmt.State, _ rune) { show(f, sealedShown) }

// LogValue is [sealed].
func (s Sealed) LogValue() slog.Value { return slog.StringValue(sealedShown) }

// MarshalJSON is "[sealed]".
func (s Sealed) MarshalJSON() ([]byte, error) { return []byte(`"` + sealedShown + `"`), nil }

// MarshalText is [sealed].
func (s Sealed) MarshalText() ([]byte, error) { return []byte(sealedShown), nil }

// String is [sealed].
func (s Sealed) String() string { return sealedShown }

// Text is opened patient text. It prints as [patient] everywhere, templates
// included; the one way to its content is Reveal. A conversion with string()
// is the same as Reveal and is not used outside this package. One verb cannot be
// caught: %p, which go vet refuses for a text.
type Text string

// ErrUnsealed says that opened text was given to the database as it is.
var ErrUnsealed = errors.New("seal: opened text cannot be stored; seal it first")

// Value refuses to be a query's parameter: it is always ErrUnsealed.
func (t Text) Value() (driver.Value, error) { return nil, ErrUnsealed }

// Reveal returns the text itself. The caller promises that it goes to a person
// or a provider who may have it, and to no log, error, URL or metric.
func (t Text) Reveal() string { return string(t) }

// Format writes [patient] for every verb and flag.
func (t Text) Format(f fmt.State, _ rune) { show(f, textShown) }

// LogValue is [patient].
func (t Text) LogValue() slog.Value { return slog.StringValue(textShown) }

// MarshalJSON is "[patient]".
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + textShown + `"`), nil }

// MarshalText is [patient].
func (t Text) MarshalText() ([]byte, error) { return []byte(textShown), nil }

// String is [patient].
func (t Text) String() string { return textShown }

// Format writes [key] for every verb and flag.
func (k Key) Format(f fmt.State, _ rune) { show(f, keyShown) }

// LogValue is [key].
func (k Key) LogValue() slog.Value { return slog.StringValue(keyShown) }

// MarshalJSON is "[key]".
func (k Key) MarshalJSON() ([]byte, error) { return []byte(`"` + keyShown + `"`), nil }

// Format writes [key] for every verb and flag.
func (r *Keyring) Format(f fmt.State, _ rune) { show(f, keyShown) }

// LogValue is [key].
func (r *Keyring) LogValue() slog.Value { return slog.StringValue(keyShown) }

// Format writes [key] for every verb and flag.
func (k *Keyset) Format(f fmt.State, _ rune) { show(f, keyShown) }

// LogValue is [key].
func (k *Keyset) LogValue() slog.Value { return slog.StringValue(keyShown) }

// MarshalJSON is "[key]": a keyset is written by Text and by nothing else.
func (k *Keyset) MarshalJSON() ([]byte, error) { return []byte(`"` + keyShown + `"`), nil }

func show(f fmt.State, shown string) { _, _ = io.WriteString(f, shown) }
