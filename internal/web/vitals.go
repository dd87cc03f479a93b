package web

import (
	"math"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"countersign/internal/slo"
)

// vitalsBytes is how long a beacon may be: a pattern and four numbers.
const vitalsBytes = 512

// vitalsTake takes what a browser measured on one of our pages. The beacon names the page by the route pattern that the
// server wrote into it, and holds nothing else but numbers. It is counted in memory and answered at once: a beacon asks
// nobody, needs no sign-in and is no activity. Pages of patients send none.
func (s *Server) vitalsTake(c *call) error {
	if c.Request().ContentLength > vitalsBytes {
		return echo.ErrStatusRequestEntityTooLarge
	}
	route := c.form.line("page")
	if s.cfg.Vital == nil || !s.measured(route) {
		return echo.ErrBadRequest
	}
	for _, v := range slo.Vitals {
		if !c.form.has(v.Name) {
			continue
		}
		value, err := strconv.ParseFloat(c.form.line(v.Name), 64)
		if err != nil || math.IsNaN(value) || !s.cfg.Vital(route, v.Name, value) {
			return echo.ErrBadRequest
		}
	}
	return c.NoContent(http.StatusNoContent)
}

// measured says whether a pattern is a page of people who are signed in.
func (s *Server) measured(pattern string) bool {
	for _, r := range s.table {
		if r.path == pattern && r.door == doorStaff {
			return true
		}
	}
	return false
}
