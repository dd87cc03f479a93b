package web

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/angelofallars/htmx-go"

	"countersign/internal/clinic"
	"countersign/internal/identity"
)

// Reasons why somebody has to sign in, beside those of clinic.SessionFind (none, idle, absolute, ended, mismatch).
const (
	reasonNone    = "none"
	reasonRefused = "refused"
)

// known finds out who is calling: the assertion is verified on every request, and the session must be of the same
// person. done is true when the caller has been answered already: sent to sign in, or told that they have no role.
func (s *Server) known(c *call) (done bool, err error) {
	person, reason, err := s.vouched(c)
	if err != nil {
		return false, err
	}
	if reason == "" {
		cookie := ""
		if got, err := c.Cookie(sessionCookie); err == nil {
			cookie = got.Value
		}
		c.actor.Live = c.isLive()
		touch := !c.actor.Live && c.route.path != pathEvents
		actor, err := s.cfg.Clinic.SessionFind(c.ctx(), c.actor, cookie, clinic.Identity(person), touch)
		switch {
		case err == nil:
			c.actor = actor
			s.learnZone(c.ctx())
			return s.noRole(c)
		case clinic.KindOf(err) != clinic.Unauthenticated:
			return false, err
		}
		reason = clinic.Code(err)
		if reason == reasonNone && s.mayWander(c) {
			return true, c.Redirect(http.StatusSeeOther, "/signed-in?"+next(c))
		}
	}
	return true, s.mustSignIn(c, reason)
}

// vouched verifies the assertion. A reason means that there is none worth the name.
func (s *Server) vouched(c *call) (identity.Person, string, error) {
	r := c.Request()
	token, err := s.cfg.Access.FromRequest(r, identity.FromTrustedProxy(r, s.cfg.TrustedProxies))
	if errors.Is(err, identity.ErrNoToken) {
		return identity.Person{}, reasonNone, nil
	}
	var person identity.Person
	if err == nil {
		person, err = s.cfg.Access.Verify(c.ctx(), token)
	}
	switch {
	case err == nil:
		c.token = token
		return person, "", nil
	case errors.Is(err, identity.ErrUnavailable):
		return person, "", &clinic.Error{Kind: clinic.Unavailable, Code: "identity_away",
			Sentence: "The sign-in service cannot be reached at the moment, so nobody can be let in. Please try again in a minute."}
	default:
		if err := s.strangers(c); err != nil { // before it costs a line on the trail
			return person, "", err
		}
		s.cfg.Log.InfoContext(c.ctx(), "sign-in refused", "reason", err.Error()) // the reason quotes nothing of the token
		s.cfg.Clinic.Refused(c.ctx(), c.actor, clinic.SessionOpen, "assertion")
		return person, reasonRefused, nil
	}
}

// recognise finds out who is lost at an address that leads nowhere, so that the page can lead them back. It is no door:
// who cannot be found stays nobody, and patients are not looked for.
func (s *Server) recognise(c *call) {
	r := c.Request()
	cookie, err := c.Cookie(sessionCookie)
	if err != nil || r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/m/") {
		return
	}
	token, err := s.cfg.Access.FromRequest(r, identity.FromTrustedProxy(r, s.cfg.TrustedProxies))
	if err != nil {
		return
	}
	person, err := s.cfg.Access.Verify(c.ctx(), token)
	if err != nil {
		return
	}
	if actor, err := s.cfg.Clinic.SessionFind(c.ctx(), c.actor, cookie.Value, clinic.Identity(person), false); err == nil {
		c.actor = actor
	}
}

// mayWander: a browser looking at a page can be sent elsewhere and back; a form, a partial or a stream cannot.
func (s *Server) mayWander(c *call) bool {
	r := c.Request()
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && !htmx.IsHTMX(r) && c.route.path != pathEvents
}

// mustSignIn sends pages to /sign-in, and answers 401 to everything else: htmx gets a partial and an event, by which
// the open page keeps what was typed.
func (s *Server) mustSignIn(c *call, reason string) error {
	if reason != reasonRefused { // which was counted when it was refused
		if err := s.strangers(c); err != nil {
			return err
		}
	}
	if s.mayWander(c) {
		return c.Redirect(http.StatusSeeOther, "/sign-in?"+next(c)+"&reason="+reason)
	}
	if c.isHTMX() {
		if err := htmx.NewResponse().AddTrigger(htmx.Trigger("signed-out")).Write(c.Response()); err != nil {
			return err
		}
		v := errorView{Status: http.StatusUnauthorized, Sentence: "You are signed out. Sign in again; what you typed is still here.", RequestID: requestID(c)}
		return s.render(c, http.StatusUnauthorized, answer{part: partError, v: v})
	}
	v := s.signInView("/", reason)
	v.Again = c.again()
	return s.render(c, http.StatusUnauthorized, answer{page: pageSignIn, title: "Sign in", v: v})
}

// noRole answers for a person whom nobody has given a role yet.
func (s *Server) noRole(c *call) (done bool, err error) {
	if c.actor.SignedIn() || c.route.door == doorPerson {
		return false, nil
	}
	return true, s.render(c, http.StatusForbidden, answer{page: pageNoRole, title: "No role yet", v: noRoleView{Email: c.actor.Email}})
}

type noRoleView struct{ Email string }

type signInView struct {
	LoginURL, Reason string
	Again            *againView // what was sent when the session had ended
}

func (s *Server) signInView(to, reason string) signInView {
	return signInView{LoginURL: s.loginURL(to), Reason: reason}
}

// loginURL is the sign-in provider's own page, which comes back to /signed-in and from there to one of our pages.
func (s *Server) loginURL(to string) string {
	q := url.Values{"kid": {s.cfg.AccessAudience}, "redirect_url": {"/signed-in?next=" + url.QueryEscape(ownPath(to))}}
	return s.cfg.AccessIssuer + "/cdn-cgi/access/login/" + s.host + "?" + q.Encode()
}

func (s *Server) logoutURL() string { return s.cfg.AccessIssuer + "/cdn-cgi/access/logout" }

// next is the page to come back to, as a query.
func next(c *call) string { return "next=" + url.QueryEscape(c.Request().URL.RequestURI()) }

// ownPath is to, if it is a path of ours; else "/". What a browser would read as another host is none.
func ownPath(to string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || u.User != nil || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") ||
		strings.ContainsAny(to, "\\\r\n\t") || strings.HasPrefix(u.Path, "/signed-in") || strings.HasPrefix(u.Path, "/sign-in") {
		return "/"
	}
	return to
}
