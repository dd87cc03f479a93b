package web

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// boardShow is the queue board, behind the same sign-in. Looking is queue.view, changing is queue.operate; both are on
// the audit trail before the board does anything.
func (s *Server) boardShow(c *call) error {
	board := s.cfg.QueuesReadOnly
	if c.actor.Can(clinic.QueueOperate) || board == nil {
		board = s.cfg.Queues
	}
	if board == nil {
		return echo.ErrNotFound
	}
	r := c.Request()
	var err error
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		err = s.cfg.Clinic.QueueView(c.ctx(), c.actor)
	} else {
		err = s.cfg.Clinic.QueueOperate(c.ctx(), c.actor, r.Method+" "+strings.TrimPrefix(r.URL.Path, pathBoard))
	}
	if err != nil {
		return err
	}
	board.ServeHTTP(c.Response(), r)
	return nil
}

// may asks the table for the one thing that is no deed of clinic's: a form that is still empty.
// A refusal is on the audit trail.
func (s *Server) may(c *call, deed clinic.Deed) error {
	if c.actor.Can(deed) {
		return nil
	}
	s.cfg.Clinic.Refused(c.ctx(), c.actor, deed, "role")
	return &clinic.Error{Kind: clinic.Forbidden, Code: "role", Sentence: "Your role does not include this. If it should, ask an administrator."}
}
