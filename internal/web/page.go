package web

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// patientPage is what the patient's pages show.
type patientPage struct {
	P                letterView
	Action           string // the address of the page, without a slash at the end
	Sentence         string
	Day, Month, Year string // as typed
	Delivery         string // whose address is to be opted out; empty: the last notice's
	Lang             string // "?lang=es" when the reader chose a language by its link: it holds on every page from there
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

// pageCloses is after how many seconds a page that was read goes back to its form: when the session behind it is over.
const pageCloses = "900"

// pageTitle says nothing about whose page it is: it stands in the browser's history.
const pageTitle = "A message for you"

func (s *Server) pageAnswer(c *call, status int, page name, v patientPage) error {
	v.Action, v.Lang = "/m/"+c.Param("token"), chosenLanguage(c)
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
	p.Language = languageOf(c)
	v.P = letterOf(p)
	return s.pageAnswer(c, status, page, v)
}

// languageOf is what a page before any proof is written in: as chosen on it, else as the browser asks. The patient's own
// language would tell who the link is for.
func languageOf(c *call) string {
	chosen := c.QueryParam("lang")
	if chosen == "" {
		chosen = c.form.line("lang")
	}
	if chosen == "" {
		chosen = strings.ToLower(strings.TrimSpace(c.Request().Header.Get("Accept-Language")))
	}
	if strings.HasPrefix(chosen, "es") {
		return "es"
	}
	return "en"
}

// chosenLanguage is the query that keeps a language which the reader chose, or nothing: then the page that was proved is
// written in the patient's own.
func chosenLanguage(c *call) string {
	if c.QueryParam("lang") == "" {
		return ""
	}
	return "?lang=" + languageOf(c)
}

// sentenceFor is a refusal in the patient's language.
func sentenceFor(c *call, code, english string) string {
	spanish := map[string]string{
		"date":      "Escriba el mes, el día y el año en números, el año con cuatro cifras, por ejemplo 3, 27, 1968.",
		"proof":     "No ha funcionado. Revise la fecha de nacimiento o llame a la clínica. Después de cinco intentos el enlace se bloquea.",
		"in_review": "La clínica está revisando este mensaje de nuevo. Llame si tiene preguntas.",
		"withdrawn": "La clínica ha retirado este mensaje. Llame si tiene preguntas.",
		"expired":   "Este enlace ha caducado. Llame a la clínica para pedir otro.",
	}
	if words, ok := spanish[code]; ok && languageOf(c) == "es" {
		return words
	}
	return english
}

// birthDate is the day that was typed, as 2006-01-02, or not ok when there is no such day. That is said before any link is
// looked at, so that a slip of the finger costs none of the tries.
func birthDate(f form) (date string, ok bool) {
	date = fmt.Sprintf("%04d-%02d-%02d", f.number("year"), f.number("month"), f.number("day"))
	_, err := time.Parse(time.DateOnly, date)
	return date, err == nil && f.number("year") >= 1800
}

// pageProve opens a session for whoever knows the date of birth. One refusal for every cause.
func (s *Server) pageProve(c *call) error {
	v := patientPage{Day: c.form.line("day"), Month: c.form.line("month"), Year: c.form.line("year")}
	birth, ok := birthDate(c.form)
	if !ok {
		v.Sentence = sentenceFor(c, "date", "Please give the month, the day and the year in numbers, the year with four digits, such as 3, 27, 1968.")
		return s.pageForm(c, http.StatusUnprocessableEntity, v)
	}
	cookie, err := s.cfg.Clinic.PageProve(c.ctx(), c.patient(), c.Param("token"), birth)
	if kind := clinic.KindOf(err); err != nil && kind != clinic.Internal && kind != clinic.Unavailable {
		v.Sentence = sentenceFor(c, clinic.Code(err), clinic.Sentence(err))
		return s.pageForm(c, statusOf(kind), v)
	}
	if err != nil {
		return err
	}
	setCookie(c, pageCookie, cookie, 0, http.SameSiteStrictMode)
	return s.goTo(c, "/m/"+c.Param("token")+"/read"+chosenLanguage(c), saidNothing)
}

func (c *call) pageSecret() string {
	if cookie, err := c.Cookie(pageCookie); err == nil {
		return cookie.Value
	}
	return ""
}

func (s *Server) pageRead(c *call) error {
	p, err := s.cfg.Clinic.PageRead(c.ctx(), c.patient(), c.Param("token"), c.pageSecret())
	lang := chosenLanguage(c)
	if lang != "" {
		p.Language = languageOf(c)
	}
	switch {
	case err == nil:
		c.Response().Header().Set("Refresh", pageCloses+"; url=/m/"+c.Param("token")+lang) // as the page says: it does not stay open
		return s.pageAnswer(c, http.StatusOK, pageRead, patientPage{P: letterOf(p)})
	case clinic.KindOf(err) == clinic.Unauthenticated:
		return s.goTo(c, "/m/"+c.Param("token")+lang, saidNothing)
	case clinic.KindOf(err) == clinic.NotFound:
		return s.pageAround(c, http.StatusGone, pageEnded, patientPage{Sentence: sentenceFor(c, clinic.Code(err), clinic.Sentence(err))})
	default:
		return err
	}
}

func (s *Server) pageAcknowledge(c *call) error {
	err := s.cfg.Clinic.PageAcknowledge(c.ctx(), c.patient(), c.Param("token"), c.pageSecret())
	if err != nil && clinic.KindOf(err) != clinic.Unauthenticated && clinic.KindOf(err) != clinic.Conflict {
		return err
	}
	return s.goTo(c, "/m/"+c.Param("token")+"/read"+chosenLanguage(c), saidNothing) // which asks for the proof again if that has ended
}

// pageStopAsk asks first: mail scanners open this link too.
func (s *Server) pageStopAsk(c *call) error {
	v := patientPage{}
	if id := deliveryToStop(c); id != uuid.Nil {
		v.Delivery = id.String()
	}
	return s.pageAround(c, http.StatusOK, pageStop, v)
}

// deliveryToStop is whose link this is: none in the mails of older versions.
func deliveryToStop(c *call) uuid.UUID {
	id, _ := uuid.Parse(c.QueryParam("d"))
	return id
}

// pageStop ends notices to this address. Mail programs call it by one click, from no page of ours.
func (s *Server) pageStop(c *call) error {
	if err := s.cfg.Clinic.PageStop(c.ctx(), c.patient(), c.Param("token"), deliveryToStop(c)); err != nil {
		return err
	}
	return s.pageAround(c, http.StatusOK, pageStopped, patientPage{})
}
