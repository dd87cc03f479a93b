package web

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type messageView struct {
	M        clinic.MessageView
	Sentence string
	Errors   map[string]string
	SendAt   *string // as typed
}

// messageShow is the whole life of one message.
func (s *Server) messageShow(c *call) error { return s.messageAnswer(c, http.StatusOK, "") }

func (s *Server) messageAnswer(c *call, status int, sentence string) error {
	return s.messagePage(c, status, messageView{Sentence: sentence})
}

// messageRefused is the page as it stands now, with what was typed and why it was not done.
func (s *Server) messageRefused(c *call, v messageView, cause error) error {
	v.Errors, v.Sentence = clinic.Fields(cause), clinic.Sentence(cause)
	return s.messagePage(c, statusOf(clinic.KindOf(cause)), v)
}

func (s *Server) messagePage(c *call, status int, v messageView) error {
	m, err := s.cfg.Clinic.MessageShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	v.M = m
	c.through(m.ByGlass)
	return s.render(c, status, answer{page: pageMessage, part: partTimeline, title: "Message", nav: "worklist",
		v: v})
}

// scheduleForm is the partial message/_schedule: on a review, or on the message's own page.
type scheduleForm struct {
	Message clinic.MessageHead
	Typed   string // after a mistake
	Errors  map[string]string
	From    string
}

func newSchedule(m clinic.MessageHead, typed *string, wrong map[string]string, from string) scheduleForm {
	f := scheduleForm{Message: m, Errors: wrong, From: from}
	if typed != nil {
		f.Typed = *typed
	}
	return f
}

// messageSchedule says when the notice goes out, from the message's page or from its review.
func (s *Server) messageSchedule(c *call) error {
	f := clinic.ScheduleForm{Version: c.form.version(), Seen: c.form.line("seen"), SendAt: c.form.line("send_at")}
	if c.form.line("when") == "now" {
		f.SendAt = ""
	}
	err := s.cfg.Clinic.MessageSchedule(c.ctx(), c.actor, c.id, f)
	review := c.form.line("from") == "review"
	switch {
	case err == nil && review:
		return s.goTo(c, "/reviews/"+c.id.String(), saidScheduled)
	case err == nil:
		return s.goTo(c, "/messages/"+c.id.String(), saidScheduled)
	case correctable(err) && review:
		return s.reviewRefused(c, reviewView{SendAt: &f.SendAt}, err)
	case correctable(err):
		return s.messageRefused(c, messageView{SendAt: &f.SendAt}, err)
	}
	return err
}

// messageUndo takes a signature back while nothing has gone out.
func (s *Server) messageUndo(c *call) error {
	return s.messageAct(c, s.cfg.Clinic.MessageUndo, "/reviews/", saidUndone)
}

// messageWithdraw ends a message wherever it is.
func (s *Server) messageWithdraw(c *call) error {
	return s.messageAct(c, s.cfg.Clinic.MessageWithdraw, "/messages/", saidWithdrawn)
}

type messageDeed func(ctx context.Context, a clinic.Actor, id uuid.UUID, version int) error

func (s *Server) messageAct(c *call, do messageDeed, to string, said flash) error {
	err := do(c.ctx(), c.actor, c.id, c.form.version())
	if correctable(err) {
		return s.messageAnswer(c, statusOf(clinic.KindOf(err)), clinic.Sentence(err))
	}
	if err != nil {
		return err
	}
	return s.goTo(c, to+c.id.String(), said)
}
