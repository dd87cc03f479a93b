package web

import (
	"context"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// deliveryResend sends a notice again that may already have been sent: a person's decision.
func (s *Server) deliveryResend(c *call) error {
	return s.deliverySettle(c, s.cfg.Clinic.DeliveryResend, saidResent)
}

// deliveryMarkSent takes a person's word that a notice was sent.
func (s *Server) deliveryMarkSent(c *call) error {
	return s.deliverySettle(c, s.cfg.Clinic.DeliveryMarkSent, saidMarkedSent)
}

type deliveryDeed func(ctx context.Context, a clinic.Actor, id uuid.UUID, rev int) (message uuid.UUID, err error)

// deliverySettle does what the button says and goes back to the message. When the row has moved since the page was
// drawn, the page comes back as it is now, with a sentence.
func (s *Server) deliverySettle(c *call, do deliveryDeed, said flash) error {
	message, err := do(c.ctx(), c.actor, c.id, c.form.version())
	if correctable(err) && message != uuid.Nil {
		c.id = message
		return s.messageAnswer(c, statusOf(clinic.KindOf(err)), clinic.Sentence(err))
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/messages/"+message.String(), said)
}
