package web

import (
	"net/http"
	"slices"

	"countersign/internal/clinic"
)

// sessionNew is the page that says why one has to sign in, with a link to where. A link and not a form: no POST of ours
// may lead to another origin.
func (s *Server) sessionNew(c *call) error {
	reason := c.QueryParam("reason")
	if !slices.Contains([]string{reasonNone, "idle", "absolute", "ended", "mismatch", reasonRefused, reasonStale}, reason) {
		reason = reasonNone
	}
	return s.render(c, http.StatusOK, answer{page: pageSignIn, title: "Sign in", v: s.signInView(c, c.QueryParam("next"), reason)})
}

// sessionStart sends a browser to the sign-in provider.
func (s *Server) sessionStart(c *call) error {
	to, anew := c.QueryParam("next"), c.QueryParam("anew") == "1"
	if g, ok := s.gate.(oidcGate); ok {
		return g.begin(c, to, anew)
	}
	return c.Redirect(http.StatusSeeOther, s.gate.signIn(to, anew))
}

// sessionOpen is where the sign-in provider sends people back to. What vouches for them opens one session; the session
// that the browser had is over.
func (s *Server) sessionOpen(c *call) error {
	who, to, err := s.gate.arrive(c)
	reason, err := s.reasonOf(c, err)
	if err != nil {
		return err
	}
	if s.isThere(c, who, reason) {
		return c.Redirect(http.StatusSeeOther, to)
	}
	if reason != "" {
		return s.render(c, http.StatusUnauthorized, answer{page: pageSignIn, title: "Sign in", v: s.signInView(c, to, reason)})
	}
	cookie, _, err := s.cfg.Clinic.SessionOpen(c.ctx(), c.actor, who, c.session())
	switch {
	case clinic.Code(err) == "sign_in_anew":
		return c.Redirect(http.StatusSeeOther, s.gate.again(to))
	case clinic.KindOf(err) == clinic.Unauthenticated:
		// The assertion had its session. A new one needs a new assertion, which the provider gives after its own logout.
		return s.render(c, http.StatusUnauthorized, answer{page: pageSignedOut, title: "Signed out", v: s.signedOutView(c, to)})
	case err != nil:
		return err
	}
	setCookie(c, sessionCookie, cookie, 0, http.SameSiteLaxMode)
	return c.Redirect(http.StatusSeeOther, to)
}

// isThere: somebody came back twice, and the session is there already. With Access the assertion may be newer than the
// session, after a fresh sign-in; then it is not. With an OpenID provider an answer belongs to one sign-in and is gone.
func (s *Server) isThere(c *call, who clinic.Identity, reason string) bool {
	switch {
	case c.session() == "":
		return false
	case s.gate.waits() && reason == "":
		actor, err := s.cfg.Clinic.SessionFind(c.ctx(), c.actor, c.session(), who, true)
		return err == nil && !actor.SignedInAt.Before(who.SignedInAt)
	case !s.gate.waits() && reason == reasonNone:
		_, err := s.stillKnown(c)
		return err == nil
	}
	return false
}

// sessionEnd ends the session on the server and clears the browser.
func (s *Server) sessionEnd(c *call) error {
	if err := s.cfg.Clinic.SessionEnd(c.ctx(), c.actor, "signed_out"); err != nil {
		return err
	}
	setCookie(c, sessionCookie, "", -1, http.SameSiteLaxMode)
	clearSiteData(c.Response().Header())
	return s.goTo(c, "/signed-out", saidNothing)
}

type signedOutView struct{ LoginURL, LogoutURL string }

func (s *Server) signedOutView(c *call, to string) signedOutView {
	return signedOutView{LoginURL: s.gate.signIn(to, true), LogoutURL: s.gate.signOut(c.ctx())}
}

func (s *Server) sessionEnded(c *call) error {
	return s.render(c, http.StatusOK, answer{page: pageSignedOut, title: "Signed out", v: s.signedOutView(c, "/")})
}
