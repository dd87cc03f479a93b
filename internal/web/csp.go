package web

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"
)

// cspReport takes a browser's word for a page that broke the Content-Security-Policy. Only the directive and the route
// pattern of the page are logged: the page's own address may be a patient's secret.
func (s *Server) cspReport(c *call) error {
	raw, err := readRaw(c)
	if err != nil {
		return err
	}
	var report struct {
		Body struct {
			Document  string `json:"document-uri"`
			Effective string `json:"effective-directive"`
			Violated  string `json:"violated-directive"`
		} `json:"csp-report"`
	}
	if json.Unmarshal(raw, &report) != nil {
		return echo.ErrBadRequest
	}
	directive := report.Body.Effective
	if directive == "" {
		directive = report.Body.Violated
	}
	s.cfg.Log.WarnContext(c.ctx(), "content security policy broken", "directive", knownDirective(directive), "route", s.patternOf(report.Body.Document))
	return c.NoContent(http.StatusNoContent)
}

// knownDirective keeps what anybody may post here out of the log.
func knownDirective(d string) string {
	for _, known := range []string{"default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem",
		"style-src-attr", "img-src", "font-src", "connect-src", "form-action", "base-uri", "object-src", "frame-src", "frame-ancestors",
		"manifest-src", "media-src", "worker-src", "require-trusted-types-for", "trusted-types"} {
		if d == known {
			return d
		}
	}
	return "other"
}

// patternOf is the route that an address of ours belongs to.
func (s *Server) patternOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host != s.host {
		return "elsewhere"
	}
	c := s.echo.NewContext(nil, nil)
	s.echo.Router().Find(http.MethodGet, u.Path, c)
	return c.Path()
}
