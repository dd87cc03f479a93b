package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path"
	"strconv"
	"sync"
	"time"

	"countersign/internal/faultpoint"
)

var (
	errTooLate = errors.New("wire: the start window has passed")
	errSecond  = errors.New("wire: a trip is for one request")
)

// Trip is a round tripper for exactly one request. It gives the request a context (some libraries take none), points
// it at the provider's configured address, notes whether its headers were written, and refuses to hand out the body
// once it is too late to begin. Ask Evidence when the library is done.
type Trip struct {
	ctx     context.Context
	next    http.RoundTripper
	base    *url.URL
	startBy time.Time

	mu       sync.Mutex
	used     bool
	wrote    bool
	unsafe   bool // TLS could not be agreed upon
	late     bool
	err      error
	answered *http.Response
}

// NewTrip prepares an attempt that may last as long as ctx does. base replaces the scheme and host of the request's
// address, nil leaves them; a zero startBy sets no start window.
func NewTrip(ctx context.Context, next http.RoundTripper, base *url.URL, startBy time.Time) *Trip {
	return &Trip{ctx: ctx, next: next, base: base, startBy: startBy}
}

// RoundTrip sends the request, the first one only.
func (t *Trip) RoundTrip(given *http.Request) (*http.Response, error) {
	t.mu.Lock()
	second := t.used
	t.used = true
	t.mu.Unlock()
	if second {
		return nil, errSecond
	}
	if t.tooLate() {
		return nil, t.fail(errTooLate)
	}
	sends := given.Method == http.MethodPost // a look-up changes nothing, so it is no moment to die at
	req := given.Clone(httptrace.WithClientTrace(t.ctx, &httptrace.ClientTrace{
		GetConn:          func(string) { t.setWrote(false) }, // asked again only when nothing was written
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) { t.setUnsafe(err != nil) },
		WroteHeaders: func() {
			t.setWrote(true)
			if sends {
				faultpoint.Reach("wire", "headers-written")
			}
		},
		WroteRequest: func(httptrace.WroteRequestInfo) {
			if sends {
				faultpoint.Reach("wire", "request-written")
			}
		},
	}))
	if t.base != nil {
		req.URL.Scheme, req.URL.Host, req.Host = t.base.Scheme, t.base.Host, t.base.Host
		if t.base.Path != "" {
			req.URL.Path = path.Join(t.base.Path, req.URL.Path)
		}
	}
	t.gate(req)
	resp, err := t.next.RoundTrip(req)
	if err != nil {
		return nil, t.fail(err)
	}
	if sends {
		faultpoint.Reach("wire", "answered")
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	t.mu.Lock()
	t.answered = resp
	t.mu.Unlock()
	return resp, nil
}

// gate lets the body through until the start window ends. A request without its body is no request: a process that
// was frozen between claim and send gives it up here.
func (t *Trip) gate(req *http.Request) {
	if req.Body == nil || t.startBy.IsZero() {
		return
	}
	req.Body = &gate{ReadCloser: req.Body, trip: t}
	if again := req.GetBody; again != nil {
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			return &gate{ReadCloser: body, trip: t}, err
		}
	}
}

type gate struct {
	io.ReadCloser
	trip *Trip
	open bool
}

func (g *gate) Read(p []byte) (int, error) {
	if !g.open && g.trip.tooLate() {
		g.trip.mu.Lock()
		g.trip.late = true
		g.trip.mu.Unlock()
		return 0, errTooLate
	}
	g.open = true
	return g.ReadCloser.Read(p)
}

func (t *Trip) tooLate() bool { return !t.startBy.IsZero() && time.Now().After(t.startBy) }

func (t *Trip) setWrote(wrote bool) {
	t.mu.Lock()
	t.wrote = wrote
	t.mu.Unlock()
}

func (t *Trip) setUnsafe(unsafe bool) {
	t.mu.Lock()
	t.unsafe = unsafe
	t.mu.Unlock()
}

func (t *Trip) fail(err error) error {
	t.mu.Lock()
	t.err = err
	t.mu.Unlock()
	return err
}

// Evidence says what the attempt came to. Before any request, or when the library refused to make one, it is NotSent.
func (t *Trip) Evidence() Evidence {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.answered == nil {
		switch {
		case t.late || errors.Is(t.err, errTooLate):
			return Evidence{Class: NotSent, Code: CodeStartWindow}
		case !t.wrote:
			return Evidence{Class: NotSent, Code: codeBefore(t.ctx, t.unsafe, t.err)}
		}
		return Evidence{Class: Unknown, Code: codeAfter(t.ctx, t.err)}
	}
	status := t.answered.StatusCode
	e := Evidence{Class: classify(status), Status: status, Header: t.answered.Header}
	if e.Class != Answered {
		e.Code = strconv.Itoa(status)
		e.RetryAfter = retryAfter(e.Header, time.Now())
	}
	return e
}
