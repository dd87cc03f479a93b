package ledger

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Proof shows that some bytes are a leaf under a signed checkpoint. It is a file by itself: with the verifier key it is all
// that has to be there.
type Proof struct {
	Format     int    `json:"v"`
	Leaf       int64  `json:"leaf"`
	Bytes      []byte `json:"bytes"`
	Path       []Hash `json:"path"` // the hashes beside the way up
	Checkpoint string `json:"checkpoint"`
}

// Prove makes the proof of a leaf, and checks it before giving it away.
func Prove(leaf int64, bytes []byte, under Checkpoint, fetch Fetch) (Proof, error) {
	path, err := tlog.ProveRecord(under.Size, leaf, reader(fetch))
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Format: 1, Leaf: leaf, Bytes: bytes, Path: path, Checkpoint: under.Note}
	return p, p.check(under)
}

// ReadProof reads a proof file.
func ReadProof(file []byte) (Proof, error) {
	var p Proof
	if err := json.Unmarshal(file, &p); err != nil || p.Format != 1 {
		return p, errors.New("this is no proof, as «countersign audit prove» prints it")
	}
	return p, nil
}

// Check says under which checkpoint the proof's bytes are a leaf, or that they are not.
func (p Proof) Check(v Verifiers) (Checkpoint, error) {
	under, err := v.Read(p.Checkpoint)
	if err != nil {
		return under, fmt.Errorf("the proof's checkpoint: %w", err)
	}
	return under, p.check(under)
}

func (p Proof) check(under Checkpoint) error {
	if p.Leaf < 0 || p.Leaf >= under.Size {
		return fmt.Errorf("leaf %d is not under a checkpoint of %d", p.Leaf, under.Size)
	}
	if tlog.CheckRecord(p.Path, under.Size, under.Root, p.Leaf, LeafHash(p.Bytes)) != nil {
		return fmt.Errorf("these bytes are not leaf %d under this checkpoint", p.Leaf)
	}
	return nil
}
