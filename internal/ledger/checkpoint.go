package ledger

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// header is the first line of a checkpoint's text.
const header = "countersign audit ledger v1"

// localName begins the names of keys made for trying out.
const localName = "local-"

// Checkpoint says of a moment how many leaves there were, and their root.
type Checkpoint struct {
	Size int64
	Root Hash
	At   time.Time
	Note string // as it was signed
}

// Key signs checkpoints.
type Key struct {
	signer   note.Signer
	verifier string
}

var errKey = errors.New("this is no signing key: make one with «countersign audit key»")

// NewKey makes a signing key as text. local: for trying out.
func NewKey(local bool) (string, error) {
	name := "countersign-" + strings.ToLower(rand.Text()[:8])
	if local {
		name = localName + name
	}
	private, _, err := note.GenerateKey(rand.Reader, name)
	return private, err
}

// ReadKey reads what NewKey made. Its errors never quote it.
func ReadKey(text string) (*Key, error) {
	signer, err := note.NewSigner(text)
	if err != nil {
		return nil, errKey
	}
	raw, err := base64.StdEncoding.DecodeString(keyBytes(text))
	if err != nil || len(raw) != 1+ed25519.SeedSize {
		return nil, errKey
	}
	public := ed25519.NewKeyFromSeed(raw[1:]).Public().(ed25519.PublicKey)
	verifier, err := note.NewEd25519VerifierKey(signer.Name(), public)
	if err != nil {
		return nil, errKey
	}
	return &Key{signer, verifier}, nil
}

// keyBytes is the last of PRIVATE+KEY+name+hash+bytes; the bytes, as base64, may hold a plus themselves.
func keyBytes(text string) string {
	parts := strings.SplitN(text, "+", 5)
	return parts[len(parts)-1]
}

// Verifier is what anybody may know, and what checkpoints are verified by.
func (k *Key) Verifier() string { return k.verifier }

// Local says whether it was made for trying out.
func (k *Key) Local() bool { return strings.HasPrefix(k.signer.Name(), localName) }

// Sign writes and signs a checkpoint of the tree.
func (k *Key) Sign(t *Tree, at time.Time) (Checkpoint, error) {
	c := Checkpoint{Size: t.Size(), Root: t.Root(), At: at.UTC().Truncate(time.Second)}
	text := fmt.Sprintf("%s\n%d\n%s\n%s\n", header, c.Size, c.Root, c.At.Format(time.RFC3339))
	signed, err := note.Sign(&note.Note{Text: text}, k.signer)
	c.Note = string(signed)
	return c, err
}

// Verifiers are the keys that a checkpoint may be signed by: that of now, and those of before.
type Verifiers struct{ list note.Verifiers }

// ReadVerifiers reads verifier keys, as Verifier tells them.
func ReadVerifiers(texts ...string) (Verifiers, error) {
	var all []note.Verifier
	for _, text := range texts {
		v, err := note.NewVerifier(text)
		if err != nil {
			return Verifiers{}, errors.New("this is no verifier key, as «countersign audit key» and «countersign config check» print it")
		}
		all = append(all, v)
	}
	if len(all) == 0 {
		return Verifiers{}, errors.New("no verifier key is given")
	}
	return Verifiers{note.VerifierList(all...)}, nil
}

// ErrUnsigned says that a checkpoint is not signed by any of the keys.
var ErrUnsigned = errors.New("it is not signed by the ledger's key")

// ErrOtherKey says that it is signed by other keys, or by none. It is an ErrUnsigned.
var ErrOtherKey = fmt.Errorf("%w, but by another or by none", ErrUnsigned)

// open gives the text of a note that one of the keys has signed.
func (v Verifiers) open(signed string) (string, error) {
	if v.list == nil {
		return "", ErrUnsigned
	}
	n, err := note.Open([]byte(signed), v.list)
	var other *note.UnverifiedNoteError
	switch {
	case errors.As(err, &other):
		return "", ErrOtherKey
	case err != nil:
		return "", ErrUnsigned
	}
	return n.Text, nil
}

var errNoCheckpoint = errors.New("it is signed, and is no checkpoint")

// Read verifies a checkpoint and reads it.
func (v Verifiers) Read(signed string) (Checkpoint, error) {
	text, err := v.open(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	lines := strings.Split(text, "\n")
	if len(lines) != 5 || lines[0] != header || lines[4] != "" {
		return Checkpoint{}, errNoCheckpoint
	}
	c, err := checkpointOf(lines[1], lines[2], lines[3])
	c.Note = signed
	return c, err
}

func checkpointOf(size, root, at string) (c Checkpoint, err error) {
	if c.Size, err = strconv.ParseInt(size, 10, 64); err == nil {
		c.Root, err = tlog.ParseHash(root)
	}
	if err == nil {
		c.At, err = time.Parse(time.RFC3339, at)
	}
	if err != nil || c.Size < 0 || fmt.Sprint(c.Size) != size {
		return c, errNoCheckpoint
	}
	return c, nil
}
