package sandbox

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The sandbox as an OpenID provider, from OpenID Connect Core 1.0, Discovery 1.0 and RP-Initiated Logout 1.0, with PKCE
// (RFC 7636), which it insists on, and with the issuer in its answers (RFC 9207). It has one client: the app.
const (
	loginCookie = "sandbox_login" // that the provider knows the person, as providers do between sign-ins
	codeLife    = time.Minute
	tokenLife   = 5 * time.Minute
)

// provider is what the OpenID provider remembers: its keys, the people it knows by their browser, and codes.
type provider struct {
	mu     sync.Mutex
	keys   []signingKey // the newest signs; all are published
	logins map[string]login
	codes  map[string]grant
	bent   *bent
}

type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// login is a browser that the provider knows, and when the person was last asked.
type login struct {
	who person
	at  time.Time
}

// grant is what a code stands for. It is given out once.
type grant struct {
	login
	redirect, nonce, challenge string
	until                      time.Time
}

func newProvider() *provider {
	return &provider{logins: map[string]login{}, codes: map[string]grant{}}
}

// published is the key set, the signing key first. The first key is made when somebody asks: a key costs a second under
// the race detector, and most sandboxes never sign one id token.
func (p *provider) published() ([]signingKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.keys) == 0 {
		if err := p.addKey(); err != nil {
			return nil, err
		}
	}
	return slices.Clone(p.keys), nil
}

func (p *provider) addKey() error {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("sandbox: signing key: %w", err)
	}
	p.keys = slices.Insert(p.keys, 0, signingKey{randomHex(8), private})
	p.keys = p.keys[:min(len(p.keys), 2)]
	return nil
}

// RotateKeys makes the OpenID provider sign with a new key. The one before stays published; older ones do not.
func (s *Sandbox) RotateKeys() error {
	s.provider.mu.Lock()
	defer s.provider.mu.Unlock()
	return s.provider.addKey()
}

// discovery is /.well-known/openid-configuration. The issuer is the same as that of the Access tokens, so that the demo
// people are the same people whichever way they sign in.
func (s *Sandbox) discovery(w http.ResponseWriter, _ *http.Request) {
	own := s.opt.PublicURL
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": own, "authorization_endpoint": own + "/oidc/authorize", "token_endpoint": own + "/oidc/token",
		"jwks_uri": own + "/oidc/keys", "end_session_endpoint": own + "/oidc/end-session",
		"scopes_supported": []string{"openid", "profile", "email"}, "response_types_supported": []string{"code"},
		"response_modes_supported": []string{"query"}, "grant_types_supported": []string{"authorization_code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_basic", "client_secret_post"},
		"claims_supported":                               []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "name", "email", "email_verified"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true, "prompt_values_supported": []string{"none", "login", "select_account"},
	})
}

func (s *Sandbox) oidcKeys(w http.ResponseWriter, _ *http.Request) {
	keys, err := s.provider.published()
	if err != nil {
		http.Error(w, "no key could be made", http.StatusInternalServerError)
		return
	}
	set := jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: &k.private.PublicKey, KeyID: k.id, Algorithm: string(jose.RS256), Use: "sig"})
	}
	writeJSON(w, http.StatusOK, set)
}

// authorize asks who somebody is, or knows: by the browser's cookie, unless the app wants them asked again.
func (s *Sandbox) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !s.mayAsk(w, r, q) {
		return
	}
	known, ok := s.provider.known(r)
	if age, err := strconv.Atoi(q.Get("max_age")); ok && err == nil && age >= 0 {
		ok = time.Since(known.at) < time.Duration(age)*time.Second
	}
	switch prompt := strings.Fields(q.Get("prompt")); {
	case slices.Contains(prompt, "none") && !ok:
		s.answerApp(w, r, q, url.Values{"error": {"login_required"}})
	case ok && !slices.Contains(prompt, "login") && !slices.Contains(prompt, "select_account"):
		s.answerApp(w, r, q, url.Values{"code": {s.provider.grant(known, q)}})
	default:
		view := signInView{App: s.opt.BaseURL}
		for _, p := range people {
			view.People = append(view.People, personLink{p, "/oidc/authorize/" + p.Sub + "?" + q.Encode()})
		}
		s.page(w, http.StatusOK, "signin", view)
	}
}

// authorizeAs is the answer to “who are you today?”.
func (s *Sandbox) authorizeAs(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if !s.mayAsk(w, r, q) {
		return
	}
	at := slices.IndexFunc(people, func(p person) bool { return p.Sub == r.PathValue("sub") })
	if at < 0 {
		s.answerApp(w, r, q, url.Values{"error": {"access_denied"}})
		return
	}
	id, now := s.provider.remember(people[at])
	http.SetCookie(w, &http.Cookie{Name: loginCookie, Value: id, Path: "/oidc", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(s.opt.PublicURL, "https://")})
	s.answerApp(w, r, q, url.Values{"code": {s.provider.grant(now, q)}})
}

// mayAsk: nobody is sent to an address that the client did not register; the person is told instead. All else that is
// wrong with a request is answered to the app.
func (s *Sandbox) mayAsk(w http.ResponseWriter, r *http.Request, q url.Values) bool {
	why := ""
	switch {
	case q.Get("client_id") != s.keys.OIDCClient:
		why = "The app asked for sign-in under a client id that this sandbox does not have. Compare OIDC_CLIENT_ID with /settings.env?sign-in=oidc."
	case q.Get("redirect_uri") != s.opt.BaseURL+"/signed-in":
		why = "The app asked to be answered at an address that is not registered. The sandbox answers BASE_URL/signed-in only."
	}
	if why != "" {
		s.page(w, http.StatusBadRequest, "message", messageView{App: s.opt.BaseURL, Title: "Unknown application", Text: why})
		return false
	}
	problem := requestProblem(q)
	if _, err := s.provider.published(); err != nil { // made now, so that the app need not wait for it at the token endpoint
		problem = "server_error"
	}
	if problem != "" {
		s.answerApp(w, r, q, url.Values{"error": {problem}})
	}
	return problem == ""
}

// requestProblem is the error code for a request that the specification does not allow, or that is without PKCE.
func requestProblem(q url.Values) string {
	switch {
	case q.Get("response_type") != "code":
		return "unsupported_response_type"
	case !slices.Contains(strings.Fields(q.Get("scope")), "openid"):
		return "invalid_scope"
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		return "invalid_request"
	case slices.Contains(strings.Fields(q.Get("prompt")), "none") && len(strings.Fields(q.Get("prompt"))) > 1:
		return "invalid_request"
	}
	return ""
}

// answerApp sends the browser back with what the app sent along and who answers.
func (s *Sandbox) answerApp(w http.ResponseWriter, r *http.Request, asked, answer url.Values) {
	answer = maps.Clone(answer)
	if state := asked.Get("state"); state != "" {
		answer.Set("state", state)
	}
	answer.Set("iss", s.opt.PublicURL)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, asked.Get("redirect_uri")+"?"+answer.Encode(), http.StatusFound)
}

// endSession forgets the browser, and goes back to the app if that is registered.
func (s *Sandbox) endSession(w http.ResponseWriter, r *http.Request) {
	s.provider.forget(r)
	http.SetCookie(w, &http.Cookie{Name: loginCookie, Path: "/oidc", MaxAge: -1})
	q := r.URL.Query()
	if q.Get("client_id") != s.keys.OIDCClient || q.Get("post_logout_redirect_uri") != s.opt.BaseURL+"/signed-out" {
		s.page(w, http.StatusOK, "signout", signInView{App: s.opt.BaseURL})
		return
	}
	to := s.opt.BaseURL + "/signed-out"
	if state := q.Get("state"); state != "" {
		to += "?" + url.Values{"state": {state}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusFound)
}
