package identity_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/identity"
	"countersign/internal/sandbox"
)

func TestOIDCSaysWhoItIs(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := p.begin(newTab(t), p.client(), "/reviews?mine=1", false)
	who, to, err := s.finish(t)
	if err != nil {
		t.Fatal(err)
	}
	if who.Issuer != p.url || who.Subject != "tom-reyes" || who.Email != "tom.reyes@riverside.example" || who.Name != "Tom Reyes" ||
		who.Anew || to != "/reviews?mine=1" || time.Since(who.SignedInAt) > time.Minute {
		t.Errorf("%+v to %q", who, to)
	}
	for _, name := range []string{"code", "state"} {
		if strings.Contains(s.cookie, s.answer.Get(name)) {
			t.Errorf("the cookie holds the %s", name)
		}
	}
	if p.count("/.well-known/openid-configuration") != 1 || p.count("/oidc/token") != 1 || p.count("/oidc/keys") != 1 {
		t.Errorf("asked: %v", p.asked)
	}
}

// What the provider is asked: the code flow with PKCE S256, and when it must
// have seen the person.
func TestOIDCAsks(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client := p.client()
	for anew, want := range map[bool][2]string{false: {"", "43200"}, true: {"login", "0"}} {
		address, _, err := client.Start(t.Context(), "/", anew)
		if err != nil {
			t.Fatal(err)
		}
		u, _ := url.Parse(address)
		q := u.Query()
		if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || q.Get("scope") != "openid profile email" ||
			len(q.Get("state")) != 43 || len(q.Get("nonce")) != 43 || q.Get("redirect_uri") != app+"/signed-in" || q.Get("prompt") != want[0] || q.Get("max_age") != want[1] {
			t.Errorf("anew %v: %s", anew, address)
		}
	}
}

// The provider remembers people between sign-ins; a fresh sign-in asks all the
// same, and its token says so.
func TestOIDCAnew(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	browser, client := newTab(t), p.client()
	first := p.begin(browser, client, "/", false)
	known := p.begin(browser, client, "/", false)
	if !first.asked || known.asked {
		t.Fatalf("asked at first %v, and again %v", first.asked, known.asked)
	}
	anew := p.begin(browser, client, "/", true)
	who, _, err := anew.finish(t)
	if err != nil || !anew.asked || !who.Anew {
		t.Errorf("anew: asked %v, %+v, %v", anew.asked, who, err)
	}
}

// bad is one sign-in with one thing wrong. The same one without it is accepted
// before and after.
type bad struct {
	claims map[string]any
	mint   []sandbox.MintOption
	anew   bool
	bend   func(p *provider, s *begun)
	says   string
}

func TestOIDCRefusesBadTokens(t *testing.T) {
	t.Parallel()
	now := time.Now()
	at := func(d time.Duration) int64 { return now.Add(d).Unix() } // the tests below take seconds: keep a distance from the limits
	mint := func(o ...sandbox.MintOption) []sandbox.MintOption { return o }
	refuse(t, map[string]bad{
		"unsigned":                  {mint: mint(sandbox.MintAlgorithm("none")), says: "RS256"},
		"HS256 by the public key":   {mint: mint(sandbox.MintAlgorithm("HS256")), says: "RS256"},
		"RS512":                     {mint: mint(sandbox.MintAlgorithm("RS512")), says: "RS256"},
		"another key":               {mint: mint(sandbox.MintStranger()), says: "the signature does not match"},
		"unknown key":               {mint: mint(sandbox.MintStranger(), sandbox.MintHeader("kid", "nobody")), says: "an unknown key"},
		"no key id":                 {mint: mint(sandbox.MintHeader("kid", "")), says: "names no key"},
		"its own key in it":         {mint: mint(sandbox.MintStranger(), sandbox.MintHeader("jwk", publicJWK())), says: "the signature does not match"},
		"wrong issuer":              {claims: map[string]any{"iss": "https://elsewhere.example"}, says: "another issuer or audience"},
		"no issuer":                 {claims: map[string]any{"iss": nil}, says: "another issuer or audience"},
		"wrong audience":            {claims: map[string]any{"aud": "another-app"}, says: "another issuer or audience"},
		"no audience":               {claims: map[string]any{"aud": nil}, says: "another issuer or audience"},
		"issued to another party":   {claims: map[string]any{"azp": "another-app"}, says: "another party"},
		"two audiences, no party":   {claims: map[string]any{"aud": []string{"countersign", "another-app"}}, says: "another party"},
		"expired":                   {claims: map[string]any{"exp": at(-time.Second)}, says: "expired"},
		"no expiry":                 {claims: map[string]any{"exp": nil}, says: "expired"},
		"not yet valid":             {claims: map[string]any{"nbf": at(4 * time.Minute)}, says: "not yet valid"},
		"issued in the future":      {claims: map[string]any{"iat": at(4 * time.Minute)}, says: "in the future"},
		"no issue time":             {claims: map[string]any{"iat": nil}, says: "does not say when"},
		"no time of sign-in":        {claims: map[string]any{"auth_time": nil}, says: "does not say when"},
		"signed in in the future":   {claims: map[string]any{"auth_time": at(4 * time.Minute)}, says: "in the future"},
		"signed in too long ago":    {claims: map[string]any{"auth_time": at(-12*time.Hour - 2*time.Minute)}, says: "too long ago"},
		"asked anew, but was not":   {claims: map[string]any{"auth_time": at(-3 * time.Minute)}, anew: true, says: "not asked anew"},
		"wrong nonce":               {claims: map[string]any{"nonce": "of-another-sign-in"}, says: "another sign-in"},
		"no nonce":                  {claims: map[string]any{"nonce": nil}, says: "another sign-in"},
		"no subject":                {claims: map[string]any{"sub": nil}, says: "no subject"},
		"blank subject":             {claims: map[string]any{"sub": " "}, says: "no subject"},
		"service token":             {claims: map[string]any{"sub": "", "common_name": "ci.access"}, says: "no subject"},
		"oversized":                 {claims: map[string]any{"picture": strings.Repeat("x", 16<<10)}, says: "not a compact token"},
		"claims of the wrong shape": {claims: map[string]any{"auth_time": "yesterday"}, says: "cannot be read"},
		"an Access assertion": {bend: func(p *provider, s *begun) {
			assertion, _ := p.sandbox.Mint(map[string]any{"sub": "tom-reyes", "aud": "countersign"})
			p.answer("/oidc/token", tokenAnswer(assertion))
		}, says: "an unknown key"},
		"no id token":      {bend: func(p *provider, s *begun) { p.answer("/oidc/token", tokenAnswer("")) }, says: "no id token"},
		"spelt with a pad": {bend: func(p *provider, s *begun) { p.answer("/oidc/token", respelt(p, "=")) }, says: "not a compact token"},
	})
}

func TestOIDCRefusesBadAnswers(t *testing.T) {
	t.Parallel()
	set := func(name, value string) func(*provider, *begun) {
		return func(_ *provider, s *begun) { s.answer.Set(name, value) }
	}
	refuse(t, map[string]bad{
		"wrong state":            {bend: set("state", strings.Repeat("A", 43)), says: "another sign-in"},
		"no state":               {bend: set("state", ""), says: "another sign-in"},
		"two states":             {bend: func(_ *provider, s *begun) { s.answer.Add("state", s.answer.Get("state")) }, says: "two of a kind"},
		"two codes":              {bend: func(_ *provider, s *begun) { s.answer.Add("code", "x") }, says: "two of a kind"},
		"mixed-up issuer":        {bend: set("iss", "https://elsewhere.example"), says: "of another issuer"},
		"no issuer":              {bend: func(_ *provider, s *begun) { s.answer.Del("iss") }, says: "of another issuer"},
		"no code":                {bend: set("code", ""), says: "no code"},
		"wrong code":             {bend: set("code", "made-up"), says: "does not take the code"},
		"another browser":        {bend: func(p *provider, s *begun) { s.cookie = p.begin(newTab(p.t), s.client, "/", false).cookie }, says: "another sign-in"},
		"no cookie":              {bend: func(_ *provider, s *begun) { s.cookie = "" }, says: "carries no token"},
		"a cookie of rubbish":    {bend: func(_ *provider, s *begun) { s.cookie = "%%%" }, says: "cannot be read"},
		"a cookie, longer":       {bend: func(_ *provider, s *begun) { s.cookie = recookie(s.cookie, "at", time.Now().Unix()+30) }, says: "another sign-in"},
		"a cookie leading away":  {bend: func(_ *provider, s *begun) { s.cookie = recookie(s.cookie, "to", "//evil.example") }, says: "another sign-in"},
		"a cookie with a secret": {bend: func(_ *provider, s *begun) { s.cookie = recookie(s.cookie, "s", "AAAA") }, says: "cannot be read"},
		"too late":               {bend: func(p *provider, _ *begun) { p.pass(10*time.Minute + time.Second) }, says: "too long ago"},
		"before it began":        {bend: func(p *provider, _ *begun) { p.pass(-2 * time.Minute) }, says: "too long ago"},
		"wrong PKCE verifier": {bend: func(p *provider, _ *begun) {
			p.answer("/oidc/token", func(w http.ResponseWriter, r *http.Request) {
				_ = r.ParseForm()
				r.PostForm.Set("code_verifier", strings.Repeat("v", 43))
				forward(p, w, r)
			})
		}, says: "does not take the code"},
	})
}

// refuse wants each to be refused, and the same without its fault accepted,
// before and after, by one client.
func refuse(t *testing.T, tests map[string]bad) {
	t.Helper()
	p := newProvider(t)
	client := p.client()
	accepted := func(when string, anew bool) {
		t.Helper()
		if _, _, err := p.begin(newTab(t), client, "/", anew).finish(t); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
	}
	for name, tt := range tests {
		accepted("before "+name, tt.anew)
		p.sandbox.BendIDTokens(tt.claims, tt.mint...)
		s := p.begin(newTab(t), client, "/", tt.anew)
		if tt.bend != nil {
			tt.bend(p, s)
		}
		who, _, err := s.finish(t)
		if !errors.Is(err, identity.ErrRefused) && !errors.Is(err, identity.ErrNoToken) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: error is %v, want refused with %q", name, err, tt.says)
		}
		if who != (identity.Person{}) {
			t.Errorf("%s: a refused sign-in names a person", name)
		}
		p.sandbox.BendIDTokens(nil)
		p.answer("/oidc/token", nil)
		p.pass(-p.moved)
		accepted("after "+name, tt.anew)
	}
}

// A code is good once. Who goes to the provider twice with one sign-in brings two codes and two tokens, and both carry
// the same mark, so that they open one session.
func TestOIDCCodeOnce(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	browser, client := newTab(t), p.client()
	s := p.begin(browser, client, "/", false)
	first, _, err := s.finish(t)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.finish(t); !errors.Is(err, identity.ErrRefused) || !strings.Contains(err.Error(), "does not take the code") {
		t.Errorf("a code a second time: %v", err)
	}
	address, cookie, err := client.Start(t.Context(), "/", false)
	if err != nil {
		t.Fatal(err)
	}
	var marks [2][32]byte
	for i := range marks {
		answer, _ := browser.answer(address)
		who, _, err := client.Finish(t.Context(), cookie, answer)
		if err != nil {
			t.Fatal(err)
		}
		marks[i] = who.TokenHash
	}
	if marks[0] != marks[1] || marks[0] == first.TokenHash {
		t.Errorf("of one sign-in the same mark: %v; of another, another: %v", marks[0] == marks[1], marks[0] != first.TokenHash)
	}
}

func TestOIDCDeclined(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client := p.client()
	address, cookie, err := client.Start(t.Context(), "/patients", false)
	if err != nil {
		t.Fatal(err)
	}
	answer, _ := newTab(t).answer(strings.Replace(address, "/oidc/authorize?", "/oidc/authorize/nobody?", 1))
	if _, to, err := client.Finish(t.Context(), cookie, answer); !errors.Is(err, identity.ErrDeclined) || to != "/patients" {
		t.Errorf("%v to %q", err, to)
	}
	answer.Set("state", "another")
	if _, _, err := client.Finish(t.Context(), cookie, answer); !errors.Is(err, identity.ErrRefused) {
		t.Errorf("a refusal of another sign-in: %v", err)
	}
}

// tokenAnswer is a token endpoint that gives this id token.
func tokenAnswer(idToken string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		answer := map[string]any{"access_token": "a", "token_type": "Bearer"}
		if idToken != "" {
			answer["id_token"] = idToken
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	}
}

// respelt is the provider's own answer with something after its id token.
func respelt(p *provider, more string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		p.sandbox.Handler().ServeHTTP(recorder, r)
		var said map[string]any
		_ = json.Unmarshal(recorder.Body.Bytes(), &said)
		tokenAnswer(said["id_token"].(string)+more)(w, r)
	}
}

// forward passes a changed form on.
func forward(p *provider, w http.ResponseWriter, r *http.Request) {
	body := r.PostForm.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Form, r.PostForm = nil, nil
	p.sandbox.Handler().ServeHTTP(w, r)
}
