package web

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type statusView struct {
	S        clinic.Status
	Figures  figuresView
	ClinicID uuid.UUID
	Sentence string
}

// statusShow is how the house does: the six figures, counts, codes and times, and nothing of a patient.
func (s *Server) statusShow(c *call) error { return s.statusAnswer(c, http.StatusOK, "") }

func (s *Server) statusAnswer(c *call, status int, sentence string) error {
	now, err := s.cfg.Clinic.StatusShow(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v := statusView{S: now, ClinicID: c.actor.ClinicID, Sentence: sentence}
	if v.Figures, err = s.figures(c); err != nil {
		return err
	}
	part := partStatus
	if c.route.path == pathFigures {
		part = partFigures
	}
	return s.render(c, status, answer{page: pageStatus, part: part, title: "Status", nav: "status", v: v})
}

// breakerOpen pauses a channel.
func (s *Server) breakerOpen(c *call) error {
	return s.breakerTurn(c, s.cfg.Clinic.BreakerOpen, saidPaused)
}

// breakerClose lets a channel's notices go out again.
func (s *Server) breakerClose(c *call) error {
	return s.breakerTurn(c, s.cfg.Clinic.BreakerClose, saidResumed)
}

type breakerDeed func(ctx context.Context, a clinic.Actor, channel string, rev int) error

func (s *Server) breakerTurn(c *call, do breakerDeed, said flash) error {
	err := do(c.ctx(), c.actor, c.Param("channel"), c.form.version())
	if correctable(err) {
		return s.statusAnswer(c, statusOf(clinic.KindOf(err)), clinic.Sentence(err))
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/status", said)
}
