package blob

import (
	"context"
	"io"

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
	r, err := b.bucket.NewReader(ctx, name, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, ErrMissing
	}
	return r, err
}
