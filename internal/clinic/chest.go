package clinic

import (
	"encoding/json"

	"github.com/google/uuid"

	"countersign/internal/seal"
)

// chest is one patient's key at work. The first failure sticks, so that a row's fields can be opened in a line each
// and checked once: a value that was tampered with or moved fails the deed, it never shows as empty.
type chest struct {
	key seal.Key
	err error
}

func (c *Clinic) chest(patient uuid.UUID, wrapped []byte) *chest {
	key, err := c.keys.Unwrap(patient, wrapped)
	if err != nil {
		err = c.keyLost(wrapped, err)
	}
	return &chest{key: key, err: err}
}

func (b *chest) open(s seal.Sealed, table, column string, row uuid.UUID) Text {
	if b.err != nil {
		return ""
	}
	text, err := b.key.Open(s, seal.Place{Table: table, Column: column, Row: row})
	b.err = err
	return text
}

// row is how a list takes what was opened of one patient: that their key is missing closes this row, and no other. Whatever else
// does not open (it was altered, or moved) fails the deed.
func (b *chest) row(name *Text) (closed bool, err error) {
	if Code(b.err) != lostKey {
		return false, b.err
	}
	*name = closedName
	return true, nil
}

func (b *chest) seal(plain, table, column string, row uuid.UUID) seal.Sealed {
	if b.err != nil {
		return nil
	}
	s, err := b.key.Seal(plain, seal.Place{Table: table, Column: column, Row: row})
	b.err = err
	return s
}

// openJSON and sealJSON are for the few columns that hold a small structure.
func (b *chest) openJSON(s seal.Sealed, table, column string, row uuid.UUID, into any) {
	text := b.open(s, table, column, row)
	if b.err == nil {
		b.err = json.Unmarshal([]byte(text.Reveal()), into)
	}
}

func (b *chest) sealJSON(v any, table, column string, row uuid.UUID) seal.Sealed {
	plain, err := json.Marshal(v)
	if err != nil && b.err == nil {
		b.err = err
	}
	return b.seal(string(plain), table, column, row)
}
