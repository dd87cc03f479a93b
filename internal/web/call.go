package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/angelofallars/htmx-go"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
	"countersign/internal/identity"
)

// call is one request on its way through a handler: who asks, about what, and what they typed.
type call struct {
	echo.Context
	actor clinic.Actor
	id    uuid.UUID // the address's :id, or Nil
	form  form      // empty unless the request is a POST
	route *route
}

// handler answers one call. What it returns is translated once, in fail.go.
type handler func(*call) error

func (c *call) ctx() context.Context { return c.Request().Context() }

func (c *call) isHTMX() bool { return htmx.IsHTMX(c.Request()) }

// door says how the caller is known.
type door int

const (
	doorStaff   door = iota // a session, and a role
	doorPerson              // a session; a role is not needed
	doorOpen                // nobody in particular
	doorPatient             // whoever holds the link
	doorMachine             // a provider or a mail program: not held to our origin, judged by its handler
)

// route is one line of the table in routes.go.
type route struct {
	method string
	path   string
	door   door
	deed   clinic.Deed // the deed behind it, for the reader and the tests; clinic does the asking
	do     handler
}

const (
	sessionCookie = "__Host-session"
	pageCookie    = "__Host-page"
)

const (
	contextCall  = "call"
	contextRaw   = "raw"
	formBytes    = 64 << 10
	webhookBytes = 1 << 20
)

// enter makes the call and opens the route's door. A database that hangs instead of refusing shows the 503 page after
// requestTime.
func (s *Server) enter(r *route) echo.HandlerFunc {
	return func(ec echo.Context) error {
		if r.path != pathEvents && r.path != pathAuditExport { // which last as long as there is somebody to write to
			whole := ec.Request()
			ctx, cancel := context.WithTimeout(whole.Context(), requestTime)
			defer cancel()
			ec.SetRequest(whole.WithContext(ctx))
			defer ec.SetRequest(whole) // what is said of a failure is not bound by its deadline
		}
		c := &call{Context: ec, route: r, actor: s.nobody(ec)}
		ec.Set(contextCall, c)
		if raw := ec.Param("id"); raw != "" {
			id, err := uuid.Parse(raw)
			if err != nil || len(raw) != 36 {
				return echo.ErrNotFound
			}
			c.id = id
		}
		if err := s.mayEnter(c); err != nil {
			return err
		}
		if r.door == doorStaff || r.door == doorPerson {
			if done, err := s.known(c); done || err != nil {
				return err
			}
		}
		if r.hasForm() {
			f, err := readForm(c.Response(), c.Request())
			if err != nil {
				return err
			}
			c.form = f
			if err := s.forms[r.path].check(f); err != nil {
				return err
			}
		}
		return r.do(c)
	}
}

// edge is who stands in front of us and is believed.
func (s *Server) edge() identity.Edge {
	return identity.Edge{Trusted: s.cfg.TrustedProxies, AddressHeader: s.cfg.AddressHeader, CountryHeader: s.cfg.CountryHeader}
}

// nobody is the caller before anything but the address is known.
func (s *Server) nobody(c echo.Context) clinic.Actor {
	ip := ""
	if a := s.edge().Client(c.Request()); a.IsValid() {
		ip = a.String()
	}
	return clinic.Nobody(ip, c.Request().UserAgent(), requestID(c))
}

// patient is the caller on a patient's page: the link is all that is known of them.
func (c *call) patient() clinic.Actor {
	a := c.actor
	a.Kind, a.Role = clinic.ActorPatient, clinic.RolePatient
	return a
}

// isLive says that a page asked by itself: for a part of it that had changed, or because the queue board polls. What a
// person asks for by a click (edit, return, the next page of a list) carries a query, a live refresh does not.
func (c *call) isLive() bool {
	r := c.Request()
	if r.Method != http.MethodGet {
		return false
	}
	polled := strings.HasPrefix(r.URL.Path, pathBoard+"/api/") || r.URL.Path == pathDeliveryRows && htmx.IsHTMX(r)
	return polled || htmx.IsHTMX(r) && !htmx.IsBoosted(r) && r.URL.RawQuery == ""
}
