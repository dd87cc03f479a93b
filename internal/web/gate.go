package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"countersign/internal/clinic"
	"countersign/internal/identity"
)

// gate is how people sign in at this installation: one of the two below. Both lead to /signed-in, which opens a session.
type gate interface {
	// judge is who sent a request, as far as that can be said before their session is looked up. Its errors are those of
	// identity.
	judge(c *call) (clinic.Identity, error)
	// arrive is who has come back from the provider, and for which page.
	arrive(c *call) (who clinic.Identity, to string, err error)
	// waits says that a request carries what opens a session, so that a browser need not be asked to press anything.
	waits() bool
	// signIn is the address of a link that begins a sign-in; anew means that the provider is to ask even if it knows.
	signIn(to string, anew bool) string
	// signOut is the provider's own way out, or "".
	signOut(ctx context.Context) string
	// again leads to a fresh sign-in and back to a page of ours.
	again(to string) string
}

// accessGate is Cloudflare Access: it vouches with every request.
type accessGate struct{ s *Server }

func (g accessGate) judge(c *call) (clinic.Identity, error) {
	r := c.Request()
	token, err := g.s.cfg.Access.FromRequest(r, identity.FromTrustedProxy(r, g.s.cfg.TrustedProxies))
	if err != nil {
		return clinic.Identity{}, err
	}
	person, err := g.s.cfg.Access.Verify(c.ctx(), token)
	return vouchedFor(clinic.ByAssertion, person), err
}

func (g accessGate) arrive(c *call) (clinic.Identity, string, error) {
	who, err := g.judge(c)
	return who, ownPath(c.QueryParam("next")), err
}

func (accessGate) waits() bool { return true }

// signIn is the provider's own page, which comes back to /signed-in and from there to one of our pages. It knows who
// somebody is until they sign out there, whatever it is asked.
func (g accessGate) signIn(to string, _ bool) string {
	q := url.Values{"kid": {g.s.cfg.AccessAudience}, "redirect_url": {"/signed-in?next=" + url.QueryEscape(ownPath(to))}}
	return g.s.cfg.AccessIssuer + "/cdn-cgi/access/login/" + g.s.host + "?" + q.Encode()
}

func (g accessGate) signOut(context.Context) string {
	return g.s.cfg.AccessIssuer + "/cdn-cgi/access/logout"
}

// again is our page of two steps, since the provider's way out does not lead back.
func (accessGate) again(to string) string {
	return "/sign-in?" + url.Values{"next": {ownPath(to)}, "reason": {reasonStale}}.Encode()
}

// oidcGate is an OpenID provider: it vouches once, and the session's cookie does from then on.
type oidcGate struct{ s *Server }

func (g oidcGate) judge(*call) (clinic.Identity, error) {
	return clinic.Identity{Method: clinic.ByCode, Issuer: g.s.cfg.OIDC.Issuer()}, nil
}

// flowCookie is a sign-in that is under way; it is good for one answer.
const flowCookie = "__Host-signing-in"

func (g oidcGate) arrive(c *call) (clinic.Identity, string, error) {
	flow := ""
	if cookies := c.Request().CookiesNamed(flowCookie); len(cookies) == 1 {
		flow = cookies[0].Value
	}
	if flow != "" {
		setCookie(c, flowCookie, "", -1, http.SameSiteLaxMode)
	}
	person, to, err := g.s.cfg.OIDC.Finish(c.ctx(), flow, c.QueryParams())
	return vouchedFor(clinic.ByCode, person), ownPath(to), err
}

func (oidcGate) waits() bool { return false }

func (oidcGate) signIn(to string, anew bool) string {
	q := url.Values{"next": {ownPath(to)}}
	if anew {
		q.Set("anew", "1")
	}
	return "/sign-in/start?" + q.Encode()
}

func (g oidcGate) signOut(ctx context.Context) string {
	return g.s.cfg.OIDC.LogoutURL(ctx, g.s.cfg.BaseURL+"/signed-out")
}

func (g oidcGate) again(to string) string { return g.signIn(to, true) }

// begin sends a browser to the provider, with a cookie that what it brings back must fit.
func (g oidcGate) begin(c *call, to string, anew bool) error {
	address, flow, err := g.s.cfg.OIDC.Start(c.ctx(), ownPath(to), anew)
	if err != nil {
		return g.s.providerAway(c, err)
	}
	setCookie(c, flowCookie, flow, 600, http.SameSiteLaxMode)
	return c.Redirect(http.StatusSeeOther, address)
}

func vouchedFor(by clinic.Method, p identity.Person) clinic.Identity {
	return clinic.Identity{Method: by, Issuer: p.Issuer, Subject: p.Subject, Email: p.Email, Name: p.Name, SignedInAt: p.SignedInAt,
		Anew: p.Anew, TokenHash: p.TokenHash}
}

// providerAway is for when the provider's keys, description or token endpoint cannot be had: nobody is let in.
func (s *Server) providerAway(c *call, cause error) error {
	if !errors.Is(cause, identity.ErrUnavailable) {
		return cause
	}
	s.cfg.Log.WarnContext(c.ctx(), "the sign-in provider is away", "reason", cause.Error()) // the reason quotes nothing of a token
	return &clinic.Error{Kind: clinic.Unavailable, Code: "identity_away",
		Sentence: "The sign-in service cannot be reached at the moment, so nobody can be let in. Please try again in a minute."}
}
