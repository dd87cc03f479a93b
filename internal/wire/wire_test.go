package wire

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// provider answers as told and counts the requests whose body arrived whole.
type provider struct {
	*httptest.Server
	whole atomic.Int32
}

func play(t *testing.T, answer http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil && string(body) == "notice" {
			p.whole.Add(1)
		}
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func status(code int, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func reset(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func silence(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func send(t *testing.T, ctx context.Context, address string, startBy time.Time) Evidence {
	t.Helper()
	transport := NewTransport()
	t.Cleanup(transport.CloseIdleConnections)
	trip := NewTrip(ctx, transport, nil, startBy)
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader("notice"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := Client(trip).Do(req); err == nil {
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	return trip.Evidence()
}

// Each row of the package's table, over a real socket.
func TestOneAnswerMeans(t *testing.T) {
	t.Parallel()
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused.Close()
	tests := map[string]struct {
		address string
		answer  http.HandlerFunc
		wait    time.Duration
		class   Class
		code    string
		after   time.Duration
	}{
		"refused connection":      {address: "http://" + refused.Addr().String(), class: NotSent, code: CodeUnreachable},
		"unknown name":            {address: "http://nobody.invalid", class: NotSent, code: CodeDNS},
		"200":                     {answer: status(200), class: Answered},
		"202":                     {answer: status(202), class: Answered},
		"302 is not followed":     {answer: status(302, "Location", "/elsewhere"), class: Unknown, code: "302"},
		"400":                     {answer: status(400), class: Refused, code: "400"},
		"401":                     {answer: status(401), class: NotSent, code: "401"},
		"403":                     {answer: status(403), class: NotSent, code: "403"},
		"404":                     {answer: status(404), class: Refused, code: "404"},
		"413":                     {answer: status(413), class: Refused, code: "413"},
		"429 in seconds":          {answer: status(429, "Retry-After", "7"), class: NotSent, code: "429", after: 7 * time.Second},
		"429 for ever":            {answer: status(429, "Retry-After", "99999999"), class: NotSent, code: "429", after: time.Hour},
		"429 in the far future":   {answer: status(429, "Retry-After", "Mon, 02 Jan 2106 15:04:05 GMT"), class: NotSent, code: "429", after: time.Hour},
		"429 in the past":         {answer: status(429, "Retry-After", "Mon, 02 Jan 2006 15:04:05 GMT"), class: NotSent, code: "429"},
		"500":                     {answer: status(500), class: Unknown, code: "500"},
		"503":                     {answer: status(503), class: Unknown, code: "503"},
		"reset after the headers": {answer: reset, class: Unknown, code: CodeReset},
		"silence":                 {answer: silence, wait: 300 * time.Millisecond, class: Unknown, code: CodeTimeout},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.answer != nil {
				tt.address = play(t, tt.answer).URL
			}
			if tt.wait == 0 {
				tt.wait = 20 * time.Second
			}
			ctx, cancel := context.WithTimeout(context.Background(), tt.wait)
			defer cancel()
			got := send(t, ctx, tt.address, time.Time{})
			if got.Class != tt.class || got.Code != tt.code || got.RetryAfter != tt.after {
				t.Errorf("got %s %q after %s, want %s %q after %s", got.Class, got.Code, got.RetryAfter, tt.class, tt.code, tt.after)
			}
		})
	}
}

// A deadline that ends while the connection is being made is before the headers: nothing was sent.
func TestDeadlineBeforeTheHeaders(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	transport := NewTransport()
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	trip := NewTrip(ctx, transport, nil, time.Time{})
	_, err := Client(trip).Post("http://provider.test", "text/plain", strings.NewReader("notice"))
	if err == nil {
		t.Fatal("the request went out")
	}
	if got := trip.Evidence(); got.Class != NotSent || got.Code != CodeBefore {
		t.Errorf("got %s %s", got.Class, got.Code)
	}
}

// A process that was frozen between claim and send gives the attempt up, also when it froze while connecting: the
// provider never gets a whole request.
func TestStartWindow(t *testing.T) {
	t.Parallel()
	t.Run("over before the request", func(t *testing.T) {
		t.Parallel()
		p := play(t, status(202))
		if got := send(t, context.Background(), p.URL, time.Now().Add(-time.Second)); got.Class != NotSent || got.Code != CodeStartWindow {
			t.Errorf("got %s %s", got.Class, got.Code)
		}
		if p.whole.Load() != 0 {
			t.Error("the provider got it all the same")
		}
	})
	t.Run("over while connecting", func(t *testing.T) {
		t.Parallel()
		p := play(t, status(202))
		startBy := time.Now().Add(300 * time.Millisecond)
		transport := NewTransport()
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			<-time.After(time.Until(startBy) + 20*time.Millisecond) // frozen here
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}
		trip := NewTrip(context.Background(), transport, nil, startBy)
		if _, err := Client(trip).Post(p.URL, "text/plain", strings.NewReader("notice")); err == nil {
			t.Fatal("the request was answered")
		}
		if got := trip.Evidence(); got.Class != NotSent || got.Code != CodeStartWindow {
			t.Errorf("got %s %s", got.Class, got.Code)
		}
		if p.whole.Load() != 0 {
			t.Error("the provider got it all the same")
		}
	})
}

// A trip that no request was made with has certainly sent nothing, and a library that tries twice is held to one.
func TestTripIsForOneRequest(t *testing.T) {
	t.Parallel()
	if got := NewTrip(context.Background(), NewTransport(), nil, time.Time{}).Evidence(); got.Class != NotSent {
		t.Errorf("an unused trip is %s", got.Class)
	}
	p := play(t, status(500))
	trip := NewTrip(context.Background(), NewTransport(), nil, time.Time{})
	for range 3 {
		if resp, err := Client(trip).Post(p.URL, "text/plain", strings.NewReader("notice")); err == nil {
			resp.Body.Close()
		}
	}
	if p.whole.Load() != 1 {
		t.Errorf("%d requests went out", p.whole.Load())
	}
}

// The base takes over scheme, host and path, which is how a library without an address of its own is pointed.
func TestTripGoesToItsBase(t *testing.T) {
	t.Parallel()
	var path, host string
	p := play(t, func(w http.ResponseWriter, r *http.Request) { path, host = r.URL.Path, r.Host })
	base, err := Base(p.URL + "/edge")
	if err != nil {
		t.Fatal(err)
	}
	trip := NewTrip(context.Background(), NewTransport(), base, time.Time{})
	resp, err := Client(trip).Post("https://api.provider.test/2010/Messages.json", "text/plain", strings.NewReader("notice"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if path != "/edge/2010/Messages.json" || "http://"+host != p.URL {
		t.Errorf("went to %s at %s", path, host)
	}
}
