package crash

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// front plays the platform's router at the public address: every 100 ms it asks each web whether it is ready, gives each request
// to the next one that last said so, keeps connections, and tries nothing twice. It knows nothing of what web is about to do.
type front struct {
	t     testing.TB
	proxy *httputil.ReverseProxy
	mu    sync.Mutex
	backs []*back
	turn  int
	bad   []string // what it could not deliver
}

// back is one web as the front sees it.
type back struct {
	url    *url.URL
	ready  bool
	served int
}

// openFront takes the house's public address; the webs of the house get ports of their own.
func openFront(h *house) *front {
	h.t.Helper()
	f := &front{t: h.t}
	f.proxy = &httputil.ReverseProxy{
		ErrorLog:  log.New(io.Discard, "", 0), // who reads notices what was cut off
		Transport: &http.Transport{MaxIdleConnsPerHost: 32, DisableCompression: true},
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(f.next().url)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // the caller itself has not left
				f.complain("%s %s: %v", r.Method, r.URL.Path, err)
			}
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	listener, err := listenAt(h.env["PORT"])
	must(h.t, err)
	server := &http.Server{Handler: f.proxy, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	done := make(chan struct{})
	go f.watch(done)
	h.t.Cleanup(func() { close(done); _ = server.Close() })
	return f
}

// web starts one more web and waits until the front sends requests there.
func (f *front) web(h *house) (*process, *back) {
	h.t.Helper()
	port := freePort(h.t)
	p := h.start("web", "", "PORT="+port)
	b := &back{url: &url.URL{Scheme: "http", Host: "127.0.0.1:" + port}}
	f.mu.Lock()
	f.backs = append(f.backs, b)
	f.mu.Unlock()
	await(h.t, "the front to know a new web", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return b.ready })
	return p, b
}

func (f *front) watch(done <-chan struct{}) {
	ask := &http.Client{Timeout: 2 * time.Second}
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		select {
		case <-done:
			tick.Stop()
			return
		case <-tick.C:
		}
		f.mu.Lock()
		backs := append([]*back(nil), f.backs...)
		f.mu.Unlock()
		for _, b := range backs {
			resp, err := ask.Get(b.url.String() + "/readyz")
			ready := err == nil && resp.StatusCode == http.StatusOK
			if err == nil {
				_ = resp.Body.Close()
			}
			f.mu.Lock()
			b.ready = ready
			f.mu.Unlock()
		}
	}
}

// next is where the next request goes. While nobody is ready it goes nowhere, and that is a failed one.
func (f *front) next() *back {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range f.backs {
		f.turn++
		if b := f.backs[f.turn%len(f.backs)]; b.ready {
			b.served++
			return b
		}
	}
	return &back{url: &url.URL{Scheme: "http", Host: "127.0.0.1:1"}}
}

func (f *front) complain(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = append(f.bad, fmt.Sprintf(format, args...))
}

func (f *front) complaints() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.bad...)
}
