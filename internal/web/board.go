package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// boardShow is the queue board, behind the same sign-in. It is not ours and does no deed, so the permission is asked
// here, of the same table: looking needs queue.view, changing queue.operate.
func (s *Server) boardShow(c *call) error {
	board := s.cfg.QueuesReadOnly
	if c.actor.Can(clinic.QueueOperate) || board == nil {
		board = s.cfg.Queues
	}
	if board == nil {
		return echo.ErrNotFound
	}
	need := clinic.QueueView
	if m := c.Request().Method; m != http.MethodGet && m != http.MethodHead {
		need = clinic.QueueOperate
	}
	if err := s.may(c, need); err != nil {
		return err
	}
	board.ServeHTTP(c.Response(), c.Request())
	return nil
}

// may asks the table for the two things that are no deed of clinic's: the queue board, and a form that is still empty.
// A refusal is on the audit trail.
func (s *Server) may(c *call, deed clinic.Deed) error {
	if c.actor.Can(deed) {
		return nil
	}
	s.cfg.Clinic.Refused(c.ctx(), c.actor, deed, "role")
	return &clinic.Error{Kind: clinic.Forbidden, Code: "role", Sentence: "Your role does not include this. If it should, ask an administrator."}
}
