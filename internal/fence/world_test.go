package fence

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"countersign/internal/blob"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

var ctx = context.Background()

// world is a clinic, and a place outside its database.
type world struct {
	*clinictest.World
	bucket *blob.Bucket
	away   atomic.Bool                         // the place answers nothing but errors
	before atomic.Pointer[func(method string)] // is called before the place looks at a request
	after  atomic.Pointer[func(method string)] // and when its answer is made, before it is given
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: clinictest.New(t, func(c *clinic.Config) { c.Fenced, c.Now = true, time.Now })}
	backend := s3mem.New()
	must(t, backend.CreateBucket("fence"))
	plays := gofakes3.New(backend).Server()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.away.Load() {
			http.Error(rw, "away", http.StatusForbidden) // an answer that the client does not try again
			return
		}
		if call := w.before.Load(); call != nil {
			(*call)(r.Method)
		}
		answer := httptest.NewRecorder()
		plays.ServeHTTP(answer, r)
		if call := w.after.Load(); call != nil {
			(*call)(r.Method)
		}
		maps.Copy(rw.Header(), answer.Header())
		rw.WriteHeader(answer.Code)
		_, _ = rw.Write(answer.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	var err error
	w.bucket, err = blob.Open(ctx, "s3://fence?region=us-east-1&use_path_style=true&disable_https=true&endpoint="+server.URL)
	must(t, err)
	t.Cleanup(func() { _ = w.bucket.Close() })
	return w
}

// TestMain gives the bucket's client the credentials that a platform would.
func TestMain(m *testing.M) { credentials(); m.Run() }

// fence is a process's watch over the database at an address; each of its looks may beat.
func (w *world) fence(t *testing.T, address string) (*Fence, *clinic.Clinic) {
	t.Helper()
	c := w.At(t, address)
	return New(Config{Clinic: c, Bucket: w.bucket, Every: time.Nanosecond, Log: slog.New(slog.DiscardHandler)}), c
}

func (w *world) see(t *testing.T, c *clinic.Clinic) clinic.Instance {
	t.Helper()
	var i clinic.Instance
	seen(t, func() (err error) { i, err = c.InstanceSee(ctx); return err })
	return i
}

func (w *world) outside(t *testing.T) anchor {
	t.Helper()
	a, err := readAnchor(ctx, w.bucket)
	must(t, err)
	if a == nil {
		t.Fatal("there is no file outside")
	}
	return *a
}

// look looks n times, and says what the process thinks then.
func look(t *testing.T, f *Fence, n int, want string) {
	t.Helper()
	for range n {
		seen(t, func() error { return f.Look(ctx, true) })
	}
	if got := f.Word(); got != want {
		t.Fatalf("the process says %s, want %s", got, want)
	}
}

// sends says whether this process would send a due notice.
func (w *world) sends(t *testing.T, c *clinic.Clinic) bool {
	t.Helper()
	var due []clinic.Due
	seen(t, func() (err error) { due, err = c.RelayDue(ctx, 1); return err })
	return len(due) > 0
}

// seen asks again while a connection that was cut off is noticed.
func seen(t *testing.T, ask func() error) {
	t.Helper()
	err := ask()
	for n := 0; n < 8 && clinic.KindOf(err) == clinic.Unavailable && err != nil; n++ {
		err = ask()
	}
	must(t, err)
}

func (w *world) wantHeld(t *testing.T, c *clinic.Clinic, reason string) clinic.Instance {
	t.Helper()
	i := w.see(t, c)
	if i.HeldAt == nil || i.HeldReason != reason {
		t.Fatalf("the database says %q, want %q", i.HeldReason, reason)
	}
	return i
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v: %s", err, clinic.Sentence(err))
	}
}

var errAway = errors.New("away")

func logging(to *bytes.Buffer) *slog.Logger { return slog.New(slog.NewTextHandler(to, nil)) }
