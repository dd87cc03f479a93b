package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/angelofallars/htmx-go"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// statusOf is the one map from what went wrong to a status.
func statusOf(kind clinic.Kind) int {
	switch kind {
	case clinic.Invalid:
		return http.StatusUnprocessableEntity
	case clinic.Conflict:
		return http.StatusConflict
	case clinic.Forbidden:
		return http.StatusForbidden
	case clinic.NotFound:
		return http.StatusNotFound
	case clinic.Unauthenticated:
		return http.StatusUnauthorized
	case clinic.Unavailable:
		return http.StatusServiceUnavailable
	case clinic.TooMany:
		return http.StatusTooManyRequests
	default:
		return http.StatusInternalServerError
	}
}

// failureOf is the status and the sentence of any error.
func failureOf(err error) (status int, sentence string) {
	var tooLarge *http.MaxBytesError
	var protocol *echo.HTTPError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, protocolSentence(http.StatusRequestEntityTooLarge)
	case errors.As(err, &protocol):
		return protocol.Code, protocolSentence(protocol.Code)
	default:
		return statusOf(clinic.KindOf(err)), clinic.Sentence(err)
	}
}

// protocolSentence is for what goes wrong before a deed is reached.
func protocolSentence(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "That could not be read. Go back and try again."
	case http.StatusForbidden:
		return "This came from another site's page, so it was not done. Open Countersign itself and try again."
	case http.StatusNotFound:
		return "There is no page at this address."
	case http.StatusMethodNotAllowed:
		return "This address cannot be used that way."
	case http.StatusRequestEntityTooLarge:
		return "That is more text than one form can carry. Shorten it and try again; nothing was saved."
	case http.StatusUnsupportedMediaType:
		return "This kind of content is not read here."
	case http.StatusTooManyRequests:
		return "That was too much at once. Wait a minute and try again."
	default:
		return "Something went wrong on our side, and we have been told. Please try again."
	}
}

// errorView is what error and _error show.
type errorView struct {
	Status    int
	Sentence  string
	RequestID string
	Back      string
	Again     *againView // what was sent, when sending it again may work
	Typed     []string   // what was typed into a form that could not be taken, to be copied
}

// statusClosed is what proxies log for a request whose sender has gone.
const statusClosed = 499

// fail answers for any error that reaches the edge: a page, or a partial for htmx, never JSON. It needs no database.
func (s *Server) fail(err error, ec echo.Context) {
	if ec.Response().Committed {
		s.note(ec, http.StatusInternalServerError, err) // half an answer is out; the connection is all we can close
		return
	}
	if errors.Is(ec.Request().Context().Err(), context.Canceled) {
		ec.Response().Status = statusClosed
		return
	}
	c, ok := ec.Get(contextCall).(*call)
	if !ok { // no route took it, or the filter was faster
		c = &call{Context: ec, actor: s.nobody(ec), route: s.routed(ec)}
		if tooMany := s.strangers(ec); tooMany != nil {
			err = tooMany
		} else {
			s.recognise(c)
		}
	}
	status, sentence := failureOf(err)
	s.note(ec, status, err)
	if ec.Request().Method == http.MethodHead {
		_ = ec.NoContent(status)
		return
	}
	if c.route != nil && c.route.door == doorMachine && !strings.HasPrefix(c.route.path, "/m/") {
		_ = ec.NoContent(status) // the patient's stop button is a machine's address too, but people press it
		return
	}
	s.showFailure(c, status, sentence)
}

// routed is the route that the filter's look at the router's table found; nil where nobody looked.
func (s *Server) routed(c echo.Context) *route {
	for _, r := range s.table {
		if r.method == c.Request().Method && r.path == c.Path() {
			return &r
		}
	}
	return nil
}

func (s *Server) showFailure(c *call, status int, sentence string) {
	h := c.Response().Header()
	switch status {
	case http.StatusTooManyRequests:
		if h.Get("Retry-After") == "" {
			h.Set("Retry-After", strconv.Itoa(60))
		}
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(5))
	}
	view := errorView{Status: status, Sentence: sentence, RequestID: requestID(c), Back: backTo(c)}
	if status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
		view.Again = c.again()
	}
	if status == http.StatusUnprocessableEntity || status == http.StatusForbidden {
		view.Typed = s.typed(c)
	}
	a := answer{page: pageError, part: partError, title: "Something is not right", v: view}
	a.plain = !c.actor.SignedIn() || status >= http.StatusInternalServerError || status == http.StatusTooManyRequests
	if htmx.IsHTMX(c.Request()) {
		a.page = "" // never over the form, not even when the form's target is the whole of main
	}
	if err := s.render(c, status, a); err != nil && !c.Response().Committed {
		s.cfg.Report(c.ctx(), err)
		_ = c.String(status, sentence)
	}
}

// backTo is the page to try again: only for what was a plain look. A sign-in is begun anew: its answer is used up.
func backTo(c *call) string {
	if c.route != nil && (c.route.path == pathArrival || c.route.path == pathStart) {
		return "/sign-in"
	}
	if c.Request().Method == http.MethodGet && c.route != nil && c.route.door == doorStaff {
		return c.Request().URL.RequestURI()
	}
	return ""
}

// note logs what is worth a line, by its code; what nobody foresaw is reported.
func (s *Server) note(c echo.Context, status int, err error) {
	ctx := c.Request().Context()
	switch {
	case errors.Is(err, errPanicked): // reported where it was caught
	case status == http.StatusServiceUnavailable:
		s.cfg.Log.WarnContext(ctx, "unavailable", "route", c.Path(), "code", clinic.Code(err))
	case status >= http.StatusInternalServerError:
		s.cfg.Log.ErrorContext(ctx, "failed", "route", c.Path(), "code", clinic.Code(err), "error", err)
		s.cfg.Report(s.cfg.Tag(ctx, map[string]string{"route": c.Path(), "code": clinic.Code(err)}), err)
	}
}
