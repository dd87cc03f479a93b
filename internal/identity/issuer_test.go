package identity

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

const audience = "4714c1358e65fe4b408ad6d432a5f878"

// testKeys are made once: an RSA key costs a second under -race.
var testKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var made [2]*rsa.PrivateKey
	for i := range made {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		made[i] = key
	}
	return made
})

// issuer plays the certs address of an Access team, with real keys and a clock
// that the test moves.
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	time    time.Time
	fetches int
	answer  http.HandlerFunc // nil: the key set
	ids     []string         // which of the two keys are published
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{time: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), ids: []string{"key-0"}}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		i.fetches++
		answer, ids := i.answer, i.ids
		i.mu.Unlock()
		switch {
		case r.URL.Path != "/cdn-cgi/access/certs":
			http.NotFound(w, r)
		case answer != nil:
			answer(w, r)
		default:
			_, _ = w.Write(keySet(ids...))
		}
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) now() time.Time { i.mu.Lock(); defer i.mu.Unlock(); return i.time }

func (i *issuer) pass(d time.Duration) { i.mu.Lock(); defer i.mu.Unlock(); i.time = i.time.Add(d) }

func (i *issuer) fetched() int { i.mu.Lock(); defer i.mu.Unlock(); return i.fetches }

func (i *issuer) publish(answer http.HandlerFunc, ids ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer, i.ids = answer, ids
}

func (i *issuer) access(t *testing.T) *Access {
	t.Helper()
	access, err := NewAccess(i.URL, audience, WithClock(i.now))
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// token is a token before it is signed. A test bends one thing in it.
type token struct {
	header, claims map[string]any
	sign           func(signed []byte) []byte
}

func (i *issuer) token() *token {
	now := i.now()
	return &token{
		header: map[string]any{"alg": "RS256", "typ": "JWT", "kid": "key-0"},
		claims: map[string]any{
			"iss": i.URL, "aud": []string{audience}, "sub": "amara-osei", "email": "amara.osei@riverside.example",
			"name": "Dr Amara Osei", "type": "app", "identity_nonce": "n-1",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(24 * time.Hour).Unix(),
		},
		sign: withRSA(0),
	}
}

func (k *token) String() string {
	signed := part(k.header) + "." + part(k.claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(k.sign([]byte(signed)))
}

func part(fields map[string]any) string {
	raw, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func withRSA(n int) func([]byte) []byte {
	return func(signed []byte) []byte {
		sum := sha256.Sum256(signed)
		signature, err := rsa.SignPKCS1v15(nil, testKeys()[n], crypto.SHA256, sum[:])
		if err != nil {
			panic(err)
		}
		return signature
	}
}

// withPublicKeyAsSecret is the old trick: HS256 with the public key's PEM.
func withPublicKeyAsSecret(signed []byte) []byte {
	der, err := x509.MarshalPKIXPublicKey(testKeys()[0].Public())
	if err != nil {
		panic(err)
	}
	mac := hmac.New(sha256.New, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	mac.Write(signed)
	return mac.Sum(nil)
}

func publicJWK(id string, n int) map[string]any {
	public := testKeys()[n].PublicKey
	return map[string]any{
		"kid": id, "kty": "RSA", "alg": "RS256", "use": "sig",
		"n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
	}
}

// keySet is what Access answers: key-0 and key-1, beside a key that cannot be
// used.
func keySet(ids ...string) []byte {
	published := []map[string]any{{"kid": "odd", "kty": "XYZ"}}
	for _, id := range ids {
		published = append(published, publicJWK(id, int(id[len(id)-1]-'0')))
	}
	raw, err := json.Marshal(map[string]any{"keys": published, "public_certs": []any{}})
	if err != nil {
		panic(err)
	}
	return raw
}
