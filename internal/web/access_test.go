package web

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Every bad assertion at the front door: nobody gets in, no session is opened, and what was refused is on the trail. The
// good one of the same shape opens a session.
func TestBadAssertionsOpenNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.Rates.Address, c.Rates.SignIn = 1000, 1000 }) // so that each is judged for itself
	now := s.world.Clock.Now()
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	with := func(claims map[string]any) string { return bent(t, s.world.Staff.Name, now, "k", signingKey(), claims) }
	used := with(nil)
	s.visitor(t).arrive("192.0.2.7", used) // a second session from one token
	const proxy, peer = "10.0.0.9", "192.0.2.7"
	for name, c := range map[string]struct {
		from      string
		headers   []string
		cookie    string
		status    int
		onTheTail int // refusals
	}{
		"unsigned":                {peer, nil, unsigned(with(nil)), 401, 1},
		"HS256 by the public key": {peer, nil, byPublicKey(t, s.world.Staff.Name, now), 401, 1},
		"wrong issuer":            {peer, nil, with(map[string]any{"iss": "https://elsewhere.cloudflareaccess.com"}), 401, 1},
		"wrong audience":          {peer, nil, with(map[string]any{"aud": []string{"another-app"}}), 401, 1},
		"expired":                 {peer, nil, with(map[string]any{"exp": now.Add(-2 * time.Minute).Unix()}), 401, 1},
		"not yet valid":           {peer, nil, with(map[string]any{"nbf": now.Add(2 * time.Minute).Unix()}), 401, 1},
		"issued in the future":    {peer, nil, with(map[string]any{"iat": now.Add(2 * time.Minute).Unix()}), 401, 1},
		"unknown key":             {peer, nil, bent(t, s.world.Staff.Name, now, "nobody", stranger, nil), 401, 1},
		"another key":             {peer, nil, bent(t, s.world.Staff.Name, now, "k", stranger, nil), 401, 1},
		"two headers":             {proxy, []string{with(nil), with(nil)}, "", 401, 1},
		"two headers, a cookie":   {proxy, []string{with(nil), with(nil)}, with(nil), 401, 1},
		"untrusted header":        {peer, []string{with(nil)}, "", 401, 0}, // not looked at
		"service token":           {peer, nil, with(map[string]any{"sub": "", "common_name": "ci.access"}), 401, 1},
		"no subject":              {peer, nil, with(map[string]any{"sub": nil}), 401, 1},
		"a second session":        {peer, nil, used, 401, 1},
		"oversized":               {proxy, []string{with(map[string]any{"custom": map[string]any{"x": strings.Repeat("x", 16<<10)}})}, "", 401, 1},
		"respelt":                 {peer, nil, with(nil) + "=", 401, 1},
		"good, in the cookie":     {peer, nil, with(nil), 303, 0},
		"good, in the header":     {proxy, []string{with(nil)}, "", 303, 0},
	} {
		refused := refusals(t, s.world, "")
		sessions := s.world.Count(t, "SELECT count(*) FROM sessions")
		got := s.visitor(t).arrive(c.from, c.cookie, c.headers...)
		opened := s.world.Count(t, "SELECT count(*) FROM sessions") - sessions
		if got.Code != c.status || (opened == 1) != (c.status == 303) || (got.Header().Get("Set-Cookie") != "") != (c.status == 303) {
			t.Errorf("%s: %d, %d sessions opened, cookie %q", name, got.Code, opened, got.Header().Get("Set-Cookie"))
		}
		if n := refusals(t, s.world, "") - refused; n != c.onTheTail {
			t.Errorf("%s: %d refusals on the trail, want %d", name, n, c.onTheTail)
		}
	}
	for range 20 { // a flood of unknown keys costs the issuer nothing
		s.visitor(t).arrive(peer, bent(t, s.world.Staff.Name, now, rand.Text(), stranger, nil))
	}
	if n := s.certs.asked.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	if strings.Contains(s.log.String(), "eyJ") {
		t.Error("a token is in the log")
	}
}

// arrive comes to /signed-in from an address, with assertions in headers and one in the cookie.
func (v *visitor) arrive(from, cookie string, headers ...string) *httptest.ResponseRecorder {
	v.t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/signed-in?next=%2F", nil)
	r.Host, r.RemoteAddr = "localhost:8080", from+":4242"
	for _, h := range headers {
		r.Header.Add("Cf-Access-Jwt-Assertion", h)
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: "CF_Authorization", Value: cookie})
	}
	rec := httptest.NewRecorder()
	v.site.ServeHTTP(rec, r)
	return rec
}

// unsigned is a token with its signature taken off and its header saying so.
func unsigned(token string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"k"}`)) + "." + strings.Split(token, ".")[1] + "."
}

// byPublicKey is the old trick: the public key as the secret of an HS256.
func byPublicKey(t *testing.T, subject string, at time.Time) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(&signingKey().PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	secret := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secret}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(map[string]any{"iss": "http://issuer.test", "aud": testAudience, "sub": subject, "iat": at.Unix(),
		"exp": at.Add(time.Hour).Unix()}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
