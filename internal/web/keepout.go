package web

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

const (
	listsEvery = 10 * time.Second // how long a process may not have heard of a change of the lists
	listsSoon  = time.Second      // the same while it has not read them once
	listsTime  = 2 * time.Second
)

// keepOut keeps out whom the lists of networks keep out, before anything of the request is looked at: no session, no form, no
// template. Not held to them are those whom nobody means by a block and whose loss would hurt a patient: providers, whose
// signature is looked at instead, the one click by which a mail program stops notices, and the platform's probes.
func (s *Server) keepOut(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		lists := s.lists.Load()
		if lists == nil || len(*lists) == 0 || freeOfLists(r) {
			return next(c)
		}
		edge := s.edge()
		why := lists.Refuses(edge.Client(r), edge.Country(r), s.cfg.Now())
		if why == "" {
			return next(c)
		}
		s.cfg.Metrics.Refused(why)
		return c.String(http.StatusForbidden, "Countersign is not open to the network that you are on. If that is a mistake, call the clinic.\n")
	}
}

func freeOfLists(r *http.Request) bool {
	path := r.URL.Path
	return path == pathHealth || path == pathReady || strings.HasPrefix(path, "/webhooks/") ||
		r.Method == http.MethodPost && strings.HasPrefix(path, "/m/") && strings.HasSuffix(path, "/stop")
}

// readLists reads the lists anew. While they cannot be read, those of before are held up: a database that is away lets
// nobody in who was kept out.
func (s *Server) readLists(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listsTime)
	defer cancel()
	lists, err := s.cfg.Clinic.NetworksInForce(ctx)
	if err != nil {
		s.cfg.Log.WarnContext(ctx, "the lists of networks cannot be read; those of before are in force", "code", clinic.Code(err))
		return
	}
	s.lists.Store(&lists)
}

// watchLists reads the lists when a process says that they changed, and every ten seconds in case that was not heard.
func (s *Server) watchLists(ctx context.Context) {
	changes, done := s.cfg.Hub.Subscribe([]string{clinic.NetworksChanged, clinic.ClinicChanged})
	defer done()
	for {
		wait := listsEvery
		if s.lists.Load() == nil {
			wait = listsSoon
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case _, ok := <-changes:
			if !ok {
				changes = nil
			}
		case <-timer.C:
		}
		timer.Stop()
		s.readLists(ctx)
		s.readZone(ctx)
	}
}
