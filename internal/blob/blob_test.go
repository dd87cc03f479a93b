package blob

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// bucket is S3 as another program plays it, over a real socket.
func bucket(t *testing.T) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket("fence"); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(gofakes3.New(backend).Server())
	t.Cleanup(server.Close)
	return "s3://fence?region=us-east-1&use_path_style=true&disable_https=true&endpoint=" + server.URL
}

func places(t *testing.T) map[string]string {
	t.Setenv("AWS_ACCESS_KEY_ID", "a-key-for-tests-only")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-secret-for-tests-only")
	return map[string]string{"folder": "file://" + filepath.Join(t.TempDir(), "made", "when missing"), "bucket": bucket(t)}
}

func open(t *testing.T, address string) *Bucket {
	t.Helper()
	b, err := Open(context.Background(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// What is written is read, by others too; nobody writes over what they have not seen.
func TestBucket(t *testing.T) {
	ctx := context.Background()
	for name, address := range places(t) {
		t.Run(name, func(t *testing.T) {
			mine, theirs := open(t, address), open(t, address)
			if _, _, err := mine.Read(ctx, "a.json"); !errors.Is(err, ErrMissing) {
				t.Fatalf("an empty place: %v", err)
			}
			if err := mine.Write(ctx, "a.json", []byte("one"), "never seen"); !errors.Is(err, ErrMoved) {
				t.Errorf("over a file that is not there: %v", err)
			}
			if err := mine.Write(ctx, "a.json", []byte("one"), ""); err != nil {
				t.Fatal(err)
			}
			if err := theirs.Write(ctx, "a.json", []byte("two"), ""); !errors.Is(err, ErrMoved) {
				t.Errorf("as new over an old one: %v", err)
			}
			content, seen, err := theirs.Read(ctx, "a.json")
			if err != nil || string(content) != "one" || seen == "" {
				t.Fatalf("read %q %q %v", content, seen, err)
			}
			if err := mine.Write(ctx, "a.json", []byte("two"), seen); err != nil {
				t.Fatal(err)
			}
			if err := theirs.Write(ctx, "a.json", []byte("three"), seen); !errors.Is(err, ErrMoved) {
				t.Errorf("over what has changed: %v", err)
			}
			if content, now, err := mine.Read(ctx, "a.json"); err != nil || string(content) != "two" || now == seen {
				t.Errorf("read %q %q %v", content, now, err)
			}
			for _, file := range []string{"kept/2.txt", "kept/1.txt", "keep"} {
				if err := mine.Write(ctx, file, []byte("x"), ""); err != nil {
					t.Fatal(err)
				}
			}
			if names, err := theirs.List(ctx, "kept/"); err != nil || !slices.Equal(names, []string{"kept/1.txt", "kept/2.txt"}) {
				t.Errorf("the list is %q, %v", names, err)
			}
		})
	}
}

// Of many that write over the same version in a bucket, one succeeds.
func TestBucketHasOneWriter(t *testing.T) {
	ctx := context.Background()
	b := open(t, places(t)["bucket"])
	if err := b.Write(ctx, "a.json", []byte("one"), ""); err != nil {
		t.Fatal(err)
	}
	_, seen, err := b.Read(ctx, "a.json")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	failed := make([]error, 8)
	for i := range failed {
		all.Go(func() { failed[i] = b.Write(ctx, "a.json", []byte{byte('a' + i)}, seen) })
	}
	all.Wait()
	won := 0
	for _, err := range failed {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, ErrMoved):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 8 have written", won)
	}
}

// The folder is for one account, and holds the file and nothing else.
func TestFolder(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "blob")
	b := open(t, "file://"+folder)
	if err := b.Write(context.Background(), "a.json", []byte("one"), ""); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 || entries[0].Name() != "a.json" {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// An address that cannot work is refused without being quoted: it may hold a key.
func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "nowhere", "ftp://key@host/x", "s3://", "s3://b?region=x&surprise=key", "file:///dev/null/key", "%zz"} {
		b, err := Open(context.Background(), address)
		if err == nil {
			_ = b.Close()
			t.Errorf("%q was opened", address)
			continue
		}
		if !strings.Contains(err.Error(), "BLOB_URL") || !strings.HasPrefix(address, "file") && strings.Contains(err.Error(), "key") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// A large file is there when it is closed, whole, and not before; it is never written over.
func TestBucketStreams(t *testing.T) {
	ctx := context.Background()
	for name, address := range places(t) {
		t.Run(name, func(t *testing.T) {
			b := open(t, address)
			there := func() bool {
				is, err := b.Exists(ctx, "big/a.gz")
				if err != nil {
					t.Fatal(err)
				}
				return is
			}
			write := func(end func(w io.WriteCloser) error) error {
				w, err := b.Create(ctx, "big/a.gz")
				if err == nil {
					_, err = w.Write(make([]byte, 3<<20))
				}
				if err != nil {
					t.Fatal(err)
				}
				return end(w)
			}
			_ = write(func(w io.WriteCloser) error { w.(*Writing).Abort(); return nil })
			if there() {
				t.Error("what was broken off is there")
			}
			if err := write(io.WriteCloser.Close); err != nil || !there() {
				t.Fatalf("what was closed is not there: %v", err)
			}
			if err := write(io.WriteCloser.Close); !errors.Is(err, ErrMoved) {
				t.Errorf("written over: %v", err)
			}
			r, err := b.Open(ctx, "big/a.gz")
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if all, err := io.ReadAll(r); err != nil || len(all) != 3<<20 {
				t.Errorf("read %d bytes, %v", len(all), err)
			}
			if _, err := b.Open(ctx, "none"); !errors.Is(err, ErrMissing) {
				t.Errorf("what is not there: %v", err)
			}
		})
	}
}

// What is written as it comes is whole or not there, in a folder and in a bucket.
func TestUpload(t *testing.T) {
	ctx := context.Background()
	for name, address := range places(t) {
		t.Run(name, func(t *testing.T) {
			b := open(t, address)
			broken := errors.New("broken off")
			if err := b.Upload(ctx, "x/half", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20)), failing{broken})); !errors.Is(err, broken) {
				t.Errorf("a half file: %v", err)
			}
			if err := b.Upload(ctx, "x/whole", strings.NewReader("whole")); err != nil {
				t.Fatal(err)
			}
			if err := b.Upload(ctx, "x/whole", strings.NewReader("other")); !errors.Is(err, ErrMoved) {
				t.Errorf("over a file that is there: %v", err)
			}
			files, err := b.Files(ctx, "x/")
			if err != nil || len(files) != 1 || files[0].Name != "x/whole" || files[0].Bytes != 5 {
				t.Errorf("there are %v %v", files, err)
			}
			r, err := b.Open(ctx, "x/whole")
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close(), b.Delete(ctx, "x/whole"), b.Delete(ctx, "x/whole")); err != nil || string(content) != "whole" {
				t.Errorf("%q %v", content, err)
			}
			if _, err := b.Open(ctx, "x/whole"); !errors.Is(err, ErrMissing) {
				t.Errorf("what was deleted: %v", err)
			}
		})
	}
}

// failing is where a reader breaks off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
