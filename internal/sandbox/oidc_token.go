package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// known is the person behind a browser's cookie.
func (p *provider) known(r *http.Request) (login, bool) {
	cookie, err := r.Cookie(loginCookie)
	if err != nil {
		return login{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	found, ok := p.logins[cookie.Value]
	return found, ok
}

// remember begins a login, now.
func (p *provider) remember(who person) (id string, now login) {
	id, now = randomText(24), login{who, time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.logins[id] = now
	return id, now
}

func (p *provider) forget(r *http.Request) {
	if cookie, err := r.Cookie(loginCookie); err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.logins, cookie.Value)
	}
}

// grant makes a code.
func (p *provider) grant(l login, asked url.Values) string {
	code := randomText(24)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.codes[code] = grant{login: l, redirect: asked.Get("redirect_uri"), nonce: asked.Get("nonce"),
		challenge: asked.Get("code_challenge"), until: time.Now().Add(codeLife)}
	return code
}

// redeem takes a code out: it is good once, whatever comes of it.
func (p *provider) redeem(code string) (grant, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g, ok := p.codes[code]
	delete(p.codes, code)
	return g, ok && time.Now().Before(g.until)
}

// token gives an id token for a code, to the client that proves itself and knows what the code was asked with.
func (s *Sandbox) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Pragma", "no-cache")
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		tokenError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	if !s.isClient(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="sandbox"`)
		tokenError(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	if r.PostForm.Get("grant_type") != "authorization_code" {
		tokenError(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	g, ok := s.provider.redeem(r.PostForm.Get("code"))
	if !ok || g.redirect != r.PostForm.Get("redirect_uri") || g.challenge != challengeOf(r.PostForm.Get("code_verifier")) {
		tokenError(w, http.StatusBadRequest, "invalid_grant")
		return
	}
	access := randomText(24)
	idToken, err := s.idToken(g, access)
	if err != nil {
		s.opt.Log.Error("sandbox: id token", "reason", err)
		tokenError(w, http.StatusInternalServerError, "server_error")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(tokenLife.Seconds()),
		"scope": "openid profile email", "id_token": idToken})
}

func tokenError(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, map[string]string{"error": code})
}

// isClient checks the secret, in the header (which carries both parts form-encoded) or in the form, not in both.
func (s *Sandbox) isClient(r *http.Request) bool {
	id, secret, inHeader := r.BasicAuth()
	if inHeader {
		var err, err2 error
		id, err = url.QueryUnescape(id)
		secret, err2 = url.QueryUnescape(secret)
		if err != nil || err2 != nil || r.PostForm.Has("client_secret") {
			return false
		}
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	return subtle.ConstantTimeCompare([]byte(id+"\n"+secret), []byte(s.keys.OIDCClient+"\n"+s.keys.OIDCSecret)) == 1
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// idToken says who the person is, when they were asked, and for which sign-in.
func (s *Sandbox) idToken(g grant, access string) (string, error) {
	keys, err := s.provider.published()
	if err != nil {
		return "", err
	}
	now, half := time.Now(), sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": s.opt.PublicURL, "aud": s.keys.OIDCClient, "sub": g.who.Sub, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(),
		"auth_time": g.at.Unix(), "nonce": g.nonce, "at_hash": base64.RawURLEncoding.EncodeToString(half[:16]),
		"name": g.who.Name, "email": g.who.Email, "email_verified": true,
	}
	if g.nonce == "" {
		delete(claims, "nonce")
	}
	var options []MintOption
	s.provider.mu.Lock()
	if b := s.provider.bent; b != nil {
		maps.Copy(claims, b.claims)
		options = b.options
	}
	s.provider.mu.Unlock()
	return mint(claims, keys[0].private, keys[0].id, options)
}

// bent is what the next id tokens lie about.
type bent struct {
	claims  map[string]any
	options []MintOption
}

// BendIDTokens lays claims over those of every id token from now on, as Mint does, and bends header and signature. Without
// claims and options the tokens are honest again.
func (s *Sandbox) BendIDTokens(claims map[string]any, options ...MintOption) {
	s.provider.mu.Lock()
	defer s.provider.mu.Unlock()
	s.provider.bent = nil
	if len(claims)+len(options) > 0 {
		s.provider.bent = &bent{claims, options}
	}
}
