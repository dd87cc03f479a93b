package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"

	"filippo.io/age"
)

// NewKey makes a key that opens backups, and the recipient that belongs to it, which is no secret.
func NewKey() (key, recipient string, err error) {
	one, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", err
	}
	return one.String(), one.Recipient().String(), nil
}

// recipients reads BACKUP_RECIPIENTS.
func recipients(list []string) (all []age.Recipient, err error) {
	if len(list) == 0 {
		return nil, nil
	}
	if all, err = age.ParseRecipients(strings.NewReader(strings.Join(list, "\n"))); err != nil {
		return nil, errors.New("BACKUP_RECIPIENTS must be recipients, as «countersign backup key» prints them: age1…, with commas")
	}
	return all, nil
}

// Identities reads the keys of a file as NewKey makes them. Without a file there are none.
func Identities(file string) ([]age.Identity, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, errors.New("the file with the backup key cannot be opened")
	}
	defer f.Close()
	all, err := age.ParseIdentities(f)
	if err != nil {
		return nil, errors.New("the file with the backup key does not hold one, as «countersign backup key» prints it")
	}
	return all, nil
}

func archiveName(m *Manifest) string {
	if len(m.Archive.Recipients) > 0 {
		return m.Name + ".dump.age"
	}
	return m.Name + ".dump"
}

// measured counts and hashes what passes.
type measured struct {
	hash hash.Hash
	n    int64
}

func (m *measured) Write(p []byte) (int, error) { m.n += int64(len(p)); return m.hash.Write(p) }

func (m *measured) sum() string { return hex.EncodeToString(m.hash.Sum(nil)) }

// Keep runs write, which writes the archive, and keeps that in the store as the manifest has it: encrypted to its
// recipients. It notes size and sum in the manifest. What breaks off leaves nothing that is listed.
func (s *Store) Keep(ctx context.Context, m *Manifest, write func(ctx context.Context, to io.Writer) error) error {
	to, err := recipients(m.Archive.Recipients)
	if err != nil {
		return err
	}
	m.Format, m.Archive.Name = format, archiveName(m)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, into := io.Pipe()
	passed := &measured{hash: sha256.New()}
	done := make(chan error, 1)
	go func() {
		err := sealing(io.MultiWriter(into, passed), to, func(w io.Writer) error { return write(ctx, w) })
		if err != nil {
			cancel() // before the pipe ends, so that the half archive is never finished
		}
		_ = into.CloseWithError(err)
		done <- err
	}()
	kept := s.bucket.Upload(ctx, folder+m.Archive.Name, from)
	_ = from.CloseWithError(errors.New("the archive cannot be kept"))
	if err := <-done; err != nil {
		return err
	}
	if kept != nil {
		return fmt.Errorf("the archive cannot be kept: %w", kept)
	}
	m.Archive.Bytes, m.Archive.SHA256 = passed.n, passed.sum()
	return nil
}

func sealing(into io.Writer, to []age.Recipient, write func(io.Writer) error) error {
	if len(to) == 0 {
		return write(into)
	}
	sealed, err := age.Encrypt(into, to...)
	if err != nil {
		return err
	}
	if err := write(sealed); err != nil {
		return err
	}
	return sealed.Close()
}

// Read hands the opened archive to read, reads the rest of it if read did not, and then holds it to the manifest's size
// and sum. whole says whether that is wanted: a look at the head does not need it.
func (s *Store) ReadArchive(ctx context.Context, m *Manifest, keys []age.Identity, whole bool, read func(context.Context, io.Reader) error) error {
	file, err := s.bucket.Open(ctx, folder+m.Archive.Name)
	if err != nil {
		return fmt.Errorf("the archive %s cannot be read: %w", m.Archive.Name, err)
	}
	defer file.Close()
	passed := &measured{hash: sha256.New()}
	raw := io.TeeReader(file, passed)
	opened, err := opening(raw, m, keys)
	if err != nil {
		return err
	}
	failed := read(ctx, opened)
	if !whole || ctx.Err() != nil {
		return errors.Join(failed, ctx.Err())
	}
	_, broken := io.Copy(io.Discard, opened)
	if _, err := io.Copy(io.Discard, raw); err != nil {
		return fmt.Errorf("the archive cannot be read to its end: %w", err)
	}
	switch {
	case passed.n != m.Archive.Bytes:
		return fmt.Errorf("%w: the archive has %d bytes and had %d", ErrAltered, passed.n, m.Archive.Bytes)
	case passed.sum() != m.Archive.SHA256:
		return fmt.Errorf("%w: the archive's SHA-256 is another", ErrAltered)
	case failed != nil:
		return failed
	case broken != nil:
		return fmt.Errorf("%w: the archive does not decrypt to its end", ErrAltered)
	}
	return nil
}

// ErrNoKey: the archive is encrypted, and none of the keys at hand opens it.
var ErrNoKey = errors.New("the archive is encrypted, and --identity names no key that opens it")

func opening(raw io.Reader, m *Manifest, keys []age.Identity) (io.Reader, error) {
	if len(m.Archive.Recipients) == 0 {
		return raw, nil
	}
	if len(keys) == 0 {
		return nil, ErrNoKey
	}
	opened, err := age.Decrypt(raw, keys...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, ErrNoKey
	case err != nil:
		return nil, fmt.Errorf("%w: the archive does not begin as it must", ErrAltered)
	}
	return opened, nil
}

// Sum holds the archive to the manifest's size and sum as it lies there: for who has no key.
func (s *Store) Sum(ctx context.Context, m *Manifest) error {
	bare := *m
	bare.Archive.Recipients = nil
	return s.ReadArchive(ctx, &bare, nil, true, func(context.Context, io.Reader) error { return nil })
}
