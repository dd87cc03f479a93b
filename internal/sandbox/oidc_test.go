package sandbox_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"countersign/internal/sandbox"
)

// asker is an app that asks the sandbox who somebody is, with the libraries everybody uses, and its browser.
type asker struct {
	w        *world
	settings map[string]string
	provider *oidc.Provider
	config   oauth2.Config
	verifier string
	http     *http.Client
}

func newAsker(t *testing.T, w *world) *asker {
	t.Helper()
	a := &asker{w: w, settings: w.sandbox.SettingsOIDC(), verifier: oauth2.GenerateVerifier()}
	var err error
	if a.provider, err = oidc.NewProvider(context.Background(), a.settings["OIDC_ISSUER"]); err != nil {
		t.Fatal(err)
	}
	a.config = oauth2.Config{ClientID: a.settings["OIDC_CLIENT_ID"], ClientSecret: a.settings["OIDC_CLIENT_SECRET"], Endpoint: a.provider.Endpoint(),
		RedirectURL: w.app + "/signed-in", Scopes: []string{"openid", "email"}}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	a.http = &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), w.app) {
			return http.ErrUseLastResponse
		}
		return nil // 127.0.0.1 to localhost
	}}
	return a
}

// address is what the browser is sent to; as names the person at once.
func (a *asker) address(as string, options ...oauth2.AuthCodeOption) string {
	options = append([]oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.verifier), oidc.Nonce("n-1")}, options...)
	address := a.config.AuthCodeURL("state-1", options...)
	if as != "" {
		address = strings.Replace(address, "/oidc/authorize?", "/oidc/authorize/"+as+"?", 1)
	}
	return address
}

// visit opens an address; the answer is empty when a page is shown.
func (a *asker) visit(t *testing.T, address string) (status int, answer url.Values) {
	t.Helper()
	resp, err := a.http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, to.Query()
}

func param(name, value string) oauth2.AuthCodeOption { return oauth2.SetAuthURLParam(name, value) }

func TestOIDCGivesARealToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newAsker(t, w)
	status, answer := a.visit(t, a.address("amara-osei"))
	if status != http.StatusFound || answer.Get("state") != "state-1" || answer.Get("iss") != w.url {
		t.Fatalf("%d %v", status, answer)
	}
	token, err := a.config.Exchange(context.Background(), answer.Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		t.Fatal(err)
	}
	idToken, err := a.provider.Verifier(&oidc.Config{ClientID: a.config.ClientID}).Verify(context.Background(), token.Extra("id_token").(string))
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Email, Name string
		Auth_time   int64
	}
	if err := idToken.Claims(&claims); err != nil || idToken.Subject != "amara-osei" || idToken.Nonce != "n-1" || claims.Email != "amara.osei@riverside.example" ||
		claims.Name != "Dr Amara Osei" || claims.Auth_time == 0 || idToken.VerifyAccessToken(token.AccessToken) != nil {
		t.Errorf("%+v %+v %v", idToken, claims, err)
	}
	if _, err := a.config.Exchange(context.Background(), answer.Get("code"), oauth2.VerifierOption(a.verifier)); err == nil {
		t.Error("a code is good twice")
	}
}

// What the specification refuses to the browser: by a page when nobody may be answered, else by an error to the app.
func TestOIDCAuthorizeRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newAsker(t, w)
	for name, c := range map[string]struct {
		option oauth2.AuthCodeOption
		want   string // the error; empty: a page
	}{
		"another client":      {param("client_id", "another"), ""},
		"another address":     {param("redirect_uri", w.app+"/signed-in/more"), ""},
		"another host":        {param("redirect_uri", "https://evil.example/signed-in"), ""},
		"implicit flow":       {param("response_type", "id_token"), "unsupported_response_type"},
		"no openid":           {param("scope", "email"), "invalid_scope"},
		"plain PKCE":          {param("code_challenge_method", "plain"), "invalid_request"},
		"no PKCE":             {param("code_challenge", ""), "invalid_request"},
		"none and login":      {param("prompt", "none login"), "invalid_request"},
		"none, nobody known":  {param("prompt", "none"), "login_required"},
		"nobody of that name": {param("x", "y"), "access_denied"},
	} {
		as := ""
		if c.want == "access_denied" {
			as = "nobody"
		}
		status, answer := a.visit(t, a.address(as, c.option))
		if c.want == "" && status != http.StatusBadRequest || c.want != "" && (answer.Get("error") != c.want || answer.Get("state") != "state-1" || answer.Has("code")) {
			t.Errorf("%s: %d %v", name, status, answer)
		}
	}
}

func TestOIDCTokenRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newAsker(t, w)
	for name, c := range map[string]struct {
		change func(url.Values)
		basic  string
		want   string
	}{
		"wrong secret":         {func(f url.Values) { f.Set("client_secret", "x") }, "", "invalid_client"},
		"no secret":            {func(f url.Values) { f.Del("client_secret") }, "", "invalid_client"},
		"a secret twice":       {func(url.Values) {}, a.config.ClientSecret, "invalid_client"},
		"wrong secret, header": {func(f url.Values) { f.Del("client_secret") }, "x", "invalid_client"},
		"another grant":        {func(f url.Values) { f.Set("grant_type", "password") }, "", "unsupported_grant_type"},
		"wrong verifier":       {func(f url.Values) { f.Set("code_verifier", oauth2.GenerateVerifier()) }, "", "invalid_grant"},
		"no verifier":          {func(f url.Values) { f.Del("code_verifier") }, "", "invalid_grant"},
		"another address":      {func(f url.Values) { f.Set("redirect_uri", w.app+"/") }, "", "invalid_grant"},
		"made-up code":         {func(f url.Values) { f.Set("code", "made-up") }, "", "invalid_grant"},
		"all right":            {func(url.Values) {}, "", ""},
		"all right, in header": {func(f url.Values) { f.Del("client_secret"); f.Del("client_id") }, a.config.ClientSecret, ""},
	} {
		_, answer := a.visit(t, a.address("tom-reyes"))
		form := url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {a.config.RedirectURL},
			"code_verifier": {a.verifier}, "client_id": {a.config.ClientID}, "client_secret": {a.config.ClientSecret}}
		c.change(form)
		req, err := http.NewRequest(http.MethodPost, w.url+"/oidc/token", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if c.basic != "" {
			req.SetBasicAuth(url.QueryEscape(a.config.ClientID), url.QueryEscape(c.basic))
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var said struct {
			Error    string
			Id_token string
		}
		if err := json.NewDecoder(resp.Body).Decode(&said); err != nil || said.Error != c.want || (said.Id_token != "") != (c.want == "") || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %+v %v", name, said, err)
		}
		resp.Body.Close()
	}
}

// The provider knows a browser until it signs out, and asks again when the app says how old a sign-in may be.
func TestOIDCRemembersABrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := newAsker(t, w)
	asks := func(options ...oauth2.AuthCodeOption) bool {
		t.Helper()
		status, answer := a.visit(t, a.address("", options...))
		if status != http.StatusOK && !answer.Has("code") {
			t.Fatalf("%d %v", status, answer)
		}
		return status == http.StatusOK
	}
	if !asks() {
		t.Error("nobody was known, and nobody was asked")
	}
	a.visit(t, a.address("tom-reyes"))
	for name, c := range map[string]struct {
		asks bool
		with []oauth2.AuthCodeOption
	}{"known": {false, nil}, "none": {false, []oauth2.AuthCodeOption{param("prompt", "none")}}, "login": {true, []oauth2.AuthCodeOption{param("prompt", "login")}},
		"age 0": {true, []oauth2.AuthCodeOption{param("max_age", "0")}}, "an hour": {false, []oauth2.AuthCodeOption{param("max_age", "3600")}}} {
		if asks(c.with...) != c.asks {
			t.Errorf("%s: asked %v", name, !c.asks)
		}
	}
	out := w.url + "/oidc/end-session?" + url.Values{"client_id": {a.config.ClientID}, "post_logout_redirect_uri": {w.app + "/signed-out"}, "state": {"s"}}.Encode()
	if status, answer := a.visit(t, out); status != http.StatusFound || answer.Get("state") != "s" {
		t.Errorf("signing out: %d %v", status, answer)
	}
	if !asks() {
		t.Error("signed out, and still known")
	}
	if status, _ := a.visit(t, strings.Replace(out, "signed-out", "elsewhere", 1)); status != http.StatusOK {
		t.Errorf("an address that is not registered: %d", status)
	}
}

func TestOIDCRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	keys := func() (ids []string) {
		var set struct{ Keys []map[string]string }
		_, text := w.get("/oidc/keys")
		if err := json.Unmarshal([]byte(text), &set); err != nil {
			t.Fatal(err)
		}
		for _, k := range set.Keys {
			if k["kty"] != "RSA" || k["alg"] != "RS256" || k["use"] != "sig" || k["d"] != "" {
				t.Errorf("key %v", k)
			}
			ids = append(ids, k["kid"])
		}
		return ids
	}
	first := keys()
	if err := w.sandbox.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	if second := keys(); len(first) != 1 || len(second) != 2 || second[1] != first[0] || second[0] == first[0] {
		t.Errorf("%v, then %v", first, second)
	}
}

// A data folder from before the OpenID provider gets a client, once.
func TestOIDCClientIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := newWorldIn(t, dir, -1)
	path := filepath.Join(dir, "keys.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(raw, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "oidc_client")
	delete(fields, "oidc_secret")
	if raw, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	var secrets [2]string
	for i := range secrets {
		s, err := sandbox.Open(sandbox.Options{BaseURL: w.app, PublicURL: w.url, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		secrets[i] = s.SettingsOIDC()["OIDC_CLIENT_SECRET"]
		if s.Settings()["ACCESS_AUD"] != w.settings["ACCESS_AUD"] {
			t.Error("another account")
		}
		if err := s.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if secrets[0] == "" || secrets[0] != secrets[1] || secrets[0] == w.sandbox.SettingsOIDC()["OIDC_CLIENT_SECRET"] {
		t.Errorf("secrets %q", secrets)
	}
}

// One way to sign in at a time: the app refuses both.
func TestSettingsNameOneWayToSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]string{"/settings.env": "ACCESS_", "/settings.env?sign-in=oidc": "OIDC_"} {
		_, text := w.get(path)
		if !strings.Contains(text, "\n"+want) && !strings.HasPrefix(text, want) {
			t.Errorf("%s has no %s", path, want)
		}
		for _, other := range []string{"ACCESS_", "OIDC_"} {
			if other != want && (strings.Contains(text, "\n"+other) || strings.HasPrefix(text, other)) {
				t.Errorf("%s has %s, too", path, other)
			}
		}
	}
}
