package identity

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// ErrDeclined says that the provider sent the person back without signing them
// in: they pressed cancel, or may not use this application.
var ErrDeclined = errors.New("identity: the provider did not sign the person in")

// OIDC signs people in at an OpenID provider, by the code flow with PKCE. It is
// safe for use by many goroutines, and keeps nothing of a sign-in that is under
// way: all of that is in the person's own cookie.
type OIDC struct {
	issuer, id, secret, back string
	settings
	provider kept[provider]
	keys     *keys
}

// Client is what the provider calls this application. Back is where it sends
// people back to; the provider must know the address.
type Client struct{ Issuer, ID, Secret, Back string }

// NewOIDC makes a client of an OpenID provider. Nothing is asked yet: the
// provider's addresses are found when the first person signs in.
func NewOIDC(c Client, options ...Option) (*OIDC, error) {
	for what, address := range map[string]string{"issuer": c.Issuer, "address to come back to": c.Back} {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.RawQuery != "" || u.Fragment != "" {
			return nil, fmt.Errorf("identity: the %s must be an address without a query", what)
		}
	}
	if strings.TrimSpace(c.ID) == "" || c.Secret == "" {
		return nil, errors.New("identity: the client's id and secret must not be empty")
	}
	o := &OIDC{issuer: c.Issuer, id: c.ID, secret: c.Secret, back: c.Back, settings: newSettings(options)}
	o.provider.now, o.provider.fetch = o.now, o.discover
	o.keys = newKeys(o.settings, func(ctx context.Context) (string, error) {
		p, err := o.find(ctx)
		return p.keys, err
	})
	return o, nil
}

// Issuer is exactly the iss claim.
func (o *OIDC) Issuer() string { return o.issuer }

// provider is what the issuer's discovery document says.
type provider struct {
	endpoint   oauth2.Endpoint
	keys       string // address of the key set
	logout     string // address to sign out at, or empty
	saysIssuer bool   // every answer carries iss (RFC 9207)
}

// find is the provider as it last described itself.
func (o *OIDC) find(ctx context.Context) (provider, error) {
	p, _, err := o.provider.get(ctx, func(provider) bool { return true })
	return p, err
}

// discover asks the issuer where its addresses are. A document of another
// issuer, or with an address that is less protected than the issuer's, is an
// error.
func (o *OIDC) discover(ctx context.Context) (provider, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, o.client), o.issuer)
	if err != nil {
		return provider{}, errors.New("identity: the provider's description cannot be had, or is another's")
	}
	var said struct {
		Keys       string   `json:"jwks_uri"`
		Logout     string   `json:"end_session_endpoint"`
		SaysIssuer bool     `json:"authorization_response_iss_parameter_supported"`
		Methods    []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&said); err != nil {
		return provider{}, errors.New("identity: the provider's description cannot be read")
	}
	p := provider{endpoint: found.Endpoint(), keys: said.Keys, logout: said.Logout, saysIssuer: said.SaysIssuer}
	if p.endpoint.AuthStyle, err = authStyle(said.Methods); err != nil {
		return provider{}, err
	}
	for _, address := range []string{p.endpoint.AuthURL, p.endpoint.TokenURL, p.keys} {
		if !o.safe(address) {
			return provider{}, errors.New("identity: the provider's description has an address that cannot be used")
		}
	}
	if !o.safe(p.logout) {
		p.logout = ""
	}
	return p, nil
}

// safe says of an address that it is one, and not plain http where the issuer's
// own is not.
func (o *OIDC) safe(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(o.issuer, "http://"))
}

// authStyle chooses how the secret is shown. Left to itself the library tries
// both ways, and the second try would use a code twice.
func authStyle(methods []string) (oauth2.AuthStyle, error) {
	if len(methods) == 0 {
		return oauth2.AuthStyleInHeader, nil // what the specification says goes without saying
	}
	style := oauth2.AuthStyleAutoDetect
	for _, method := range methods {
		switch method {
		case "client_secret_basic":
			return oauth2.AuthStyleInHeader, nil
		case "client_secret_post":
			style = oauth2.AuthStyleInParams
		}
	}
	if style == oauth2.AuthStyleAutoDetect {
		return style, errors.New("identity: the provider takes no client secret")
	}
	return style, nil
}

func (o *OIDC) config(p provider) *oauth2.Config {
	return &oauth2.Config{ClientID: o.id, ClientSecret: o.secret, Endpoint: p.endpoint, RedirectURL: o.back,
		Scopes: []string{oidc.ScopeOpenID, oidc.ScopeProfile, oidc.ScopeEmail}}
}

// Start begins a sign-in that leads to the page to, a path of ours. It returns
// the provider's address and the cookie that must come back with the person.
// With anew the provider is to ask who they are even if it knows.
func (o *OIDC) Start(ctx context.Context, to string, anew bool) (address, cookie string, err error) {
	p, err := o.find(ctx)
	if err != nil {
		return "", "", err
	}
	f := newFlow(to, anew, o.now())
	asked := []oauth2.AuthCodeOption{oidc.Nonce(f.nonce()), oauth2.S256ChallengeOption(f.verifier())}
	if anew {
		asked = append(asked, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	} else {
		asked = append(asked, oauth2.SetAuthURLParam("max_age", fmt.Sprint(int(maxAge.Seconds()))))
	}
	return o.config(p).AuthCodeURL(f.state(), asked...), f.cookie(), nil
}

// Finish judges what a person brought back from the provider, and says who they
// are and which page they wanted. What the cookie, the answer and the token say
// must belong to one sign-in, begun by us in this browser a short while ago.
func (o *OIDC) Finish(ctx context.Context, cookie string, answer url.Values) (who Person, to string, err error) {
	f, err := readFlow(cookie, o.now())
	if err != nil {
		return Person{}, "", err
	}
	p, err := o.find(ctx)
	if err != nil {
		return Person{}, f.To, err
	}
	code, err := o.answered(f, p, answer)
	if err != nil {
		return Person{}, f.To, err
	}
	raw, err := o.exchange(ctx, f, p, code)
	if err != nil {
		return Person{}, f.To, err
	}
	who, err = o.verify(ctx, f, raw)
	return who, f.To, err
}

// answered looks at the provider's answer in the address and returns its code.
func (o *OIDC) answered(f flow, p provider, answer url.Values) (code string, err error) {
	for _, name := range []string{"state", "code", "iss", "error"} {
		if len(answer[name]) > 1 {
			return "", refused("two of a kind in the answer")
		}
	}
	if !f.began(answer.Get("state")) {
		return "", refused("the answer is to another sign-in")
	}
	if (answer.Has("iss") || p.saysIssuer) && answer.Get("iss") != o.issuer {
		return "", refused("the answer is of another issuer")
	}
	if answer.Has("error") {
		return "", ErrDeclined
	}
	if answer.Get("code") == "" {
		return "", refused("the answer holds no code")
	}
	return answer.Get("code"), nil
}

// exchange gives the code for an id token. The access token that comes with it
// is not kept: nothing is asked with it.
func (o *OIDC) exchange(ctx context.Context, f flow, p provider, code string) (idToken string, err error) {
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, o.client), callTimeout)
	defer cancel()
	token, err := o.config(p).Exchange(ctx, code, oauth2.VerifierOption(f.verifier()))
	var said *oauth2.RetrieveError
	switch {
	case errors.As(err, &said) && said.ErrorCode == "invalid_grant":
		return "", refused("the provider does not take the code")
	case errors.As(err, &said):
		return "", fmt.Errorf("%w: the token endpoint answers %d", ErrUnavailable, said.Response.StatusCode)
	case err != nil: // its text may quote the answer
		return "", fmt.Errorf("%w: the token endpoint gives no answer that can be read", ErrUnavailable)
	}
	idToken, ok := token.Extra("id_token").(string)
	if !ok {
		return "", refused("the answer holds no id token")
	}
	return idToken, nil
}

// LogoutURL is where a person signs out at the provider and comes back to a
// page of ours, or "" when the provider has no such address or is away.
func (o *OIDC) LogoutURL(ctx context.Context, back string) string {
	p, err := o.find(ctx)
	if err != nil || p.logout == "" {
		return ""
	}
	u, err := url.Parse(p.logout)
	if err != nil {
		return ""
	}
	q := u.Query()
	q.Set("client_id", o.id)
	q.Set("post_logout_redirect_uri", back)
	u.RawQuery = q.Encode()
	return u.String()
}
