package blob

import (
	"context"
	"io"
	"time"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// File is a file's name, size and age.
type File struct {
	Name  string
	Bytes int64
	At    time.Time
}

// Upload writes a new file of any size as it comes. If reading or ctx ends early, there is no such file.
func (b *Bucket) Upload(ctx context.Context, name string, from io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := b.bucket.NewWriter(ctx, name, &gocloud.WriterOptions{ContentType: "application/octet-stream", IfNotExist: true})
	if err != nil {
		return err
	}
	_, err = io.Copy(w, from)
	if err != nil {
		cancel() // or closing would finish the half file
	}
	if closed := w.Close(); err == nil {
		err = closed
	}
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return ErrMoved
	}
	return err
}

// Download reads a file of any size as it comes.
func (b *Bucket) Download(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.bucket.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrMissing
	}
	return r, err
}

// Delete takes a file away; one that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, name string) error {
	err := b.bucket.Delete(ctx, name)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return err
}

// Files lists what begins with prefix, in the names' order.
func (b *Bucket) Files(ctx context.Context, prefix string) (files []File, err error) {
	all := b.bucket.List(&gocloud.ListOptions{Prefix: prefix})
	for {
		one, err := all.Next(ctx)
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if !one.IsDir {
			files = append(files, File{Name: one.Key, Bytes: one.Size, At: one.ModTime})
		}
	}
}
