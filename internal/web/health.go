package web

import (
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// healthShow says that the process answers. It asks nobody.
func (s *Server) healthShow(c *call) error { return c.String(http.StatusOK, "ok\n") }

// readiness is what /readyz says. The reasons are words, never addresses or errors.
type readiness struct {
	Status   string `json:"status"` // ready, not ready or draining
	Postgres string `json:"postgres"`
	Redis    string `json:"redis"`
	Fence    string `json:"fence"` // ok, held, unchecked or off
	Reason   string `json:"reason,omitempty"`
	Version  string `json:"version,omitempty"`
}

// readyShow says whether requests should come here: Postgres answers, its schema is ours, and the process is not on its
// way out. Redis away is not a reason: the clinic goes on, pages poll, and what is approved is kept. Nor is a database
// from which nothing may be sent.
func (s *Server) readyShow(c *call) error {
	r := readiness{Status: "ready", Postgres: "ok", Redis: "ok", Fence: s.cfg.Fence(), Version: s.cfg.Version}
	status := http.StatusOK
	if !s.cfg.Hub.Healthy() {
		r.Redis = "degraded"
	}
	if err := s.cfg.Clinic.Ready(c.ctx()); err != nil {
		status, r.Status, r.Postgres, r.Reason = http.StatusServiceUnavailable, "not ready", "away", "postgres"
		if clinic.Code(err) == "migrations" {
			r.Postgres, r.Reason = "ok", "migrations"
		}
	}
	if s.isDraining() {
		status, r.Status, r.Reason = http.StatusServiceUnavailable, "draining", "draining"
	}
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return c.Blob(status, echo.MIMEApplicationJSON, append(body, '\n'))
}

func (s *Server) metricsShow(c *call) error {
	if s.cfg.MetricsToken == "" {
		return echo.ErrNotFound
	}
	s.cfg.Metrics.Handler(s.cfg.MetricsToken).ServeHTTP(c.Response(), c.Request())
	return nil
}
