package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// kept is a tree of n leaves as a table would hold it.
func kept(t *testing.T, n int64) ([][]byte, Fetch) {
	t.Helper()
	var rows [][]byte
	tree := &Tree{}
	for i := range n {
		leaf := tree.Append(LeafHash(leafBytes(i)))
		if leaf.Index != i {
			t.Fatalf("leaf %d was given %d", i, leaf.Index)
		}
		rows = append(rows, leaf.Hashes)
	}
	return rows, func(indexes []int64) (out [][]byte, _ error) {
		for _, i := range indexes {
			out = append(out, rows[i])
		}
		return out, nil
	}
}

func leafBytes(i int64) []byte { return fmt.Appendf(nil, `{"event":%d}`, i) }

func key(t *testing.T) (*Key, Verifiers) {
	t.Helper()
	text, err := NewKey(false)
	must(t, err)
	k, err := ReadKey(text)
	must(t, err)
	v, err := ReadVerifiers(k.Verifier())
	must(t, err)
	return k, v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Every size of tree has the root and the stored hashes that tlog itself gives, and can be gone on with from its edge.
func TestTreeIsTlogs(t *testing.T) {
	t.Parallel()
	var stored []Hash
	theirs := tlog.HashReaderFunc(func(indexes []int64) (out []Hash, _ error) {
		for _, i := range indexes {
			out = append(out, stored[i])
		}
		return out, nil
	})
	ours := &Tree{}
	for i := range int64(300) {
		hashes, err := tlog.StoredHashes(i, leafBytes(i), theirs)
		must(t, err)
		stored = append(stored, hashes...)
		leaf := ours.Append(LeafHash(leafBytes(i)))
		if len(leaf.Hashes) != len(hashes)*HashSize {
			t.Fatalf("leaf %d completes %d hashes, tlog says %d", i, len(leaf.Hashes)/HashSize, len(hashes))
		}
		want, err := tlog.TreeHash(i+1, theirs)
		must(t, err)
		_, fetch := kept(t, i+1)
		again, err := Open(i+1, fetch)
		must(t, err)
		byFetch, err := Root(i+1, fetch)
		must(t, err)
		if ours.Root() != want || again.Root() != want || byFetch != want {
			t.Fatalf("size %d: roots %v, reopened %v, fetched %v, tlog's %v", i+1, ours.Root(), again.Root(), byFetch, want)
		}
	}
	if want, _ := tlog.TreeHash(0, theirs); (&Tree{}).Root() != want {
		t.Error("the empty tree has another root")
	}
}

// Each leaf of trees of many sizes is proved, offline, and any change to the proof is seen.
func TestProof(t *testing.T) {
	t.Parallel()
	k, v := key(t)
	_, stranger := key(t)
	for _, size := range []int64{1, 2, 3, 7, 8, 33} {
		_, fetch := kept(t, size)
		tree, err := Open(size, fetch)
		must(t, err)
		under, err := k.Sign(tree, time.Now())
		must(t, err)
		for i := range size {
			p, err := Prove(i, leafBytes(i), under, fetch)
			must(t, err)
			file, err := json.Marshal(p)
			must(t, err)
			read, err := ReadProof(file)
			must(t, err)
			if at, err := read.Check(v); err != nil || at.Size != size {
				t.Fatalf("leaf %d of %d: %v", i, size, err)
			}
			forged := map[string]Proof{"other bytes": read, "another leaf": read, "another path": read, "another checkpoint": read}
			for what, p := range forged {
				switch what {
				case "other bytes":
					p.Bytes = append([]byte("x"), p.Bytes...)
				case "another leaf":
					p.Leaf = (p.Leaf + 1) % (size + 1)
				case "another path":
					p.Path = append([]Hash{{}}, p.Path...)
				case "another checkpoint":
					p.Checkpoint = strings.Replace(p.Checkpoint, fmt.Sprintf("\n%d\n", size), fmt.Sprintf("\n%d\n", size+1), 1)
				}
				if _, err := p.Check(v); err == nil {
					t.Errorf("leaf %d of %d is proved with %s", i, size, what)
				}
			}
			if _, err := read.Check(stranger); !errors.Is(err, ErrUnsigned) {
				t.Errorf("somebody else's key: %v", err)
			}
		}
		if _, err := Prove(0, []byte("never added"), under, fetch); err == nil {
			t.Error("bytes that were never added are proved")
		}
	}
	if _, err := ReadProof([]byte("{}")); err == nil {
		t.Error("an empty file is a proof")
	}
}

// A tree that has grown is consistent with what it was; one in which something old was changed is not.
func TestConsistent(t *testing.T) {
	t.Parallel()
	k, _ := key(t)
	sign := func(size int64, fetch Fetch) Checkpoint {
		tree, err := Open(size, fetch)
		must(t, err)
		c, err := k.Sign(tree, time.Now())
		must(t, err)
		return c
	}
	_, fetch := kept(t, 40)
	for _, old := range []int64{1, 8, 13, 40} {
		must(t, Consistent(sign(old, fetch), sign(40, fetch), fetch))
	}
	other := &Tree{}
	var rows [][]byte
	for i := range int64(40) {
		bytes := leafBytes(i)
		if i == 5 {
			bytes = []byte("changed")
		}
		rows = append(rows, other.Append(LeafHash(bytes)).Hashes)
	}
	theirs := func(indexes []int64) (out [][]byte, _ error) {
		for _, i := range indexes {
			out = append(out, rows[i])
		}
		return out, nil
	}
	if err := Consistent(sign(13, fetch), sign(40, theirs), theirs); err == nil {
		t.Error("a rewritten past is consistent")
	}
	if err := Consistent(sign(40, fetch), sign(13, fetch), fetch); err == nil {
		t.Error("a cut tail is consistent")
	}
}

// Keys come back as they were, say whether they are for trying out, and are never quoted.
func TestKeys(t *testing.T) {
	t.Parallel()
	for range 50 { // base64 has plus signs in it now and then
		for _, local := range []bool{true, false} {
			text, err := NewKey(local)
			must(t, err)
			k, err := ReadKey(text)
			must(t, err)
			if k.Local() != local {
				t.Errorf("local %v, says %v", local, k.Local())
			}
			v, err := ReadVerifiers(k.Verifier())
			must(t, err)
			c, err := k.Sign(&Tree{}, time.Now())
			must(t, err)
			back, err := v.Read(c.Note)
			if err != nil || back != c {
				t.Errorf("signed %+v, read %+v, %v", c, back, err)
			}
		}
	}
	text, err := NewKey(false)
	must(t, err)
	for _, bad := range []string{"", "PRIVATE+KEY+x", text[:len(text)-4], strings.Replace(text, "countersign", "somebody", 1)} {
		if _, err := ReadKey(bad); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("a bad key: %v", err)
		}
		if _, err := ReadVerifiers(bad); err == nil {
			t.Error("a bad verifier was taken")
		}
	}
	if _, err := ReadVerifiers(); err == nil {
		t.Error("no verifier is enough")
	}
	if _, err := (Verifiers{}).Read("anything"); !errors.Is(err, ErrUnsigned) {
		t.Errorf("without keys: %v", err)
	}
}

// Hashes that are not kept as they were written are no answer.
func TestKeptHashes(t *testing.T) {
	t.Parallel()
	rows, fetch := kept(t, 8)
	rows[7] = rows[7][:HashSize]
	if _, err := Open(8, fetch); err == nil {
		t.Error("an edge was read out of too few bytes")
	}
	if _, err := Root(8, fetch); err == nil {
		t.Error("a root was read out of too few bytes")
	}
	none := func([]int64) ([][]byte, error) { return nil, nil }
	if _, err := Open(8, none); err == nil {
		t.Error("an edge was read out of nothing")
	}
}
