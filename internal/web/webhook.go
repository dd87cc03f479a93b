package web

import (
	"errors"
	"io"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

func (s *Server) webhookSendGrid(c *call) error {
	return s.receive(c, "sendgrid", s.cfg.SendGrid, uuid.Nil)
}

// webhookTwilio carries the delivery's id in its path, which the signature covers.
func (s *Server) webhookTwilio(c *call) error {
	id, err := uuid.Parse(c.Param("delivery"))
	if err != nil {
		return echo.ErrNotFound
	}
	return s.receive(c, "twilio", s.cfg.Twilio, id)
}

// receive verifies the raw bytes and hands over what they say. 403 is a forgery, 204 is stored, anything else makes the
// provider send it again.
func (s *Server) receive(c *call, provider string, v Verifier, delivery uuid.UUID) error {
	if v == nil {
		return echo.ErrNotFound
	}
	raw, err := readRaw(c)
	if err != nil {
		return err
	}
	receipts, err := v.Receipts(c.Request(), raw, delivery)
	if err != nil {
		return s.forged(c, provider, clinic.DeliveryReceive)
	}
	s.verified(c, provider)
	if len(receipts) > 0 {
		if err := s.cfg.Clinic.DeliveryReceive(c.ctx(), s.provider(c, provider), receipts); err != nil {
			return err
		}
	}
	return c.NoContent(http.StatusNoContent)
}

// webhookReply is what a patient's phone sent to the clinic's number. The answer is an empty TwiML document: no text
// goes back by this way.
func (s *Server) webhookReply(c *call) error {
	if s.cfg.Inbound == nil {
		return echo.ErrNotFound
	}
	raw, err := readRaw(c)
	if err != nil {
		return err
	}
	reply, err := s.cfg.Inbound.Reply(c.Request(), raw)
	if err != nil {
		return s.forged(c, "twilio", clinic.ConsentReply)
	}
	s.verified(c, "twilio")
	words := reply.Body
	if reply.OptOutType != "" {
		words = reply.OptOutType // what the provider understood counts, whatever the language of the word
	}
	if err := s.cfg.Clinic.ConsentReply(c.ctx(), s.provider(c, "twilio"), clinic.Reply{ID: reply.ProviderID, From: reply.From, Words: words}); err != nil {
		return err
	}
	return c.Blob(http.StatusOK, "text/xml; charset=utf-8", []byte("<Response></Response>"))
}

func (s *Server) provider(c *call, name string) clinic.Actor {
	return clinic.ProviderActor(name, c.actor.IP, c.actor.RequestID)
}

// forged puts the refusal on the audit trail and says nothing about the reason. Of an address that forges much, only the
// first ones of each minute are.
func (s *Server) forged(c *call, provider string, deed clinic.Deed) error {
	s.cfg.Metrics.Webhook(provider, "forged")
	if err := s.within(c, s.rules.forged, s.callerKey(c)); err != nil {
		return err
	}
	s.cfg.Log.WarnContext(c.ctx(), "webhook refused", "provider", provider)
	a := c.actor
	a.Name = provider
	s.cfg.Clinic.Refused(c.ctx(), a, deed, "signature")
	return c.NoContent(http.StatusForbidden)
}

// readRaw reads the body as it was sent, webhookBytes at most.
func readRaw(c *call) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, webhookBytes))
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, echo.ErrBadRequest
	}
	return raw, err
}
