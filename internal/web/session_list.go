package web

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// sessionsView is what session/list shows: one's own sign-ins, or everybody's.
type sessionsView struct {
	Rows   []clinic.SessionRow
	All    bool
	Of     uuid.UUID // whose, when everybody's are narrowed to one person's
	Others int       // of one's own, beside this one
	Next   string
}

// sessionList is a person's own open sign-ins.
func (s *Server) sessionList(c *call) error {
	rows, err := s.cfg.Clinic.SessionList(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v := sessionsView{Rows: rows}
	for _, r := range rows {
		if !r.Current {
			v.Others++
		}
	}
	return s.render(c, http.StatusOK, answer{page: pageSessions, title: "Your sign-ins", nav: "sessions", v: v})
}

// sessionListAll is everybody's, for an administrator.
func (s *Server) sessionListAll(c *call) error {
	of, _ := uuid.Parse(c.QueryParam("of"))
	page, err := s.cfg.Clinic.SessionListAll(c.ctx(), c.actor, of, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageSessions, title: "Everybody's sign-ins", nav: "sessions",
		v: sessionsView{Rows: page.Rows, All: true, Of: of, Next: page.Next}})
}

func (s *Server) sessionEndOther(c *call) error {
	if err := s.cfg.Clinic.SessionEndOther(c.ctx(), c.actor, c.id); err != nil {
		return err
	}
	return s.goTo(c, "/sessions", saidEnded)
}

func (s *Server) sessionEndOthers(c *call) error {
	if _, err := s.cfg.Clinic.SessionEndOthers(c.ctx(), c.actor); err != nil {
		return err
	}
	return s.goTo(c, "/sessions", saidEnded)
}

func (s *Server) sessionEndAny(c *call) error {
	if err := s.cfg.Clinic.SessionEndAny(c.ctx(), c.actor, c.id); err != nil {
		return err
	}
	to := "/sessions/all"
	if of := c.form.id("of"); of != uuid.Nil {
		to += "?of=" + of.String()
	}
	return s.goTo(c, to, saidEnded)
}

// device says in a few words what a browser calls itself. The words are ours: what a browser says may be anything.
func device(agent string) string {
	pick := func(otherwise string, pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if strings.Contains(agent, pairs[i]) {
				return pairs[i+1]
			}
		}
		return otherwise
	}
	browser := pick("A browser", "Edg", "Edge", "OPR/", "Opera", "Firefox/", "Firefox", "FxiOS/", "Firefox", "CriOS/", "Chrome", "Chrome/", "Chrome", "Safari/", "Safari")
	system := pick("", "iPhone", "iPhone", "iPad", "iPad", "Android", "Android", "Windows", "Windows", "CrOS", "ChromeOS", "Macintosh", "Mac", "Linux", "Linux")
	if system == "" {
		return browser
	}
	return browser + " on " + system
}
