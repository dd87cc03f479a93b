package web

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

type styleguideView struct{}

// styleguideShow is every component in every state, for whoever works on the look. Its people are made up and stand in
// the template.
func (s *Server) styleguideShow(c *call) error {
	if s.cfg.Env != "local" && s.cfg.Env != "dev" {
		return echo.ErrNotFound
	}
	c.actor.Name, c.actor.ClinicName = "Dr Sample", "Sample clinic"
	c.actor.Kind, c.actor.Role = clinic.ActorPerson, clinic.Doctor
	return s.render(c, http.StatusOK, answer{page: pageStyleguide, title: "Style guide", v: styleguideView{}})
}
