package web

import (
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type worklistView struct {
	List     clinic.Worklist
	ClinicID uuid.UUID
	Reviews  bool // only what is in review
}

// worklistShow is home: what waits for this person.
func (s *Server) worklistShow(c *call) error {
	list, err := s.cfg.Clinic.Worklist(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageWorklist, part: partWorklist, title: "Worklist", nav: "worklist",
		v: worklistView{List: list, ClinicID: c.actor.ClinicID}})
}

// reviewList is what is in review, whoever has to sign it.
func (s *Server) reviewList(c *call) error {
	list, err := s.cfg.Clinic.ReviewList(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageWorklist, part: partWorklist, title: "In review", nav: "reviews",
		v: worklistView{List: list, ClinicID: c.actor.ClinicID, Reviews: true}})
}
