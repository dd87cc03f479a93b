package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	callTimeout = 3 * time.Second
	maxAnswer   = 1 << 20 // bytes
)

var errTooLong = errors.New("identity: the answer is over 1 MiB")

// newClient makes the client for everything that is asked of an issuer: within
// 3 seconds, 1 MiB at most, and never sent on to another address.
func newClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Timeout:   callTimeout,
		Transport: capped{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("identity: the issuer's address redirects")
		},
	}
}

// capped bounds the body of every answer. One that is longer is an error and
// not a short one, which could still be read as something else.
type capped struct{ inner http.RoundTripper }

func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := c.inner
	if inner == nil {
		inner = http.DefaultTransport
	}
	response, err := inner.RoundTrip(r)
	if err == nil {
		response.Body = &cappedBody{inner: response.Body, left: maxAnswer}
	}
	return response, err
}

type cappedBody struct {
	inner io.ReadCloser
	left  int
}

func (b *cappedBody) Read(p []byte) (int, error) {
	n, err := b.inner.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

func (b *cappedBody) Close() error { return b.inner.Close() }

// read fetches a public document of the issuer's.
func read(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("identity: the issuer's address: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("identity: ask the issuer: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("identity: the issuer answers %d", response.StatusCode)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, fmt.Errorf("identity: read the issuer's answer: %w", err)
	}
	return body, nil
}
