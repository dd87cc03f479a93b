package clinic_test

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// wire is a line to Postgres that can be cut and mended.
type wire struct {
	t        testing.TB
	target   string
	address  string
	mu       sync.Mutex
	listener net.Listener
	open     map[net.Conn]bool
}

func (x *wire) mend() {
	x.mu.Lock()
	defer x.mu.Unlock()
	address := x.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		x.t.Fatal(err)
	}
	x.listener, x.address = l, l.Addr().String()
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			go x.join(a)
		}
	}()
}

func (x *wire) join(a net.Conn) {
	b, err := net.Dial("tcp", x.target)
	if err != nil {
		_ = a.Close()
		return
	}
	x.mu.Lock()
	x.open[a], x.open[b] = true, true
	x.mu.Unlock()
	go func() { _, _ = io.Copy(a, b); _ = a.Close() }()
	_, _ = io.Copy(b, a)
	_ = b.Close()
}

// cut closes the door and everything that went through it, in the middle of whatever it is doing.
func (x *wire) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	_ = x.listener.Close()
	for c := range x.open {
		_ = c.Close()
	}
	clear(x.open)
}

func TestPostgresAwayAndBack(t *testing.T) {
	t.Parallel()
	line := &wire{t: t, open: map[net.Conn]bool{}}
	w := clinictest.New(t, func(c *clinic.Config) {
		u, err := url.Parse(c.DatabaseURL)
		if err != nil {
			t.Fatal(err)
		}
		line.target = u.Host
		line.mend()
		u.Host = line.address
		c.DatabaseURL = u.String()
	})
	t.Cleanup(func() { line.cut() })
	must(t, w.Clinic.Ready(ctx))
	stop, done, failed := make(chan struct{}), make(chan struct{}, 1), make(chan error, 10_000)
	var busy sync.WaitGroup
	for range 3 { // people at work while the line is cut
		busy.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email")); err != nil {
					failed <- err
					continue
				}
				select {
				case done <- struct{}{}:
				default:
				}
			}
		})
	}
	for range 3 {
		<-done // somewhere in the middle of the deeds that follow
		line.cut()
		if err := w.Clinic.Ready(ctx); err == nil {
			t.Error("ready without a database")
		}
		_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
		wantKind(t, err, clinic.Unavailable, "a deed without a database")
		_, err = w.Clinic.RelayDue(ctx, 10)
		wantKind(t, err, clinic.Unavailable, "the relay without a database")
		line.mend()
		wantSoon(t, func() error { _, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient); return err })
		must(t, w.Clinic.Ready(ctx))
	}
	close(stop)
	busy.Wait()
	close(failed)
	for err := range failed {
		wantKind(t, err, clinic.Unavailable, "a deed that was cut off")
	}
}

// wantSoon tries until it works, for at most ten seconds; each failure before must be Unavailable.
func wantSoon(t *testing.T, try func() error) {
	t.Helper()
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if err = try(); err == nil {
			return
		}
		wantKind(t, err, clinic.Unavailable, "while it recovers")
	}
	t.Fatalf("it did not recover: %v", err)
}

func TestPostgresRestartedUnderIdleConnections(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"))
	wantSoon(t, func() error { _, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient); return err })
}
