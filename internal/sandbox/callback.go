package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// lateMillis is how late the first event of a message comes under the fault "late".
const lateMillis = 3000

// caller runs the calls back to the app in the background and ends them in order.
type caller struct {
	client *http.Client
	log    *slog.Logger
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

func newCaller(log *slog.Logger) *caller {
	ctx, cancel := context.WithCancel(context.Background())
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100 // a thousand events a second must not make a connection each
	return &caller{
		log: log, ctx: ctx, cancel: cancel,
		client: &http.Client{
			Transport:     transport,
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// start runs do in the background; after close it does nothing.
func (c *caller) start(do func(ctx context.Context)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	c.wg.Go(func() { do(c.ctx) })
}

func (c *caller) close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() { c.wg.Wait(); close(done) }()
	defer c.client.CloseIdleConnections()
	defer c.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.cancel()
		<-done
		return ctx.Err()
	}
}

// pause waits, and says false when the sandbox is closing.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

var errNotTaken = errors.New("the app did not answer 2xx")

// post sends once and returns the app's status; the error says that it was not 2xx or did not come.
func (c *caller) post(req *http.Request) (int, error) {
	resp, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode/100 != 2 {
		return resp.StatusCode, fmt.Errorf("%w: %d", errNotTaken, resp.StatusCode)
	}
	return resp.StatusCode, nil
}

// insist posts until the app answers 2xx, with growing pauses, for a day as SendGrid does. heard gets every status.
func (c *caller) insist(ctx context.Context, build func() (*http.Request, error), heard func(status int)) {
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 500*time.Millisecond, 20*time.Second
	_, err := backoff.Retry(ctx, func() (int, error) {
		req, err := build()
		if err != nil {
			return 0, backoff.Permanent(err)
		}
		status, err := c.post(req)
		heard(status)
		return status, err
	}, backoff.WithBackOff(pauses), backoff.WithMaxElapsedTime(24*time.Hour))
	if err != nil && ctx.Err() == nil {
		c.log.Warn("sandbox: webhook given up", "reason", err)
	}
}
