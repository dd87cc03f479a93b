package web

import (
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// staffView is what staff/list shows.
type staffView struct {
	People   []clinic.Member
	Roles    []clinic.Role
	At       uuid.UUID // whom a mistake is about
	Errors   map[string]string
	Sentence string
}

// staffList is everybody of the clinic with their role, for an administrator.
func (s *Server) staffList(c *call) error { return s.staffAnswer(c, http.StatusOK, staffView{}) }

func (s *Server) staffAnswer(c *call, status int, v staffView) error {
	people, err := s.cfg.Clinic.StaffList(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v.People, v.Roles = people, clinic.Roles
	return s.render(c, status, answer{page: pageStaff, title: "People", nav: "staff", v: v})
}

func (s *Server) staffAssign(c *call) error {
	err := s.cfg.Clinic.StaffAssign(c.ctx(), c.actor, c.id, clinic.Role(c.form.line("role")))
	if correctable(err) {
		return s.staffAnswer(c, statusOf(clinic.KindOf(err)), staffView{At: c.id, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/staff", saidAssigned)
}

func (s *Server) staffDisable(c *call) error {
	if err := s.cfg.Clinic.StaffDisable(c.ctx(), c.actor, c.id); err != nil {
		return err
	}
	return s.goTo(c, "/staff", saidDisabled)
}

func (s *Server) staffEnable(c *call) error {
	if err := s.cfg.Clinic.StaffEnable(c.ctx(), c.actor, c.id); err != nil {
		return err
	}
	return s.goTo(c, "/staff", saidEnabled)
}
