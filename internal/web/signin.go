package web

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/angelofallars/htmx-go"

	"countersign/internal/clinic"
	"countersign/internal/identity"
)

// Reasons why somebody has to sign in, beside those of clinic.SessionFind (none, idle, absolute, ended, mismatch).
const (
	reasonNone     = "none"
	reasonRefused  = "refused"
	reasonDeclined = "declined" // the provider's answer was no
	reasonStale    = "stale"    // to sign a message
)

// known finds out who is calling: with Access the assertion is verified on every request, and the session must be of the
// same person. Who is known is counted. done is true when the caller has been answered already: sent to sign in, or told that they have no role.
func (s *Server) known(c *call) (done bool, err error) {
	who, err := s.gate.judge(c)
	reason, err := s.reasonOf(c, err)
	if err != nil {
		return false, err
	}
	if reason == "" {
		c.actor.Live = c.isLive()
		touch := !c.actor.Live && c.route.path != pathEvents
		actor, err := s.cfg.Clinic.SessionFind(c.ctx(), c.actor, c.session(), who, touch)
		switch {
		case err == nil:
			c.actor = actor
			s.learnZone(c.ctx())
			if err := s.within(c, s.rules.person, actor.ID.String()); err != nil { // before a refusal costs a line on the trail
				return false, err
			}
			return s.noRole(c)
		case clinic.KindOf(err) != clinic.Unauthenticated:
			return false, err
		}
		reason = clinic.Code(err)
		if reason == reasonNone && s.gate.waits() && s.mayWander(c) {
			return true, c.Redirect(http.StatusSeeOther, "/signed-in?"+next(c))
		}
	}
	return true, s.mustSignIn(c, reason)
}

// session is the cookie that the browser brought, or "".
func (c *call) session() string {
	cookie, err := c.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// reasonOf turns what the gate says into a reason to sign in, or an error when nothing can be said. A sign-in that was
// refused is put on the trail.
func (s *Server) reasonOf(c *call, cause error) (reason string, err error) {
	switch {
	case cause == nil:
		return "", nil
	case errors.Is(cause, identity.ErrNoToken):
		return reasonNone, nil
	case errors.Is(cause, identity.ErrDeclined):
		s.cfg.Clinic.Refused(c.ctx(), c.actor, clinic.SessionOpen, reasonDeclined)
		return reasonDeclined, nil
	case errors.Is(cause, identity.ErrUnavailable):
		return "", s.providerAway(c, cause)
	default:
		if c.route.door != doorOpen { // where everybody has been counted
			if err := s.strangers(c); err != nil { // before it costs a line on the trail
				return "", err
			}
		}
		s.cfg.Log.Log(c.ctx(), notice, "sign-in refused", "reason", cause.Error()) // the reason quotes nothing of the token
		s.cfg.Clinic.Refused(c.ctx(), c.actor, clinic.SessionOpen, "assertion")
		return reasonRefused, nil
	}
}

// recognise finds out who is lost at an address that leads nowhere, so that the page can lead them back. It is no door:
// who cannot be found stays nobody, and patients are not looked for.
func (s *Server) recognise(c *call) {
	r := c.Request()
	if c.session() == "" || r.Method != http.MethodGet || strings.HasPrefix(r.URL.Path, "/m/") {
		return
	}
	if actor, err := s.stillKnown(c); err == nil {
		c.actor = actor
	}
}

// stillKnown looks at both again: what vouches for the caller, and the session behind the cookie. Looking is not activity.
func (s *Server) stillKnown(c *call) (clinic.Actor, error) {
	who, err := s.gate.judge(c)
	if err != nil {
		return c.actor, err
	}
	return s.cfg.Clinic.SessionFind(c.ctx(), c.actor, c.session(), who, false)
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
	v := s.signInView(c, "/", reason)
	v.Again = c.again()
	return s.render(c, http.StatusUnauthorized, answer{page: pageSignIn, title: "Sign in", v: v})
}

// noRole answers for a person whom nobody has given a role yet. What they asked for is on the trail, as refused.
func (s *Server) noRole(c *call) (done bool, err error) {
	if c.actor.SignedIn() || c.route.door == doorPerson {
		return false, nil
	}
	s.cfg.Clinic.Refused(c.ctx(), c.actor, c.route.deed, "role")
	return true, s.render(c, http.StatusForbidden, answer{page: pageNoRole, title: "No role yet", v: noRoleView{Email: c.actor.Email}})
}

type noRoleView struct{ Email string }

type signInView struct {
	LoginURL, Reason string
	LogoutURL        string     // to be followed first, when the provider would not ask again by itself
	Again            *againView // what was sent when the session had ended
}

func (s *Server) signInView(c *call, to, reason string) signInView {
	anew := slices.Contains([]string{"idle", "absolute", "ended", reasonStale}, reason)
	v := signInView{LoginURL: s.gate.signIn(to, anew), Reason: reason}
	if reason == reasonStale && s.gate.waits() {
		v.LogoutURL = s.gate.signOut(c.ctx())
	}
	return v
}

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
