package web

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// reportsAtOnce is how many reports of one body are looked at.
const reportsAtOnce = 20

// cspBody is one report, in either of the two spellings that browsers use.
type cspBody struct {
	Document     string `json:"document-uri"`
	Effective    string `json:"effective-directive"`
	Violated     string `json:"violated-directive"`
	Blocked      string `json:"blocked-uri"`
	DocumentURL  string `json:"documentURL"`
	EffectiveNew string `json:"effectiveDirective"`
	BlockedURL   string `json:"blockedURL"`
}

// cspReport takes a browser's word for a page that broke the Content-Security-Policy: as report-uri sends it, or in
// batches as the Reporting API does. Only the directive, the route pattern of the page and the kind of what was blocked
// are kept and logged: the page's own address may be a patient's secret, and anybody may post here.
func (s *Server) cspReport(c *call) error {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, formBytes))
	if err != nil {
		return err
	}
	bodies, ok := readReports(raw)
	if !ok {
		return echo.ErrBadRequest
	}
	for _, b := range bodies[:min(len(bodies), reportsAtOnce)] {
		r := s.reportOf(b)
		s.cfg.Log.WarnContext(c.ctx(), "content security policy broken", "directive", r.Directive, "route", r.Route, "blocked", r.Blocked)
		if err := s.cfg.Clinic.ReportKeep(c.ctx(), c.actor, r); err != nil {
			return err
		}
	}
	return c.NoContent(http.StatusNoContent)
}

func readReports(raw []byte) (bodies []cspBody, ok bool) {
	if !bytes.HasPrefix(bytes.TrimSpace(raw), []byte("[")) {
		var one struct {
			Body *cspBody `json:"csp-report"`
		}
		if json.Unmarshal(raw, &one) != nil || one.Body == nil {
			return nil, false
		}
		return []cspBody{*one.Body}, true
	}
	var batch []struct {
		Type string  `json:"type"`
		Body cspBody `json:"body"`
	}
	if json.Unmarshal(raw, &batch) != nil {
		return nil, false
	}
	for _, r := range batch {
		if r.Type == "csp-violation" {
			bodies = append(bodies, r.Body)
		}
	}
	return bodies, true
}

func (s *Server) reportOf(b cspBody) clinic.Report {
	first := func(texts ...string) string {
		i := slices.IndexFunc(texts, func(text string) bool { return text != "" })
		if i < 0 {
			return ""
		}
		return texts[i]
	}
	return clinic.Report{Directive: known(clinic.ReportDirectives, first(b.Effective, b.EffectiveNew, b.Violated)),
		Route: s.patternOf(first(b.Document, b.DocumentURL)), Blocked: s.blockedKind(first(b.Blocked, b.BlockedURL))}
}

// known keeps what anybody may post here out of the log.
func known(words []string, word string) string {
	if slices.Contains(words, word) {
		return word
	}
	return "other"
}

// blockedKind is what kind of thing was kept out: one of clinic.ReportBlocked, or other.
func (s *Server) blockedKind(blocked string) string {
	if slices.Contains(clinic.ReportBlocked, blocked) {
		return blocked
	}
	if blocked == "self" {
		return "here"
	}
	u, err := url.Parse(blocked)
	switch {
	case err != nil || blocked == "":
		return "other"
	case strings.HasSuffix(u.Scheme, "extension"):
		return "extension"
	case slices.Contains([]string{"data", "blob", "filesystem"}, u.Scheme):
		return u.Scheme
	case u.Host == s.host:
		return "here"
	case u.Host != "":
		return "elsewhere"
	default:
		return "other"
	}
}

// patternOf is the route that an address of ours belongs to.
func (s *Server) patternOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host != s.host {
		return "elsewhere"
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} { // a page may be the answer to a form
		c := s.echo.NewContext(nil, nil)
		s.echo.Router().Find(method, u.Path, c)
		if slices.ContainsFunc(s.table, func(r route) bool { return r.method == method && r.path == c.Path() }) {
			return c.Path()
		}
	}
	return "none"
}
