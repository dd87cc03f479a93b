package blob

import (
	"context"
	"errors"
	"io"
	"time"

	gocloud "gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Writing is a file under way. Nobody sees it before Close, and after Abort nobody does.
type Writing struct {
	*gocloud.Writer
	abort context.CancelFunc
}

// Create begins a new file of any size. Where there is one already, Close is ErrMoved.
func (b *Bucket) Create(ctx context.Context, name string) (io.WriteCloser, error) {
	return b.begin(ctx, name)
}

func (b *Bucket) begin(ctx context.Context, name string) (*Writing, error) {
	ctx, abort := context.WithCancel(ctx)
	w, err := b.bucket.NewWriter(ctx, name, &gocloud.WriterOptions{ContentType: "application/octet-stream", IfNotExist: true})
	if err != nil {
		abort()
		return nil, err
	}
	return &Writing{w, abort}, nil
}

// Close makes the file.
func (w *Writing) Close() error {
	defer w.abort()
	err := w.Writer.Close()
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return ErrMoved
	}
	return err
}

// Abort makes none.
func (w *Writing) Abort() {
	w.abort()
	_ = w.Writer.Close()
}

// Exists says whether there is a file of that name.
func (b *Bucket) Exists(ctx context.Context, name string) (bool, error) {
	return b.bucket.Exists(ctx, name)
}

// Open reads a file of any size.
func (b *Bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := b.reader(ctx, name)
	if err != nil {
		return nil, err // and not a nil reader that looks like one
	}
	return r, nil
}

func (b *Bucket) reader(ctx context.Context, name string) (*gocloud.Reader, error) {
	r, err := b.bucket.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrMissing
	}
	return r, err
}

// Upload writes a new file of any size as it comes. If reading or ctx ends early, there is no such file.
func (b *Bucket) Upload(ctx context.Context, name string, from io.Reader) error {
	w, err := b.begin(ctx, name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, from); err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}

// File is a file's name, size and age.
type File struct {
	Name  string
	Bytes int64
	At    time.Time
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
		if errors.Is(err, io.EOF) {
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
