// Package hook calls addresses that an operator has set: a signed webhook for alerts, after the convention of Standard
// Webhooks, and the heartbeat of a dead man's switch. One call is one HTTP attempt; who calls decides about another.
//
// It knows nothing of alerts, and keeps nothing. Its errors are codes: an address may be a secret.
package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of a signed call.
const (
	HeaderID        = "webhook-id"        // of the notice: the same when it is sent again
	HeaderTimestamp = "webhook-timestamp" // of this attempt, in seconds since 1970
	HeaderSignature = "webhook-signature" // "v1," and the base64 of HMAC-SHA256 over id.timestamp.body
)

// secretPrefix begins a secret; what follows is base64.
const secretPrefix = "whsec_"

const (
	patience   = 10 * time.Second
	answerMost = 64 << 10
)

// Code is an error that is a code: http_500, timeout, unreachable.
type Code string

func (c Code) Error() string { return string(c) }

// SafeError tells the error reporter that the text may leave the house.
func (c Code) SafeError() string { return string(c) }

// Caller calls one address.
type Caller struct {
	address string
	key     []byte
	client  *http.Client
	now     func() time.Time
}

// New is a caller that signs, or with an empty secret one that does not. It calls nobody.
func New(address, secret string) (*Caller, error) {
	c := &Caller{address: address, now: time.Now, client: &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConns: 2, IdleConnTimeout: 90 * time.Second}}}
	if secret == "" {
		return c, nil
	}
	key, err := Key(secret)
	c.key = key
	return c, err
}

// Key is what a secret signs with. It has 24 to 64 bytes.
func Key(secret string) ([]byte, error) {
	raw, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(raw)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("hook: a secret is whsec_ and the base64 of 24 to 64 bytes")
	}
	return key, nil
}

// Sign is the signature of one call.
func Sign(key []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// Post sends JSON under an id. Any answer of 2xx means that it was taken.
func (c *Caller) Post(ctx context.Context, id string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return Code("address")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set(HeaderID, id)
	if c.key != nil {
		at := c.now()
		request.Header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
		request.Header.Set(HeaderSignature, Sign(c.key, id, at, body))
	}
	return c.do(request)
}

// Beat calls the address with nothing: it only has to hear that somebody is alive.
func (c *Caller) Beat(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.address, http.NoBody)
	if err != nil {
		return Code("address")
	}
	return c.do(request)
}

func (c *Caller) do(request *http.Request) error {
	request.Header.Set("User-Agent", "countersign")
	response, err := c.client.Do(request)
	if err != nil {
		var slow interface{ Timeout() bool }
		if errors.As(err, &slow) && slow.Timeout() {
			return Code("timeout")
		}
		return Code("unreachable")
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, answerMost))
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return Code("http_" + strconv.Itoa(response.StatusCode))
	}
	return nil
}

// Close lets go of idle connections.
func (c *Caller) Close() { c.client.CloseIdleConnections() }
