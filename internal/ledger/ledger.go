// Package ledger is a log that nobody can rewrite unseen: leaves of bytes, a Merkle tree over them (RFC 6962), and signed
// checkpoints of its root. It knows bytes, and nothing of what they say, where they are kept or who asks. The tree is
// golang.org/x/mod/sumdb/tlog's, the signatures are sumdb/note's: this room adds where hashes lie and in which words a
// checkpoint is written.
package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Hash is a leaf's or a node's.
type Hash = tlog.Hash

// HashSize is how many bytes it has.
const HashSize = tlog.HashSize

// LeafHash is the hash of a leaf's bytes.
func LeafHash(bytes []byte) Hash { return tlog.RecordHash(bytes) }

// Leaf is one leaf with all that its being added completes: its own hash, and those of the subtrees that it ends, from the
// leaves up. A tree is kept as these, one row a leaf: nothing in it is ever written over.
type Leaf struct {
	Index  int64
	Hashes []byte // HashSize each
}

// Fetch gives the Hashes of leaves by their indexes, in that order.
type Fetch func(indexes []int64) ([][]byte, error)

// errKept: the kept hashes do not have the form that they were written in.
var errKept = errors.New("a leaf's hashes are not as they were written")

// reader finds a node's hash with the leaf that completes it.
func reader(fetch Fetch) tlog.HashReaderFunc {
	return func(stored []int64) ([]Hash, error) {
		leaves := make([]int64, len(stored))
		for i, index := range stored {
			level, n := tlog.SplitStoredHashIndex(index)
			leaves[i] = (n+1)<<level - 1
		}
		if len(leaves) == 0 {
			return nil, nil
		}
		kept, err := fetch(leaves)
		if err != nil {
			return nil, err
		}
		if len(kept) != len(leaves) {
			return nil, errKept
		}
		out := make([]Hash, len(stored))
		for i, index := range stored {
			level, _ := tlog.SplitStoredHashIndex(index)
			if len(kept[i]) < (level+1)*HashSize {
				return nil, errKept
			}
			copy(out[i][:], kept[i][level*HashSize:])
		}
		return out, nil
	}
}

// Root is the root over the first size leaves.
func Root(size int64, fetch Fetch) (Hash, error) { return tlog.TreeHash(size, reader(fetch)) }

// Tree is the right edge of a tree: all that is needed to add to it. The zero Tree is empty.
type Tree struct {
	size int64
	edge []Hash // of the complete subtrees, the largest first
}

// Open reads the right edge of a tree of size leaves, in one Fetch.
func Open(size int64, fetch Fetch) (*Tree, error) {
	t := &Tree{size: size}
	var leaves []int64
	var levels []int
	for level, done := 62, int64(0); level >= 0; level-- {
		if size&(1<<level) != 0 {
			done += 1 << level
			leaves, levels = append(leaves, done-1), append(levels, level)
		}
	}
	if len(leaves) == 0 {
		return t, nil
	}
	kept, err := fetch(leaves)
	if err != nil {
		return nil, err
	}
	if len(kept) != len(leaves) {
		return nil, errKept
	}
	for i, level := range levels {
		if len(kept[i]) < (level+1)*HashSize {
			return nil, errKept
		}
		t.edge = append(t.edge, Hash(kept[i][level*HashSize:(level+1)*HashSize]))
	}
	return t, nil
}

// Size is how many leaves the tree has.
func (t *Tree) Size() int64 { return t.size }

// Append adds a leaf by its hash.
func (t *Tree) Append(h Hash) Leaf { return t.AppendOver(h, make([]byte, 0, 2*HashSize)) }

// AppendOver is Append, with the leaf's hashes written over those of one that is needed no more.
func (t *Tree) AppendOver(h Hash, hashes []byte) Leaf {
	leaf := Leaf{Index: t.size, Hashes: append(hashes[:0], h[:]...)}
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.edge) - 1
		h = tlog.NodeHash(t.edge[last], h)
		t.edge = t.edge[:last]
		leaf.Hashes = append(leaf.Hashes, h[:]...)
	}
	t.edge = append(t.edge, h)
	t.size++
	return leaf
}

// Root is the root over all leaves so far.
func (t *Tree) Root() Hash {
	if t.size == 0 {
		root, _ := tlog.TreeHash(0, nil)
		return root
	}
	root := t.edge[len(t.edge)-1]
	for i := len(t.edge) - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.edge[i], root)
	}
	return root
}

// Consistent proves that the larger of two roots grew out of the smaller by adding alone, or says that it did not.
func Consistent(old, now Checkpoint, fetch Fetch) error {
	if old.Size == 0 {
		return nil
	}
	if old.Size > now.Size {
		return fmt.Errorf("a tree of %d leaves cannot have grown out of one of %d", now.Size, old.Size)
	}
	proof, err := tlog.ProveTree(now.Size, old.Size, reader(fetch))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, now.Size, now.Root, old.Size, old.Root)
}

// PrefixedLeafHash is LeafHash of what comes after the prefix that RFC 6962 gives a leaf, a zero byte: for who has many to hash
// and would not copy each.
func PrefixedLeafHash(prefixed []byte) Hash { return sha256.Sum256(prefixed) }
