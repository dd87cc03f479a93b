package web

import (
	"fmt"
	"net/http"
	"strings"

	"countersign/internal/clinic"
)

// patientPage is what the patient's pages show.
type patientPage struct {
	P                letterView
	Action           string // the address of the page, without a slash at the end
	Sentence         string
	Day, Month, Year string // as typed
}

// letterView is the domain's view with its paragraphs cut into lines, and its time in the clinic's zone.
type letterView struct {
	clinic.PageView
	Paragraphs [][]clinic.Text
}

func letterOf(p clinic.PageView) letterView {
	if p.Zone != nil {
		p.SignedAt = p.SignedAt.In(p.Zone)
	}
	v := letterView{PageView: p}
	for _, paragraph := range p.Paragraphs {
		var lines []clinic.Text
		for line := range strings.SplitSeq(paragraph.Reveal(), "\n") {
			lines = append(lines, clinic.Text(line))
		}
		v.Paragraphs = append(v.Paragraphs, lines)
	}
	return v
}

// pageTitle says nothing about whose page it is: it stands in the browser's history.
const pageTitle = "A message for you"

func (s *Server) pageAnswer(c *call, status int, page name, v patientPage) error {
	v.Action = "/m/" + c.Param("token")
	return s.render(c, status, answer{page: page, title: pageTitle, v: v})
}

// pageAsk is the form, the same for every link there ever was. It has no effect: mail scanners open links.
func (s *Server) pageAsk(c *call) error { return s.pageForm(c, http.StatusOK, patientPage{}) }

func (s *Server) pageForm(c *call, status int, v patientPage) error {
	return s.pageAround(c, status, pageAsk, v)
}

// pageAround shows a page on which nothing of the patient stands: only the clinic's own name and phone.
func (s *Server) pageAround(c *call, status int, page name, v patientPage) error {
	p, err := s.cfg.Clinic.PageAsk(c.ctx())
	if err != nil {
		return err
	}
	v.P = letterOf(p)
	return s.pageAnswer(c, status, page, v)
}

// pageProve opens a session for whoever knows the date of birth. One refusal for every cause.
func (s *Server) pageProve(c *call) error {
	v := patientPage{Day: c.form.line("day"), Month: c.form.line("month"), Year: c.form.line("year")}
	birth := fmt.Sprintf("%04d-%02d-%02d", c.form.number("year"), c.form.number("month"), c.form.number("day"))
	cookie, err := s.cfg.Clinic.PageProve(c.ctx(), c.patient(), c.Param("token"), birth)
	if kind := clinic.KindOf(err); err != nil && kind != clinic.Internal && kind != clinic.Unavailable {
		v.Sentence = clinic.Sentence(err)
		return s.pageForm(c, statusOf(kind), v)
	}
	if err != nil {
		return err
	}
	setCookie(c, pageCookie, cookie, 0, http.SameSiteStrictMode)
	return s.goTo(c, "/m/"+c.Param("token")+"/read", saidNothing)
}

func (c *call) pageSecret() string {
	if cookie, err := c.Cookie(pageCookie); err == nil {
		return cookie.Value
	}
	return ""
}

func (s *Server) pageRead(c *call) error {
	p, err := s.cfg.Clinic.PageRead(c.ctx(), c.patient(), c.Param("token"), c.pageSecret())
	switch {
	case err == nil:
		return s.pageAnswer(c, http.StatusOK, pageRead, patientPage{P: letterOf(p)})
	case clinic.KindOf(err) == clinic.Unauthenticated:
		return s.goTo(c, "/m/"+c.Param("token"), saidNothing)
	case clinic.KindOf(err) == clinic.NotFound:
		return s.pageAround(c, http.StatusGone, pageEnded, patientPage{Sentence: clinic.Sentence(err)})
	default:
		return err
	}
}

func (s *Server) pageAcknowledge(c *call) error {
	err := s.cfg.Clinic.PageAcknowledge(c.ctx(), c.patient(), c.Param("token"), c.pageSecret())
	if err != nil && clinic.KindOf(err) != clinic.Unauthenticated && clinic.KindOf(err) != clinic.Conflict {
		return err
	}
	return s.goTo(c, "/m/"+c.Param("token")+"/read", saidNothing) // which asks for the proof again if that has ended
}

// pageStopAsk asks first: mail scanners open this link too.
func (s *Server) pageStopAsk(c *call) error {
	return s.pageAround(c, http.StatusOK, pageStop, patientPage{})
}

// pageStop ends notices to this address. Mail programs call it by one click, from no page of ours.
func (s *Server) pageStop(c *call) error {
	if err := s.cfg.Clinic.PageStop(c.ctx(), c.patient(), c.Param("token")); err != nil {
		return err
	}
	return s.pageAround(c, http.StatusOK, pageStopped, patientPage{})
}
