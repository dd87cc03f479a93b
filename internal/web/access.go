package web

import (
	"net/http"

	"countersign/internal/clinic"
)

// accessView is one access review, with its form as it was typed.
type accessView struct {
	clinic.AccessReview
	Typed    string
	Errors   map[string]string
	Sentence string
}

// accessList is the weekly access reviews, those that wait and those that are signed off.
func (s *Server) accessList(c *call) error {
	page, err := s.cfg.Clinic.AccessList(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageAccessList, title: "Access reviews", nav: "access", v: page})
}

func (s *Server) accessShow(c *call) error { return s.accessAnswer(c, http.StatusOK, accessView{}) }

func (s *Server) accessAnswer(c *call, status int, v accessView) (err error) {
	if v.AccessReview, err = s.cfg.Clinic.AccessShow(c.ctx(), c.actor, c.id); err != nil {
		return err
	}
	return s.render(c, status, answer{page: pageAccess, title: "Access review", nav: "access", v: v})
}

// accessSign signs it off with a note.
func (s *Server) accessSign(c *call) error {
	note := c.form.text("note")
	err := s.cfg.Clinic.AccessSign(c.ctx(), c.actor, c.id, note)
	if correctable(err) {
		return s.accessAnswer(c, statusOf(clinic.KindOf(err)), accessView{Typed: note, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/access", saidSignedOff)
}
