package clinic

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/seal"
)

// keysPage is how many patients' keys one transaction of KeysRotate turns.
const keysPage = 500

const lostKey = "key_lost"

// closedName stands in a list where the name of a patient would, whose key this process was started without.
const closedName Text = "A record that cannot be opened at the moment"

// keyLost says of a patient's key that does not open why: the keyset lacks the key that wrapped it, which somebody can
// mend, or what is stored was altered. Nothing is lost by the first.
func (c *Clinic) keyLost(wrapped []byte, cause error) error {
	if id := seal.WrappedBy(wrapped); !errors.Is(cause, seal.ErrOpen) || id == 0 || c.keys.Holds(id) {
		return cause
	}
	return &Error{Kind: Unavailable, Code: lostKey, cause: cause,
		Sentence: "What is kept about this patient cannot be opened at the moment: Countersign was started without one of its keys. Nothing is lost. Please tell whoever runs it; «countersign keys status» says which key is missing."}
}

// keysFit refuses a keyset that has nothing to do with this database: a process that opens no patient is not ready. Asked
// once it fits, it is not asked again.
func (c *Clinic) keysFit(ctx context.Context) error {
	if c.fits.Load() {
		return nil
	}
	sample, err := db.New(c.pool).PatientKeysSample(ctx)
	if err != nil {
		return err
	}
	fits := len(sample) == 0
	for _, wrapped := range sample {
		fits = fits || c.keys.Holds(seal.WrappedBy(wrapped))
	}
	if !fits {
		return refuse(Unavailable, "keyset", "KEYSET is not the one that the patients of this database were sealed with.")
	}
	c.fits.Store(true)
	return nil
}

// KeyCount is how many patients' keys one wrapping key wrapped.
type KeyCount struct {
	ID       uint32
	Patients int64
}

// KeysShow counts the patients' keys by the wrapping key that wrapped them, the most first.
func (c *Clinic) KeysShow(ctx context.Context, a Actor) (counts []KeyCount, err error) {
	err = c.do(ctx, a, KeysShow, Subject{Kind: "keyset"}, func(t *tx) error {
		counts, err = keyCounts(ctx, t.Queries)
		return err
	})
	return counts, err
}

func keyCounts(ctx context.Context, q *db.Queries) (counts []KeyCount, err error) {
	rows, err := q.PatientKeysCount(ctx)
	for _, r := range rows {
		counts = append(counts, KeyCount{ID: seal.WrappedBy(r.Head), Patients: r.N})
	}
	return counts, err
}

// KeysTurned is what one step of KeysRotate did.
type KeysTurned struct {
	Patients int // looked at
	Wrapped  int // wrapped anew
	Lost     int // that do not open with this keyset; they stay as they are
	next     [2]uuid.UUID
	More     bool
}

// KeysRotate wraps the next keysPage patients' keys anew with the key that wraps now, in one transaction; after is what
// the step before returned. With renew each patient also gets a new key of their own, under which everything is sealed
// that is written from then on: old rows go on opening. To begin again harms nothing.
func (c *Clinic) KeysRotate(ctx context.Context, a Actor, after KeysTurned, renew bool) (turned KeysTurned, err error) {
	err = c.do(ctx, a, KeysRotate, Subject{Kind: "keyset"}, func(t *tx) error {
		rows, err := t.PatientKeysPage(ctx, db.PatientKeysPageParams{AfterPatient: after.next[0], AfterClinic: after.next[1], RowLimit: keysPage})
		if err != nil {
			return err
		}
		turned = KeysTurned{Patients: len(rows), More: len(rows) == keysPage}
		p := db.PatientKeysRewrapParams{}
		for _, r := range rows {
			turned.next = [2]uuid.UUID{r.PatientID, r.ClinicID}
			wrapped, err := c.turned(r, renew)
			switch {
			case errors.Is(err, seal.ErrOpen):
				turned.Lost++
			case err != nil:
				return err
			case wrapped != nil:
				p.PatientIds, p.ClinicIds, p.Wrapped = append(p.PatientIds, r.PatientID), append(p.ClinicIds, r.ClinicID), append(p.Wrapped, wrapped)
			}
		}
		n, err := t.PatientKeysRewrap(ctx, p)
		turned.Wrapped = int(n)
		t.silent = len(rows) == 0
		t.detail["wrapped"], t.detail["lost"], t.detail["renewed"], t.detail["key"] = turned.Wrapped, turned.Lost, renew, fmt.Sprintf("%08x", c.keys.Primary())
		return err
	})
	return turned, err
}

// turned is a patient's key as it is to be stored, or nil when it is as it should be.
func (c *Clinic) turned(r db.PatientKeysPageRow, renew bool) ([]byte, error) {
	if !renew && seal.WrappedBy(r.Wrapped) == c.keys.Primary() {
		return nil, nil
	}
	key, err := c.keys.Unwrap(r.PatientID, r.Wrapped)
	if err == nil && renew {
		key, err = key.Renew()
	}
	if err != nil {
		return nil, err
	}
	return c.keys.Wrap(r.PatientID, key)
}
