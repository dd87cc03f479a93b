package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"countersign"
	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/identity"
)

const testAudience = "the-audience"

// signingKey is made once: a key costs a second under -race.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// certs plays the certs address of the World's issuer.
type certs struct{ asked atomic.Int64 }

func (c *certs) RoundTrip(r *http.Request) (*http.Response, error) {
	c.asked.Add(1)
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &signingKey().PublicKey, KeyID: "k", Algorithm: "RS256", Use: "sig"}}}
	body, err := json.Marshal(set)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, err
}

// assertion is a token of the issuer for one of the World's people. No two are alike.
func assertion(t testing.TB, subject string, at time.Time) string {
	t.Helper()
	return bent(t, subject, at, "k", signingKey(), nil)
}

// bent is an assertion with claims laid over the usual ones; nil takes one away.
func bent(t testing.TB, subject string, at time.Time, kid string, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"iss": clinictest.Issuer, "aud": []string{testAudience}, "sub": subject, "email": "someone@riverside.example", "name": subject,
		"type": "app", "identity_nonce": rand.Text(), "iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(24 * time.Hour).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, v any) bool { return v == nil })
	token, err := jwt.Signed(signer).Claims(all).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// site is a server in front of a clinic of its own, with the real templates.
type site struct {
	*Server
	world *clinictest.World
	hub   *bell
	log   *safeBuffer
	certs certs
}

func newSite(t testing.TB, change ...func(*Config)) *site {
	t.Helper()
	s := &site{world: clinictest.New(t), hub: &bell{healthy: true}, log: &safeBuffer{}}
	access, err := identity.NewAccess(clinictest.Issuer, testAudience, identity.WithClock(s.world.Clock.Now), identity.WithTransport(&s.certs))
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Clinic: s.world.Clinic, Access: access, AccessIssuer: clinictest.Issuer, AccessAudience: testAudience,
		BaseURL: "http://localhost:8080", Env: "local", Templates: countersign.Templates(), Static: countersign.Static(),
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Hub: s.hub, Now: s.world.Clock.Now,
		Log: slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	for _, f := range change {
		f(&cfg)
	}
	if s.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	return s
}

// bell is a hub that rings when a test says so.
type bell struct {
	mu      sync.Mutex
	healthy bool
	to      []chan string
	names   [][]string
}

func (b *bell) Subscribe(names []string) (<-chan string, func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := make(chan string, 8)
	b.to, b.names = append(b.to, c), append(b.names, names)
	return c, func() {}
}

func (b *bell) Healthy() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.healthy }

func (b *bell) ring(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.to {
		c <- name
	}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}
func (b *safeBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.b.String() }

// visitor is a browser: it keeps cookies.
type visitor struct {
	t       testing.TB
	site    *site
	cookies map[string]string
	header  http.Header
}

func (s *site) visitor(t testing.TB) *visitor {
	return &visitor{t: t, site: s, cookies: map[string]string{}, header: http.Header{}}
}

// as signs one of the World's people in.
func (s *site) as(t testing.TB, who clinic.Actor) *visitor {
	t.Helper()
	v := s.visitor(t)
	v.cookies["CF_Authorization"] = assertion(t, who.Name, s.world.Clock.Now())
	if got := v.get("/signed-in?next=%2F"); got.Code != http.StatusSeeOther || v.cookies[sessionCookie] == "" {
		t.Fatalf("signing in as %s: %d %s", who.Name, got.Code, got.Body)
	}
	return v
}

func (v *visitor) do(r *http.Request) *httptest.ResponseRecorder {
	r.Host = "localhost:8080"
	r.RemoteAddr = "192.0.2.7:4242"
	for name, values := range v.header {
		r.Header[name] = values
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	v.site.ServeHTTP(rec, r)
	for _, c := range rec.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return rec
}

func (v *visitor) get(path string) *httptest.ResponseRecorder {
	return v.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (v *visitor) post(path string, fields ...string) *httptest.ResponseRecorder {
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", urlEncoded)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return v.do(r)
}

// htmx is the same browser asking by htmx, for the element with this id.
func (v *visitor) htmx(target string) *visitor {
	other := *v
	other.header = http.Header{"Hx-Request": {"true"}, "Hx-Target": {target}}
	return &other
}

func (v *visitor) wants(got *httptest.ResponseRecorder, status int, words ...string) {
	v.t.Helper()
	if got.Code != status {
		v.t.Fatalf("status %d, want %d; location %q\n%s", got.Code, status, got.Header().Get("Location"), got.Body)
	}
	for _, w := range words {
		if !strings.Contains(got.Body.String(), w) {
			v.t.Errorf("%q is missing in:\n%s", w, got.Body)
		}
	}
}

func (v *visitor) goes(got *httptest.ResponseRecorder, to string) {
	v.t.Helper()
	if got.Code != http.StatusSeeOther || got.Header().Get("Location") != to {
		v.t.Fatalf("status %d to %q, want a 303 to %q\n%s", got.Code, got.Header().Get("Location"), to, got.Body)
	}
}

func ctx() context.Context { return context.Background() }
