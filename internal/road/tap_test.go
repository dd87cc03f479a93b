package road

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// tap stands between the house and a server, keeps what the house sends, and can be cut.
type tap struct {
	target string
	listen net.Listener

	mu    sync.Mutex
	kept  bytes.Buffer
	open  map[net.Conn]bool
	isCut bool
}

func newTap(t testing.TB, target string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	tp := &tap{target: target, listen: l, open: map[net.Conn]bool{}}
	t.Cleanup(func() { _ = l.Close(); tp.cut(true) })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go tp.carry(conn)
		}
	}()
	return tp
}

// Write keeps what passes.
func (tp *tap) Write(p []byte) (int, error) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return tp.kept.Write(p)
}

func (tp *tap) bytes() []byte {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	return bytes.Clone(tp.kept.Bytes())
}

func (tp *tap) carry(near net.Conn) {
	defer near.Close()
	tp.mu.Lock()
	target := tp.target
	tp.mu.Unlock()
	far, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer far.Close()
	if !tp.hold(near, far) {
		return
	}
	go func() { _, _ = io.Copy(near, far); _ = near.Close() }()
	_, _ = io.Copy(io.MultiWriter(far, tp), near)
}

// lead has new connections end at another server; those that are open stay where they are.
func (tp *tap) lead(target string) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.target = target
}

// hold remembers an open pair, unless the tap is cut.
func (tp *tap) hold(conns ...net.Conn) bool {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	for _, c := range conns {
		tp.open[c] = true
	}
	return !tp.isCut
}

// cut ends what is open and lets nothing new through, until it is taken back.
func (tp *tap) cut(is bool) {
	tp.mu.Lock()
	defer tp.mu.Unlock()
	tp.isCut = is
	if is {
		for c := range tp.open {
			_ = c.Close()
		}
		clear(tp.open)
	}
}

// sinks are the taps between the house and everything outside it.
type sinks struct {
	t               testing.TB
	redis, postgres *tap

	mu   sync.Mutex
	http []string // requests to providers, whole
}

func newSinks(t testing.TB) *sinks { return &sinks{t: t} }

// between puts the taps into the settings of a house that is about to open.
func (s *sinks) between(env map[string]string) {
	s.t.Helper()
	through := func(address string) (string, *tap) {
		u, err := url.Parse(address)
		must(s.t, err)
		tp := newTap(s.t, u.Host)
		u.Host = tp.listen.Addr().String()
		return u.String(), tp
	}
	env["DATABASE_URL"], s.postgres = through(env["DATABASE_URL"])
	env["REDIS_URL"], s.redis = through(env["REDIS_URL"])
	sandbox, err := url.Parse(env["SENDGRID_BASE_URL"])
	must(s.t, err)
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: sandbox.Host})
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { panic(http.ErrAbortHandler) } // the sandbox hung up: so do we
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		plain := body
		if unzipped := unzip(body); r.Header.Get("Content-Encoding") == "gzip" && unzipped != nil {
			plain = unzipped
		}
		s.mu.Lock()
		s.http = append(s.http, fmt.Sprintf("%s %s\n%v\n%s\n", r.Method, r.RequestURI, r.Header, plain))
		s.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	s.t.Cleanup(server.Close)
	for _, name := range []string{"SENDGRID_BASE_URL", "TWILIO_BASE_URL", "OPENAI_BASE_URL", "SENTRY_DSN"} {
		env[name] = strings.Replace(env[name], sandbox.Host, strings.TrimPrefix(server.URL, "http://"), 1)
	}
}

// outside is what went to addresses with this in their path.
func (s *sinks) outside(path string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all bytes.Buffer
	for _, one := range s.http {
		if first, _, _ := strings.Cut(one, "\n"); strings.Contains(first, path) {
			all.WriteString(one)
		}
	}
	return all.Bytes()
}

// unzip is what a gzip holds, or nil.
func unzip(body []byte) []byte {
	zipped, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(zipped)
	if err != nil {
		return nil
	}
	return plain
}
