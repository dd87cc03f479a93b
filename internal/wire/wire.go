// Package wire makes one HTTP attempt at a provider and says what is known about it afterwards.
//
// It knows the line that matters when a request may not be repeated: were the request's headers written? It knows no
// provider, no body format and nothing of ours. What it says:
//
//	evidence                                                class
//	dial, DNS or TLS error, deadline before the headers     NotSent
//	the start window passed before the body was given       NotSent (and nothing whole ever left)
//	429, 401, 403                                           NotSent
//	other 4xx                                               Refused
//	2xx                                                     Answered: the provider's adapter must find an id in it
//	timeout or reset after the headers, 5xx, all else       Unknown: never to be sent again by a machine
//
// There are no retries here, no redirects are followed, and no idempotency header is ever set: Go's transport would
// take such a POST for repeatable and send it again when a kept-alive connection dies.
package wire

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"countersign/internal/faultpoint"
)

// Class is what one attempt came to.
type Class string

// The classes; see the package's table.
const (
	NotSent  Class = "not_sent"
	Refused  Class = "refused"
	Answered Class = "answered"
	Unknown  Class = "unknown"
)

// Codes of attempts that ended without an answer. An answer's code is its status, e.g. 503.
const (
	CodeDNS         = "dns"            // the provider's name was not found
	CodeTLS         = "tls"            // no safe connection
	CodeUnreachable = "unreachable"    // no connection
	CodeBefore      = "before_headers" // our time was up before the request went out
	CodeTimeout     = "timeout"        // our time was up after it had
	CodeReset       = "reset"          // the connection ended without an answer
	CodeStartWindow = "start_window"   // it was too late to begin
)

// maxAnswer is the most that is read of an answer, in bytes; the rest is dropped.
const maxAnswer = 1 << 20

// MaxRetryAfter bounds what a provider may ask us to wait.
const MaxRetryAfter = time.Hour

// keptConns is how many connections to a provider stay open for the next attempt: as many as a worker may have attempts
// under way, so that none is opened and closed for each.
const keptConns = 256

// NewTransport is a transport for one provider: connect within 5 s, TLS within 5 s.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:   5 * time.Second,
		MaxIdleConnsPerHost:   keptConns,
		IdleConnTimeout:       30 * time.Second,
		ForceAttemptHTTP2:     true,
		ExpectContinueTimeout: time.Second,
	}
}

// Client is an HTTP client that sends through one trip and follows no redirect. Its deadline is the trip's.
func Client(t *Trip) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Base reads a provider's address for Trip. It must be absolute; a path in it is put before every request's own.
func Base(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("wire: a provider's address must be absolute, http or https")
	}
	return u, nil
}

// Evidence is what is known about one attempt.
type Evidence struct {
	Class      Class
	Code       string        // one of ours, or the answer's status; "" when Answered
	Status     int           // 0 without an answer
	Header     http.Header   // of the answer
	RetryAfter time.Duration // what the provider asked for with a 429 or 503, at most an hour; else 0
}

// classify turns an answer's status into a class.
func classify(status int) Class {
	switch {
	case status >= 500 && faultpoint.Seeded(faultpoint.SeedClass):
		return NotSent
	case status >= 200 && status <= 299:
		return Answered
	case status == http.StatusTooManyRequests, status == http.StatusUnauthorized, status == http.StatusForbidden:
		return NotSent
	case status >= 400 && status <= 499:
		return Refused
	}
	return Unknown
}

// codeBefore names an error from before the headers. unsafe says that TLS could not be agreed upon: its errors have no
// type in common.
func codeBefore(ctx context.Context, unsafe bool, err error) string {
	var dns *net.DNSError
	switch {
	case ctx.Err() != nil:
		return CodeBefore
	case errors.As(err, &dns):
		return CodeDNS
	case unsafe:
		return CodeTLS
	}
	return CodeUnreachable
}

// codeAfter names an error from after the headers.
func codeAfter(ctx context.Context, err error) string {
	var slow net.Error
	if ctx.Err() != nil || errors.As(err, &slow) && slow.Timeout() {
		return CodeTimeout
	}
	return CodeReset
}

// retryAfter reads the header in seconds or as a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.Atoi(text); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(MaxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), MaxRetryAfter)
}
