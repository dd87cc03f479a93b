package web

import (
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type callsView struct {
	List     clinic.CallPage
	ClinicID uuid.UUID
	Sentence string
}

// callForm is the partial call/_form: in the list, or on the message's own page.
type callForm struct {
	*clinic.CallRow
	From string
}

func newCalling(row any, from string) callForm {
	switch r := row.(type) {
	case clinic.CallRow:
		return callForm{&r, from}
	case *clinic.CallRow:
		return callForm{r, from}
	}
	return callForm{}
}

// callList is whom to call about what went out and was not opened; callListUnread is all of that.
func (s *Server) callList(c *call) error { return s.callsAnswer(c, http.StatusOK, false, "") }

func (s *Server) callListUnread(c *call) error { return s.callsAnswer(c, http.StatusOK, true, "") }

func (s *Server) callsAnswer(c *call, status int, unread bool, sentence string) error {
	list, err := s.cfg.Clinic.CallList(c.ctx(), c.actor, unread, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, status, answer{page: pageCalls, part: partCalls, title: "Unread", nav: "deliveries",
		v: callsView{List: list, ClinicID: c.actor.ClinicID, Sentence: sentence}})
}

// callRecord writes down what came of a call, and goes back to where the button stood.
func (s *Server) callRecord(c *call) error {
	err := s.cfg.Clinic.CallRecord(c.ctx(), c.actor, c.id, c.form.version(), c.form.line("outcome"))
	from := c.form.line("from")
	switch {
	case correctable(err) && from != "":
		return s.callsAnswer(c, statusOf(clinic.KindOf(err)), from == "unread", clinic.Sentence(err))
	case correctable(err):
		return s.messageAnswer(c, statusOf(clinic.KindOf(err)), clinic.Sentence(err))
	case err != nil:
		return err
	case from == "unread":
		return s.goTo(c, "/calls/unread", saidCalled)
	case from != "":
		return s.goTo(c, "/calls", saidCalled)
	}
	return s.goTo(c, "/messages/"+c.id.String(), saidCalled)
}
