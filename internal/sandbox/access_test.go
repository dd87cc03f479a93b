package sandbox_test

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"countersign/internal/sandbox"
)

func (w *world) verifier() *oidc.IDTokenVerifier {
	keys := oidc.NewRemoteKeySet(context.Background(), w.url+"/cdn-cgi/access/certs")
	return oidc.NewVerifier(w.url, keys, &oidc.Config{ClientID: w.settings["ACCESS_AUD"], SupportedSigningAlgs: []string{oidc.RS256}})
}

// localhost gets a page as a browser at localhost does, without following redirects.
func (w *world) localhost(path string) (*http.Response, string) {
	w.t.Helper()
	near := world{t: w.t, url: strings.Replace(w.url, "127.0.0.1", "localhost", 1)}
	return near.get(path)
}

func TestSignInGivesARealToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	resp, _ := w.localhost("/sign-in/amara-osei?redirect_url=" + url.QueryEscape("/reviews?mine=1"))
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != w.app+"/reviews?mine=1" {
		t.Fatalf("%d to %s", resp.StatusCode, resp.Header.Get("Location"))
	}
	cookie := resp.Cookies()[0]
	if cookie.Name != "CF_Authorization" || cookie.Path != "/" || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Domain != "" {
		t.Fatalf("cookie %v", cookie)
	}
	token, err := w.verifier().Verify(context.Background(), cookie.Value)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Email, Name, Type, Identity_nonce string }
	if err := token.Claims(&claims); err != nil || token.Subject != "amara-osei" || claims.Email != "amara.osei@riverside.example" ||
		claims.Name != "Dr Amara Osei" || claims.Type != "app" || claims.Identity_nonce == "" {
		t.Fatalf("claims %+v %v", claims, err)
	}
	if left := time.Until(token.Expiry); left > 24*time.Hour || left < 23*time.Hour {
		t.Errorf("ends in %v", left)
	}
}

// The page promises of each role only what the product has.
func TestSignInPageSaysWhatEachRoleDoes(t *testing.T) {
	t.Parallel()
	_, page := newWorld(t).localhost("/sign-in")
	for does, people := range map[string]int{
		"writes briefs, asks for drafts, submits them": 2, "reviews, answers findings, signs": 2,
		"signs administrative messages, returns any with a note": 1, "searches the audit trail, has it verified": 1,
		"people, care teams, settings, security, status": 1, "status, alerts, jobs, the queue board": 1, "not known to the clinic": 1,
	} {
		if n := strings.Count(page, ">"+does+"<"); n != people {
			t.Errorf("%q is said of %d people, want %d", does, n, people)
		}
	}
}

func TestBadTokensAreBad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	past, future := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for name, c := range map[string]struct {
		claims  map[string]any
		options []sandbox.MintOption
	}{
		"unsigned":       {nil, []sandbox.MintOption{sandbox.MintAlgorithm("none")}},
		"public secret":  {nil, []sandbox.MintOption{sandbox.MintAlgorithm("HS256")}},
		"other rsa":      {nil, []sandbox.MintOption{sandbox.MintAlgorithm("RS512")}},
		"stranger":       {nil, []sandbox.MintOption{sandbox.MintStranger()}},
		"unknown kid":    {nil, []sandbox.MintOption{sandbox.MintStranger(), sandbox.MintHeader("kid", "nobody")}},
		"wrong issuer":   {map[string]any{"iss": "https://elsewhere.example"}, nil},
		"wrong audience": {map[string]any{"aud": []string{"other"}}, nil},
		"expired":        {map[string]any{"exp": past}, nil},
		"not yet":        {map[string]any{"nbf": future}, nil},
		"no end":         {map[string]any{"exp": nil}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := w.sandbox.Mint(c.claims, c.options...)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(token, ".") != 2 {
				t.Fatalf("token %q", token)
			}
			if _, err := w.verifier().Verify(context.Background(), token); err == nil {
				t.Fatal("taken")
			}
		})
	}
	if _, err := w.sandbox.Mint(nil, sandbox.MintAlgorithm("XX1")); err == nil {
		t.Error("minted with no algorithm")
	}
	good, err := w.sandbox.Mint(map[string]any{"sub": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.verifier().Verify(context.Background(), good); err != nil {
		t.Errorf("a good token: %v", err)
	}
}

func TestSignInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back := "/cdn-cgi/access/login/localhost?kid=" + w.settings["ACCESS_AUD"] + "&redirect_url=%2Fdrafts%2F7"
	resp, text := w.localhost(back)
	for _, want := range []string{"Who are you today?", `href="/sign-in/casey-stranger?redirect_url=%2Fdrafts%2F7"`, "Dr Jonas Lindqvist", "not known to the clinic"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(text, "style=") || strings.Contains(text, "<style") {
		t.Errorf("policy %q", policy)
	}
	if resp, _ := w.localhost("/cdn-cgi/access/login/localhost?kid=other"); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("another audience: %d", resp.StatusCode)
	}
	if resp, _ := w.localhost("/sign-in/nobody"); resp.StatusCode != http.StatusNotFound || len(resp.Cookies()) > 0 {
		t.Errorf("an unknown person: %d", resp.StatusCode)
	}
	resp, text = w.localhost("/cdn-cgi/access/logout")
	if c := resp.Cookies(); len(c) != 1 || c[0].MaxAge >= 0 || !strings.Contains(text, `href="/sign-in"`) {
		t.Errorf("sign-out: %v", c)
	}
	resp, _ = w.get("/sign-in?redirect_url=%2Fa")
	if to := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || to != strings.Replace(w.url, "127.0.0.1", "localhost", 1)+"/sign-in?redirect_url=%2Fa" {
		t.Errorf("127.0.0.1 goes to %q", to)
	}
}

func TestRedirectStaysWithTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for given, want := range map[string]string{
		"": "/", "/": "/", "/m?x=1": "/m?x=1", "//evil.example": "/", `/\evil.example`: "/", "https://evil.example/": "/",
		"evil": "/", "@evil.example": "/", ".evil.example": "/", "/a\r\nSet-Cookie: x=y": "/", "javascript:alert(1)": "/", "/%zz": "/",
	} {
		resp, _ := w.localhost("/sign-in/tom-reyes?redirect_url=" + url.QueryEscape(given))
		if to := resp.Header.Get("Location"); to != w.app+want {
			t.Errorf("%q goes to %q", given, to)
		}
	}
}

func TestAccessCerts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, text := w.get("/cdn-cgi/access/certs")
	type cert struct{ Kid, Cert string }
	var certs struct {
		Keys         []map[string]string
		Public_cert  cert
		Public_certs []cert
	}
	if err := json.Unmarshal([]byte(text), &certs); err != nil {
		t.Fatal(err)
	}
	if len(certs.Keys) != 1 || certs.Keys[0]["kty"] != "RSA" || certs.Keys[0]["alg"] != "RS256" || certs.Keys[0]["use"] != "sig" || certs.Keys[0]["d"] != "" {
		t.Fatalf("keys %v", certs.Keys)
	}
	block, _ := pem.Decode([]byte(certs.Public_cert.Cert))
	if block == nil || len(certs.Public_certs) != 1 || certs.Public_cert.Kid != certs.Keys[0]["kid"] {
		t.Fatalf("certs %s", text)
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Error(err)
	}
}
