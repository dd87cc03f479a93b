package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"countersign/internal/metrics"
)

const headerTiming = "Server-Timing"

// newEcho puts the layers around the routes. From the outside in: observe (id, timing, figures, log), headers, panics,
// the lists of networks, the origin check, the optional filter; then the router; then the address people should use, compression,
// and the route's own door.
func (s *Server) newEcho() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.fail
	e.Pre(s.observe, s.guard, s.catch, s.keepOut, s.sameOrigin(s.table), s.filter)
	e.Use(s.localhost, middleware.GzipWithConfig(middleware.GzipConfig{Level: 5, MinLength: 1024, Skipper: writesItsOwn}))
	s.lay(e)
	return e
}

// writesItsOwn: streams must not be held back, and the others compress by themselves.
func writesItsOwn(c echo.Context) bool {
	switch c.Path() {
	case pathEvents, pathStatic, pathMetrics, pathAuditExport:
		return true
	}
	return false
}

func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

// observe gives each request an id, and counts and logs it by its route's pattern. Paths are never logged: the one of a
// patient's page is a secret. Server-Timing is for people who are signed in: to others the number of queries would tell
// whether a link or a person exists.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		id := uuid.Must(uuid.NewV7()).String()
		ctx, timing := metrics.WithTiming(s.cfg.Identify(c.Request().Context(), id))
		ctx, traced := s.cfg.Trace(ctx, "http.server")
		c.SetRequest(c.Request().WithContext(ctx))
		res := c.Response()
		res.Header().Set(echo.HeaderXRequestID, id)
		first := time.Duration(0)
		res.Before(func() {
			first = timing.Total()
			if known, ok := c.Get(contextCall).(*call); ok && known.actor.SignedIn() {
				res.Header().Set(headerTiming, timing.Header())
			}
		})
		if err := next(c); err != nil {
			s.fail(err, c)
		}
		route, took := c.Path(), timing.Total()
		queries, db := timing.DB()
		if route != pathEvents { // a stream's length is not an answer's time
			s.cfg.Metrics.Request(route, c.Request().Method, res.Status, took)
		}
		traced(traceName(c), res.Status, queries)
		s.figure(route, c.Request().Method, res.Status, first)
		level := slog.LevelInfo
		if !isForPeople(route) && res.Status < http.StatusInternalServerError {
			level = slog.LevelDebug
		}
		s.cfg.Log.Log(ctx, level, "request", "method", c.Request().Method, "route", route, "status", res.Status,
			"ms", milliseconds(took), "db_ms", milliseconds(db), "queries", queries, "bytes", res.Size)
		return nil
	}
}

// traceName is what a request's trace goes by: its route's pattern, never its path. Probes, files and streams have none.
func traceName(c echo.Context) string {
	if !isForPeople(c.Path()) && !strings.HasPrefix(c.Path(), "/webhooks/") {
		return ""
	}
	return c.Request().Method + " " + c.Path()
}

// figure counts an answer for the figures that are promised. Probes are in none; what is no page is in the error rate.
func (s *Server) figure(route, method string, status int, first time.Duration) {
	if route == pathHealth || route == pathReady || route == pathMetrics {
		return
	}
	s.cfg.Metrics.Answered(status)
	if isForPeople(route) && route != pathReport && route != pathVitals && !(route == pathPage && method == http.MethodPost) {
		s.cfg.Metrics.FirstResponse(first)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// catch turns a panic into a report and a 500.
func (s *Server) catch(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			switch v := recover(); {
			case v == nil:
			case v == http.ErrAbortHandler: //nolint:errorlint // net/http compares it this way too
				panic(v)
			default:
				s.cfg.Panicked(s.cfg.Tag(c.Request().Context(), map[string]string{"route": c.Path()}), v)
				err = errPanicked
			}
		}()
		return next(c)
	}
}

var errPanicked = errors.New("web: a handler panicked")

// localhost moves a browser from 127.0.0.1 to localhost on a developer's machine, where the sign-in's cookie is.
func (s *Server) localhost(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if s.cfg.Env != "local" || host != "127.0.0.1" || !isForPeople(c.Path()) || r.Method != http.MethodGet {
			return next(c)
		}
		to := "http://localhost"
		if port != "" {
			to = "http://" + net.JoinHostPort("localhost", port)
		}
		return c.Redirect(http.StatusTemporaryRedirect, to+r.URL.RequestURI())
	}
}

// isForPeople: not what programs ask for.
func isForPeople(route string) bool {
	switch route {
	case pathHealth, pathReady, pathMetrics, pathStatic, pathEvents, "":
		return false
	}
	return !strings.HasPrefix(route, "/webhooks/")
}

// sameOrigin refuses what another site's page makes a browser send, before anything of the request is looked at. The
// machine routes are not held to it; neither is a patient's own form from a browser too old to say where it comes from,
// because their pages send no origin (Referrer-Policy: no-referrer), and their cookie does not cross sites.
func (s *Server) sameOrigin(table []route) echo.MiddlewareFunc {
	protection := http.NewCrossOriginProtection()
	for _, r := range table {
		if r.door == doorMachine && r.method == http.MethodPost {
			protection.AddInsecureBypassPattern(r.method + " " + muxPattern(r.path))
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			unsaid := r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == "null" && strings.HasPrefix(r.URL.Path, "/m/")
			if err := protection.Check(r); err != nil && !unsaid {
				return errCrossOrigin
			}
			return next(c)
		}
	}
}

var errCrossOrigin = echo.NewHTTPError(http.StatusForbidden, "cross-origin")

// muxPattern spells an echo path as net/http does: /m/:token/stop is /m/{token}/stop.
func muxPattern(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			parts[i] = fmt.Sprintf("{%s}", name)
		}
	}
	return strings.Join(parts, "/")
}
