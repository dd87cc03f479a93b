package identity_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/identity"
	"countersign/internal/sandbox"
)

// A token endpoint that hangs, floods, redirects or talks nonsense lets nobody
// in, and within three seconds.
func TestOIDCTokenEndpointIsBounded(t *testing.T) {
	t.Parallel()
	write := func(status int, body []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write(body)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"a hung connection": func(_ http.ResponseWriter, r *http.Request) { _ = r.ParseForm(); <-r.Context().Done() },
		"an endless answer": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<16)); err != nil {
					return
				}
			}
		},
		"over 1 MiB":       write(200, append([]byte(`{"access_token":"a","id_token":"x","more":"`), append(bytes.Repeat([]byte("m"), 1<<20), `"}`...)...)),
		"a redirect":       func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/oidc/keys", http.StatusFound) },
		"not JSON":         write(200, []byte("<html>")),
		"an error":         write(500, []byte(`{"error":"server_error"}`)),
		"the wrong secret": write(401, []byte(`{"error":"invalid_client","error_description":"the-secret-itself"}`)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			s := p.begin(newTab(t), p.client(), "/", false)
			p.answer("/oidc/token", answer)
			begun := time.Now()
			_, _, err := s.finish(t)
			if !errors.Is(err, identity.ErrUnavailable) || strings.Contains(err.Error(), "the-secret-itself") {
				t.Errorf("error is %v", err)
			}
			if took := time.Since(begun); took > 6*time.Second {
				t.Errorf("it took %s", took)
			}
			if n := p.count("/oidc/token"); n != 1 {
				t.Errorf("the code was shown %d times", n)
			}
		})
	}
}

func TestOIDCWrongSecret(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := p.begin(newTab(t), p.client(func(c *identity.Client) { c.Secret = "another" }), "/", false)
	if _, _, err := s.finish(t); !errors.Is(err, identity.ErrUnavailable) || p.count("/oidc/token") != 1 {
		t.Errorf("%v after %d tries", err, p.count("/oidc/token"))
	}
}

// The provider's description: had once, however many come; asked for at most
// once a minute while it is away; and one of another issuer is none.
func TestOIDCDiscovery(t *testing.T) {
	t.Parallel()
	const path = "/.well-known/openid-configuration"
	p := newProvider(t)
	client := p.client()
	p.answer(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if _, _, err := client.Start(t.Context(), "/", false); !errors.Is(err, identity.ErrUnavailable) {
				t.Errorf("error is %v", err)
			}
		})
	}
	all.Wait()
	if n := p.count(path); n != 1 {
		t.Errorf("asked %d times within the minute", n)
	}
	for name, change := range map[string]func(map[string]any){
		"another issuer's":  func(d map[string]any) { d["issuer"] = "https://elsewhere.example" },
		"no key address":    func(d map[string]any) { delete(d, "jwks_uri") },
		"no secret allowed": func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt"} },
		"a file":            func(d map[string]any) { d["token_endpoint"] = "file:///etc/passwd" },
	} {
		p.answer(path, p.described(change))
		p.pass(time.Minute)
		if _, _, err := client.Start(t.Context(), "/", false); !errors.Is(err, identity.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p.answer(path, p.described(func(d map[string]any) { d["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"} }))
	p.pass(time.Minute)
	p.sandbox.BendIDTokens(map[string]any{"exp": time.Now().Add(time.Hour).Unix()}) // the client's clock is ahead by now
	s := p.begin(newTab(t), client, "/", false)
	if _, _, err := s.finish(t); err != nil {
		t.Errorf("the secret in the form: %v", err)
	}
}

// described is the sandbox's own description, changed.
func (p *provider) described(change func(map[string]any)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		recorder := newRecorder()
		p.sandbox.Handler().ServeHTTP(recorder, r)
		var said map[string]any
		_ = json.Unmarshal(recorder.Bytes(), &said)
		change(said)
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(said)
	}
}

// An issuer with https does not lead to plain http.
func TestOIDCStaysProtected(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	for field, want := range map[string]bool{"": true, "authorization_endpoint": false, "token_endpoint": false, "jwks_uri": false} {
		describe := p.described(func(d map[string]any) {
			d["issuer"] = "https://id.example"
			for _, one := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri", "end_session_endpoint"} {
				if one != field {
					d[one] = "https://id.example/" + one
				}
			}
		})
		client, err := identity.NewOIDC(identity.Client{Issuer: "https://id.example", ID: "a", Secret: "b", Back: app + "/signed-in"},
			identity.WithTransport(answers(describe)))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := client.Start(t.Context(), "/", false); (err == nil) != want {
			t.Errorf("plain http as %s: %v", field, err)
		}
	}
}

// A rotated key is found, and a flood of unknown ones costs one fetch a minute.
func TestOIDCKeys(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client := p.client()
	sign := func() error {
		_, _, err := p.begin(newTab(t), client, "/", false).finish(t)
		return err
	}
	if err := sign(); err != nil {
		t.Fatal(err)
	}
	p.sandbox.BendIDTokens(nil, sandbox.MintStranger(), sandbox.MintHeader("kid", "nobody"))
	p.pass(time.Minute)
	for range 10 {
		if err := sign(); !errors.Is(err, identity.ErrRefused) {
			t.Fatalf("an unknown key: %v", err)
		}
	}
	if n := p.count("/oidc/keys"); n != 2 {
		t.Errorf("%d fetches for a flood within a minute, want 2 with the first", n)
	}
	p.sandbox.BendIDTokens(nil)
	if err := p.sandbox.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	p.pass(time.Minute)
	if err := sign(); err != nil {
		t.Errorf("a rotated key: %v", err)
	}
	p.answer("/oidc/keys", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	for range 2 {
		if err := p.sandbox.RotateKeys(); err != nil {
			t.Fatal(err)
		}
	}
	p.pass(time.Minute)
	if err := sign(); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("the keys are away and the token's is not among those kept: %v", err)
	}
	p.sandbox.BendIDTokens(map[string]any{"exp": time.Now().Add(48 * time.Hour).Unix(), "auth_time": time.Now().Add(25 * time.Hour).Unix()})
	p.pass(25 * time.Hour)
	if err := sign(); !errors.Is(err, identity.ErrUnavailable) {
		t.Errorf("the keys are away for over a day: %v", err)
	}
}

func TestOIDCLogout(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client, browser := p.client(), newTab(t)
	p.begin(browser, client, "/", false)
	out := client.LogoutURL(t.Context(), app+"/signed-out")
	response, err := browser.http.Get(out)
	if err != nil || response.StatusCode != http.StatusFound || response.Header.Get("Location") != app+"/signed-out" {
		t.Fatalf("%v %v", response, err)
	}
	if s := p.begin(browser, client, "/", false); !s.asked {
		t.Error("after signing out the provider still knows the person")
	}
	p.answer("/.well-known/openid-configuration", p.described(func(d map[string]any) { delete(d, "end_session_endpoint") }))
	if got := p.client().LogoutURL(t.Context(), app+"/signed-out"); got != "" {
		t.Errorf("without such an address: %q", got)
	}
}

func TestNewOIDCRefusesWhatWouldLetAnyoneIn(t *testing.T) {
	t.Parallel()
	good := identity.Client{Issuer: "https://id.example/realms/clinic", ID: "countersign", Secret: "s", Back: app + "/signed-in"}
	if _, err := identity.NewOIDC(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*identity.Client){
		"no issuer":          func(c *identity.Client) { c.Issuer = "" },
		"a file":             func(c *identity.Client) { c.Issuer = "file:///keys" },
		"an issuer's query":  func(c *identity.Client) { c.Issuer += "?x=1" },
		"no client":          func(c *identity.Client) { c.ID = " " },
		"no secret":          func(c *identity.Client) { c.Secret = "" },
		"nowhere to go back": func(c *identity.Client) { c.Back = "/signed-in" },
	} {
		c := good
		spoil(&c)
		if _, err := identity.NewOIDC(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// answers is a transport that goes nowhere.
type answers http.HandlerFunc

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := newRecorder()
	a(recorder, r)
	return recorder.Result(), nil
}

// publicJWK is a key of an attacker's own.
var publicJWK = sync.OnceValue(func() map[string]any {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return map[string]any{"kty": "RSA", "alg": "RS256", "n": base64.RawURLEncoding.EncodeToString(key.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(key.E)).Bytes())}
})

// recookie changes one field of a sign-in's cookie.
func recookie(cookie, field string, value any) string {
	raw, _ := base64.RawURLEncoding.DecodeString(cookie)
	var fields map[string]any
	_ = json.Unmarshal(raw, &fields)
	fields[field] = value
	raw, _ = json.Marshal(fields)
	return base64.RawURLEncoding.EncodeToString(raw)
}
