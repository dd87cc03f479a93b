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
	if !slices.Contains([]string{reasonNone, "idle", "absolute", "ended", "mismatch", reasonRefused}, reason) {
		reason = reasonNone
	}
	return s.render(c, http.StatusOK, answer{page: pageSignIn, title: "Sign in", v: s.signInView(c.QueryParam("next"), reason)})
}

// sessionOpen is where the sign-in provider sends people back to. One assertion opens one session.
func (s *Server) sessionOpen(c *call) error {
	to := ownPath(c.QueryParam("next"))
	person, reason, err := s.vouched(c)
	if err == nil {
		err = s.mayTry(c, reason, person.Issuer, person.Subject)
	}
	if err != nil {
		return err
	}
	if reason != "" {
		return s.render(c, http.StatusUnauthorized, answer{page: pageSignIn, title: "Sign in", v: s.signInView(to, reason)})
	}
	if had, err := c.Cookie(sessionCookie); err == nil {
		if _, err := s.cfg.Clinic.SessionFind(c.ctx(), c.actor, had.Value, clinic.Identity(person), true); err == nil {
			return c.Redirect(http.StatusSeeOther, to) // came back twice: the session is there already
		}
	}
	cookie, _, err := s.cfg.Clinic.SessionOpen(c.ctx(), c.actor, clinic.Identity(person))
	if clinic.KindOf(err) == clinic.Unauthenticated {
		// The assertion had its session. A new one needs a new assertion, which the provider gives after its own logout.
		return s.render(c, http.StatusUnauthorized, answer{page: pageSignedOut, title: "Signed out", v: s.signedOutView(to)})
	}
	if err != nil {
		return err
	}
	setCookie(c, sessionCookie, cookie, 0, http.SameSiteLaxMode)
	return c.Redirect(http.StatusSeeOther, to)
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

func (s *Server) signedOutView(to string) signedOutView {
	return signedOutView{LoginURL: s.loginURL(to), LogoutURL: s.logoutURL()}
}

func (s *Server) sessionEnded(c *call) error {
	return s.render(c, http.StatusOK, answer{page: pageSignedOut, title: "Signed out", v: s.signedOutView("/")})
}
