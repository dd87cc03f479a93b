package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// restoredHeader is the first line of what is said of a restore.
const restoredHeader = "countersign audit ledger restored v1"

// Restored says that the database was restored to a moment of before, when the ledger had grown to Kept; that what came after,
// up to Left, is lost; and that the ledger went on from Kept. It excuses no other checkpoint than those between the two.
type Restored struct {
	Kept, Left Checkpoint // without their notes
	At         time.Time  // when it was said
	Note       string     // as it was signed
}

// SignRestored says it. Whoever has the key can say so of any leaves: it is told with each verification, and never silent.
func (k *Key) SignRestored(kept, left Checkpoint, at time.Time) (string, error) {
	if kept.Size >= left.Size {
		return "", errors.New("nothing was lost: the last checkpoint is over no more leaves than there are")
	}
	line := func(c Checkpoint) string {
		return fmt.Sprintf("%d %s %s", c.Size, c.Root, c.At.UTC().Format(time.RFC3339))
	}
	text := fmt.Sprintf("%s\n%s\n%s\n%s\n", restoredHeader, line(kept), line(left), at.UTC().Format(time.RFC3339))
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	return string(signed), err
}

// IsRestored says whether a note is of that kind, whoever has signed it.
func IsRestored(signed string) bool { return strings.HasPrefix(signed, restoredHeader+"\n") }

// ReadRestored verifies what was said of a restore, and reads it.
func (v Verifiers) ReadRestored(signed string) (Restored, error) {
	text, err := v.open(signed)
	if err != nil {
		return Restored{}, err
	}
	r := Restored{Note: signed}
	lines := strings.Split(text, "\n")
	bad := errors.New("it is signed, and says nothing of a restore")
	if len(lines) != 5 || lines[0] != restoredHeader || lines[4] != "" {
		return r, bad
	}
	for i, c := range []*Checkpoint{&r.Kept, &r.Left} {
		size, rest, _ := strings.Cut(lines[1+i], " ")
		root, at, _ := strings.Cut(rest, " ")
		if *c, err = checkpointOf(size, root, at); err != nil {
			return r, bad
		}
	}
	if r.At, err = time.Parse(time.RFC3339, lines[3]); err != nil || r.Kept.Size >= r.Left.Size {
		return r, bad
	}
	return r, nil
}

// Excuses says whether a checkpoint is of the branch that was lost.
func (r Restored) Excuses(c Checkpoint) bool {
	return c.Size > r.Kept.Size && c.Size <= r.Left.Size && !c.At.After(r.Left.At) && c.At.After(r.Kept.At.Add(-time.Second))
}
