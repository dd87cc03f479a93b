package web

import (
	"net/http"

	"countersign/internal/score"
)

// securityShow is the security score: what was looked at, what was found, and what to do.
func (s *Server) securityShow(c *call) error {
	seen, err := s.cfg.Clinic.SecurityShow(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v := score.Score{}
	if s.cfg.Score != nil {
		v = s.cfg.Score(c.ctx(), seen)
	}
	return s.render(c, http.StatusOK, answer{page: pageSecurity, title: "Security", nav: "security", v: v})
}
