// Package blob is the place outside the database: a bucket, or on one machine a folder. It knows whole files by their
// names, and how to write one only over what the writer has seen. It knows nothing of what is in them; nothing about a
// patient belongs there unsealed.
package blob

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	gocloud "gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/s3blob" // s3://
	"gocloud.dev/gcerrors"
)

// ErrMissing: there is no such file. ErrMoved: the file is not what the writer has seen.
var (
	ErrMissing = errors.New("there is no such file in BLOB_URL")
	ErrMoved   = errors.New("the file in BLOB_URL has been written by somebody else")
)

// most is how large a file Read takes.
const most = 1 << 20

// Version is a file's content as its reader saw it. Empty: there was no file.
type Version string

// Bucket is an open place. It is safe for concurrent use.
type Bucket struct {
	bucket *gocloud.Bucket
	folder bool
}

// Open opens file:///folder, which is made if it is missing, or s3://bucket?region=…. It asks nobody outside; credentials
// are those of the platform. Its errors name no address: one may hold a key.
func Open(ctx context.Context, address string) (*Bucket, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, errors.New("BLOB_URL cannot be read as an address")
	}
	if u.Scheme == fileblob.Scheme {
		return openFolder(u.Path)
	}
	bucket, err := gocloud.OpenBucket(ctx, address)
	if err != nil {
		return nil, errors.New("BLOB_URL cannot be opened: see docs/DEPLOYMENT.md for what it may be")
	}
	return &Bucket{bucket: bucket}, nil
}

// openFolder keeps a half written file beside the whole one until it is renamed.
func openFolder(folder string) (*Bucket, error) {
	folder = filepath.FromSlash(folder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of BLOB_URL cannot be made: %w", err)
	}
	bucket, err := fileblob.OpenBucket(folder, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		return nil, fmt.Errorf("the folder of BLOB_URL cannot be opened: %w", err)
	}
	return &Bucket{bucket: bucket, folder: true}, nil
}

// Close lets go of it.
func (b *Bucket) Close() error { return b.bucket.Close() }

// Read reads a whole file of at most a mebibyte.
func (b *Bucket) Read(ctx context.Context, name string) ([]byte, Version, error) {
	r, err := b.reader(ctx, name)
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, "", err
	}
	if len(content) > most {
		return nil, "", errors.New("the file in BLOB_URL is over a mebibyte")
	}
	var answer s3.GetObjectOutput
	if r.As(&answer) && answer.ETag != nil {
		return content, Version(*answer.ETag), nil
	}
	return content, hashOf(content), nil
}

// Write writes a whole file over the version that the writer has read, or as a new one, else it is ErrMoved. A bucket
// decides that itself. A folder cannot: there the look and the write are two steps, which is enough for one machine.
func (b *Bucket) Write(ctx context.Context, name string, content []byte, over Version) error {
	options := &gocloud.WriterOptions{ContentType: "application/json", IfNotExist: over == ""}
	switch {
	case over == "":
	case b.folder:
		if _, now, err := b.Read(ctx, name); err != nil || now != over {
			return errors.Join(ErrMoved, err)
		}
	default:
		options.BeforeWrite = func(as func(any) bool) error {
			var upload *transfermanager.UploadObjectInput
			if !as(&upload) {
				return errors.New("this kind of bucket cannot write on a condition")
			}
			upload.IfMatch = (*string)(&over)
			return nil
		}
	}
	err := b.bucket.Upload(ctx, name, bytes.NewReader(content), options)
	if code := gcerrors.Code(err); code == gcerrors.FailedPrecondition || code == gcerrors.NotFound {
		return ErrMoved
	}
	return err
}

// List gives the names of the files that begin with prefix, in their order.
func (b *Bucket) List(ctx context.Context, prefix string) (names []string, err error) {
	files, err := b.Files(ctx, prefix)
	for _, f := range files {
		names = append(names, f.Name)
	}
	return names, err
}

func hashOf(content []byte) Version {
	sum := sha256.Sum256(content)
	return Version(hex.EncodeToString(sum[:]))
}
