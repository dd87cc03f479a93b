package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

const (
	flowTime = 10 * time.Minute // how long a person may take at the provider
	maxAge   = 12 * time.Hour   // how long ago the provider may have seen them
	maxTo    = 2 << 10          // bytes of the page to come back to
)

// flow is one sign-in that is under way. All of it is in the person's cookie,
// and all that the provider is told comes out of the secret in it by a hash: an
// answer fits the cookie of the browser that began, and no other, and whoever
// changes the rest of the cookie changes the state.
type flow struct {
	Secret []byte `json:"s"`
	To     string `json:"to"`
	Anew   bool   `json:"anew,omitempty"`
	Began  int64  `json:"at"` // seconds since 1970
}

func newFlow(to string, anew bool, now time.Time) flow {
	if len(to) > maxTo {
		to = "/"
	}
	f := flow{Secret: make([]byte, 32), To: to, Anew: anew, Began: now.Unix()}
	_, _ = rand.Read(f.Secret) // crypto/rand never fails: it aborts the program
	return f
}

func (f flow) cookie() string {
	raw, _ := json.Marshal(f) // cannot fail: bytes, text, a truth and a number
	return base64.RawURLEncoding.EncodeToString(raw)
}

// readFlow reads a cookie that is not older than flowTime.
func readFlow(cookie string, now time.Time) (flow, error) {
	var f flow
	if cookie == "" {
		return f, ErrNoToken
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || json.Unmarshal(raw, &f) != nil || len(f.Secret) != 32 {
		return flow{}, refused("the cookie of the sign-in cannot be read")
	}
	if age := now.Sub(time.Unix(f.Began, 0)); age > flowTime || age < -leeway {
		return flow{}, refused("the sign-in was begun too long ago")
	}
	return f, nil
}

func (f flow) derive(what string) []byte {
	mac := hmac.New(sha256.New, f.Secret)
	fmt.Fprintf(mac, "%s\n%d\n%t\n%s", what, f.Began, f.Anew, f.To)
	return mac.Sum(nil)
}

func (f flow) state() string    { return base64.RawURLEncoding.EncodeToString(f.derive("state")) }
func (f flow) nonce() string    { return base64.RawURLEncoding.EncodeToString(f.derive("nonce")) }
func (f flow) verifier() string { return base64.RawURLEncoding.EncodeToString(f.derive("verifier")) }

// began says whether this is the sign-in that a state belongs to.
func (f flow) began(state string) bool { return hmac.Equal([]byte(state), []byte(f.state())) }

// hash marks the sign-in: whatever tokens it yields, they open one session.
func (f flow) hash() [32]byte { return sha256.Sum256([]byte(f.nonce())) }
