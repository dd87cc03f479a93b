package web

import (
	"net/http"

	"countersign/internal/clinic"
)

// teamListView is what team/list shows: the clinic's patients with who cares for them, or what a search found.
type teamListView struct {
	Rows     []clinic.TeamRow
	Next     string
	Term     string
	Searched bool
}

func (s *Server) teamList(c *call) error {
	page, err := s.cfg.Clinic.TeamList(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.teamRows(c, teamListView{Rows: page.Rows, Next: page.Next})
}

// teamSearch is a POST so that no term ever stands in an address.
func (s *Server) teamSearch(c *call) error {
	term := c.form.line("term")
	if term == "" {
		return s.teamList(c)
	}
	rows, err := s.cfg.Clinic.TeamSearch(c.ctx(), c.actor, term)
	if err != nil {
		return err
	}
	return s.teamRows(c, teamListView{Rows: rows, Term: term, Searched: true})
}

func (s *Server) teamRows(c *call, v teamListView) error {
	return s.render(c, http.StatusOK, answer{page: pageTeams, title: "Care teams", nav: "teams", v: v})
}

type teamView struct {
	T        clinic.TeamView
	Errors   map[string]string
	Sentence string
}

// teamShow is one patient's care team, for an administrator.
func (s *Server) teamShow(c *call) error { return s.teamAnswer(c, http.StatusOK, teamView{}) }

func (s *Server) teamAnswer(c *call, status int, v teamView) error {
	t, err := s.cfg.Clinic.TeamShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	v.T = t
	return s.render(c, status, answer{page: pageTeam, title: "Care team", nav: "teams", v: v})
}

func (s *Server) teamJoin(c *call) error {
	return s.teamAct(c, s.cfg.Clinic.TeamJoin(c.ctx(), c.actor, c.id, c.form.id("staff")), saidJoined)
}

func (s *Server) teamLeave(c *call) error {
	return s.teamAct(c, s.cfg.Clinic.TeamLeave(c.ctx(), c.actor, c.id, c.form.id("staff")), saidLeft)
}

func (s *Server) teamAct(c *call, err error, said flash) error {
	if correctable(err) {
		return s.teamAnswer(c, statusOf(clinic.KindOf(err)), teamView{Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/teams/"+c.id.String(), said)
}
