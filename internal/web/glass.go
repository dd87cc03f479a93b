package web

import (
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// glassView is the form of emergency access, as typed.
type glassView struct {
	Form     clinic.GlassForm
	Errors   map[string]string
	Sentence string
}

// glassNew is the empty form.
func (s *Server) glassNew(c *call) error {
	if err := s.may(c, clinic.GlassBreak); err != nil {
		return err
	}
	return s.glassForm(c, http.StatusOK, glassView{})
}

func (s *Server) glassForm(c *call, status int, v glassView) error {
	return s.render(c, status, answer{page: pageGlass, title: "Emergency access", nav: "glass", v: v})
}

// glassBreak opens one patient for reading and goes to them. It is a POST: neither name nor reason stands in an address.
func (s *Server) glassBreak(c *call) error {
	f := clinic.GlassForm{MRN: c.form.line("mrn"), Name: c.form.line("name"), BirthDate: c.form.line("birth_date"), Reason: c.form.text("reason")}
	patient, err := s.cfg.Clinic.GlassBreak(c.ctx(), c.actor, f)
	if correctable(err) || clinic.KindOf(err) == clinic.TooMany {
		return s.glassForm(c, statusOf(clinic.KindOf(err)), glassView{Form: f, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/patients/"+patient.String(), saidNothing)
}

func (s *Server) glassEnd(c *call) error {
	if err := s.cfg.Clinic.GlassEnd(c.ctx(), c.actor, c.id); err != nil {
		return err
	}
	return s.goTo(c, "/patients", saidGlassEnded)
}

// glassListView is the review list.
type glassListView struct {
	Rows     []clinic.GlassRow
	Next     string
	Reviewed bool      // those that had their review
	At       uuid.UUID // the entry that a mistake is about
	Note     string    // as typed
	Errors   map[string]string
	Sentence string
}

// glassList is every emergency access of the clinic, for an administrator: those to review, or with show=reviewed the others.
func (s *Server) glassList(c *call) error {
	return s.glassAnswer(c, http.StatusOK, glassListView{Reviewed: c.QueryParam("show") == "reviewed"}, c.QueryParam("after"))
}

func (s *Server) glassAnswer(c *call, status int, v glassListView, after string) error {
	page, err := s.cfg.Clinic.GlassList(c.ctx(), c.actor, v.Reviewed, after)
	if err != nil {
		return err
	}
	v.Rows, v.Next = page.Rows, page.Next
	return s.render(c, status, answer{page: pageGlassList, title: "Emergency access", nav: "glass", v: v})
}

func (s *Server) glassReview(c *call) error {
	note := c.form.text("note")
	err := s.cfg.Clinic.GlassReview(c.ctx(), c.actor, c.id, note)
	if correctable(err) {
		return s.glassAnswer(c, statusOf(clinic.KindOf(err)), glassListView{At: c.id, Note: note, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)}, "")
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/glass/list", saidReviewed)
}

// through says that what a handler read is open by emergency access: its page then offers nothing but looking.
func (c *call) through(byGlass bool) { c.actor.Reading = byGlass }
