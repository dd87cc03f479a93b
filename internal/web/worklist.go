package web

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type worklistView struct {
	List     clinic.Worklist
	ClinicID uuid.UUID
	Reviews  bool // only what is in review
	Count    int
	Start    *clinic.MessageRow // where to begin: the first review for who signs, else the first row
}

// worklistShow is home: what waits for this person.
func (s *Server) worklistShow(c *call) error {
	list, err := s.cfg.Clinic.WorklistShow(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageWorklist, part: partWorklist, title: "Worklist", nav: "worklist",
		v: listOf(c, list)})
}

// reviewList is what is in review, whoever has to sign it.
func (s *Server) reviewList(c *call) error {
	list, err := s.cfg.Clinic.ReviewList(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	v := listOf(c, list)
	v.Reviews = true
	return s.render(c, http.StatusOK, answer{page: pageWorklist, part: partWorklist, title: "In review", nav: "reviews", v: v})
}

// listOf counts what is listed when all of it is, so that the number above a list is never another than its rows.
func listOf(c *call, list clinic.Worklist) worklistView {
	v := worklistView{List: list, ClinicID: c.actor.ClinicID, Count: list.Waiting}
	if list.Next == "" && c.QueryParam("after") == "" {
		v.Count = len(list.Rows)
	}
	if len(list.Rows) == 0 {
		return v
	}
	v.Start = &list.Rows[0]
	review := slices.IndexFunc(list.Rows, func(r clinic.MessageRow) bool { return r.Status == "in_review" })
	if review >= 0 && c.actor.Can(clinic.ReviewApprove) {
		v.Start = &list.Rows[review]
	}
	return v
}
