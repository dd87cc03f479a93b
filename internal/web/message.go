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
}

// messageShow is the whole life of one message.
func (s *Server) messageShow(c *call) error { return s.messageAnswer(c, http.StatusOK, "") }

func (s *Server) messageAnswer(c *call, status int, sentence string) error {
	m, err := s.cfg.Clinic.MessageShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	return s.render(c, status, answer{page: pageMessage, part: partTimeline, title: "Message", nav: "worklist",
		v: messageView{M: m, Sentence: sentence}})
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
