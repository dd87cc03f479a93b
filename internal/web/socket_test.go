package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// short is a patience that a test can wait for. The real one is held to SECURITY in TestPatience.
var short = patience{header: 400 * time.Millisecond, read: 800 * time.Millisecond, write: 700 * time.Millisecond, idle: 600 * time.Millisecond}

// served is a site on a real socket, and its address.
func served(t *testing.T, p patience, change ...func(*Config)) (*site, string) {
	t.Helper()
	s := newSite(t, change...)
	s.patience = p
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serving, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(serving, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, listener.Addr().String()
}

func TestPatience(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	h := s.bounded()
	if h.ReadHeaderTimeout != 5*time.Second || h.ReadTimeout != 15*time.Second || h.WriteTimeout != 30*time.Second || h.IdleTimeout != 90*time.Second ||
		h.MaxHeaderBytes != 16<<10 || formBytes != 64<<10 || webhookBytes != 1<<20 {
		t.Errorf("%+v", h)
	}
}

// dial opens a connection on which the test writes bytes of its own.
func dial(t *testing.T, address, bytes string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, bytes); err != nil {
		t.Fatal(err)
	}
	return conn
}

// closedAfter waits until the server has closed the connection and says how long that took and what it said before.
func closedAfter(t *testing.T, conn net.Conn, since time.Time) (time.Duration, string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the server keeps the connection")
	}
	return time.Since(since), string(said)
}

// late allows for a machine that is busy with other tests.
const late = 8 * time.Second

func within(t *testing.T, what string, took, least time.Duration) {
	t.Helper()
	if took < least-50*time.Millisecond || took > least+late {
		t.Errorf("%s after %s, want %s", what, took, least)
	}
}

// Slow loris, with the real five seconds: many connections that each send a header line now and then are all gone after
// the time for headers, however busily they send, and meanwhile others are served.
func TestSlowLoris(t *testing.T) {
	t.Parallel()
	_, address := served(t, defaultPatience)
	begun := time.Now()
	var all sync.WaitGroup
	for i := range 100 {
		conn := dial(t, address, "GET /sign-in HTTP/1.1\r\nHost: localhost:8080\r\n")
		all.Go(func() {
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				took, said := closedAfter(t, conn, begun)
				within(t, fmt.Sprintf("connection %d was closed", i), took, defaultPatience.header)
				if strings.Contains(said, "200 OK") {
					t.Error("it was answered")
				}
			}()
			for line := 0; ; line++ {
				select {
				case <-gone:
					return
				case <-time.After(250 * time.Millisecond):
					_, _ = fmt.Fprintf(conn, "X-Slow-%d: a\r\n", line)
				}
			}
		})
	}
	for range 20 {
		if got, err := http.Get("http://" + address + "/healthz"); err != nil || got.StatusCode != 200 {
			t.Errorf("others are not served: %v", err)
		} else {
			_ = got.Body.Close()
		}
	}
	all.Wait()
}

// A body that never ends is read for so long and no longer, whatever its length was said to be.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	s, address := served(t, short)
	begun := time.Now()
	conn := dial(t, address, "POST /m/"+strings.Repeat("a", 43)+" HTTP/1.1\r\nHost: localhost:8080\r\nContent-Type: "+urlEncoded+"\r\nContent-Length: 1000\r\n\r\nday=1")
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
				_, _ = io.WriteString(conn, "1")
			}
		}
	}()
	took, _ := closedAfter(t, conn, begun)
	close(stop)
	within(t, "the connection was closed", took, short.read)
	waitFor(t, "the request is given up", func() bool { return strings.Contains(s.log.String(), fmt.Sprint(`"status":`, statusClosed)) })
}

// Who does not read the answer does not hold the handler for ever.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	ended := make(chan time.Duration, 1)
	flood := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun, block := time.Now(), make([]byte, 1<<20)
		for range 1 << 10 {
			if _, err := w.Write(block); err != nil {
				break
			}
		}
		ended <- time.Since(begun)
	})
	s, address := served(t, short, func(c *Config) { c.Queues = flood })
	v := s.as(t, s.world.Admin)
	cookies := ""
	for name, value := range v.cookies {
		cookies += name + "=" + value + "; "
	}
	dial(t, address, "GET /ops/queues HTTP/1.1\r\nHost: localhost:8080\r\nCookie: "+strings.TrimSuffix(cookies, "; ")+"\r\n\r\n")
	select {
	case took := <-ended:
		if took > short.write+late {
			t.Errorf("the handler was held for %s", took)
		}
	case <-time.After(short.write + late):
		t.Fatal("the handler is held for ever")
	}
}

// A connection that asks nothing more is closed.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	unlike := short // without a time of its own, net/http takes the one for reading
	unlike.read = time.Minute
	_, address := served(t, unlike)
	begun := time.Now() // the server's clock begins when it has answered, which may be before the answer is read here
	conn := dial(t, address, "GET /healthz HTTP/1.1\r\nHost: localhost:8080\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || answer.StatusCode != 200 || answer.Close {
		t.Fatal(answer, err)
	}
	took, _ := closedAfter(t, conn, begun)
	within(t, "the idle connection was closed", took, short.idle)
}

// A stream raises its own time: it is still heard when a plain answer's time, and the time to read a request, are over.
func TestStreamOutlivesThePatience(t *testing.T) {
	t.Parallel()
	s, address := served(t, short)
	v, name := s.as(t, s.world.Staff), "worklist-"+s.world.ClinicID.String()
	r, err := http.NewRequest(http.MethodGet, "http://"+address+"/events?names="+name, nil)
	if err != nil {
		t.Fatal(err)
	}
	for n, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: n, Value: value})
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil || got.StatusCode != 200 {
		t.Fatal(got, err)
	}
	defer got.Body.Close()
	time.Sleep(2 * (short.read + short.write)) // nothing is to be heard meanwhile; that is the point
	s.hub.ring(name)
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		if lines.Text() == "event: "+name {
			return
		}
	}
	t.Fatal("the stream was cut")
}

// Headers, forms, webhooks and reports have a most, over the wire and without a word about their length.
func TestBytesOverTheWire(t *testing.T) {
	t.Parallel()
	s, address := served(t, defaultPatience, func(c *Config) { c.SendGrid = stamp{} })
	ask := func(path string, body int, chunked bool, header ...string) int {
		t.Helper()
		var from io.Reader = strings.NewReader("a=" + strings.Repeat("b", max(body-2, 0)))
		if chunked {
			from = struct{ io.Reader }{from} // so that net/http cannot tell its length
		}
		r, err := http.NewRequest(http.MethodPost, "http://"+address+path, from)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", urlEncoded)
		r.Header.Set("Stamp", "ok")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		got, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = drainBody(got)
		return got.StatusCode
	}
	page := "/m/" + strings.Repeat("a", 43)
	for _, chunked := range []bool{false, true} {
		for _, test := range []struct {
			path string
			most int
		}{{page, 64 << 10}, {"/csp-report", 64 << 10}, {"/webhooks/sendgrid", 1 << 20}} {
			if got := ask(test.path, test.most, chunked); got == http.StatusRequestEntityTooLarge {
				t.Errorf("%s refuses %d bytes (chunked %v)", test.path, test.most, chunked)
			}
			if got := ask(test.path, test.most+1, chunked); got != http.StatusRequestEntityTooLarge {
				t.Errorf("%s takes one byte more: %d (chunked %v)", test.path, got, chunked)
			}
		}
	}
	if got := ask(page, 10, false, "X-Long", strings.Repeat("x", 15<<10)); got == http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("15 KiB of headers are refused: %d", got)
	}
	if got := ask(page, 10, false, "X-Long", strings.Repeat("x", 25<<10)); got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("25 KiB of headers are taken: %d", got)
	}
	if s.log.String() == "" {
		t.Error("nothing was logged")
	}
}
