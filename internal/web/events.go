package web

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
	"countersign/internal/identity"
)

const (
	streamBeat  = 20 * time.Second // a comment, so that nobody between takes the silence for an end
	streamWrite = 10 * time.Second // how long one write may take
	streamNames = 16
)

// eventsStream tells an open page which of the names it asked for have changed: event: <name>. It carries no data. It
// ends with the sign-in, with the process, and with the page. Names the person may not watch are refused as a whole,
// so that a stream cannot be used to find out what exists.
func (s *Server) eventsStream(c *call) error {
	names := strings.Split(c.QueryParam("names"), ",")
	if len(names) > streamNames {
		return echo.ErrBadRequest
	}
	for _, n := range names {
		if !s.mayWatch(c, n) {
			return echo.ErrNotFound
		}
	}
	if s.isDraining() {
		return echo.ErrServiceUnavailable
	}
	mine := "session-" + c.actor.SessionID.String() // ended elsewhere, it ends here at once
	changes, done := s.cfg.Hub.Subscribe(append(names, mine))
	defer done()
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := stream{control: http.NewResponseController(c.Response()), to: c.Response()}
	if err := out.control.SetReadDeadline(time.Time{}); err != nil { // the server's own would end us after readTime
		return err
	}
	c.Response().WriteHeader(http.StatusOK)
	if out.say("retry: 2000\n\n") != nil {
		return nil
	}
	return s.pump(c, out, changes, mine)
}

func (s *Server) pump(c *call, out stream, changes <-chan string, mine string) error {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		said := ": still here\n\n"
		select {
		case <-c.ctx().Done():
			return nil
		case <-s.draining:
			return nil
		case name, ok := <-changes:
			if !ok {
				return nil
			}
			if name != mine {
				said = "event: " + name + "\ndata:\n\n"
				break
			}
			if !s.stillSignedIn(c) {
				return out.end()
			}
		case <-beat.C:
			if !s.stillSignedIn(c) {
				return out.end()
			}
		}
		if out.say(said) != nil {
			return nil
		}
	}
}

// stream writes to a browser that may have gone, with a deadline for each write.
type stream struct {
	control *http.ResponseController
	to      io.Writer
}

func (o stream) say(text string) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(streamWrite + streamBeat)); err != nil {
		return err
	}
	if _, err := io.WriteString(o.to, text); err != nil {
		return err
	}
	return o.control.Flush()
}

// end tells the page that its sign-in is over. The browser may be gone before it hears it.
func (o stream) end() error {
	_ = o.say("event: signed-out\ndata:\n\n")
	return nil
}

// mayWatch knows two kinds of names: message-<id>, and worklist-<id of one's own clinic>.
func (s *Server) mayWatch(c *call, name string) bool {
	kind, raw, _ := strings.Cut(name, "-")
	id, err := uuid.Parse(raw)
	if err != nil || id.String() != raw {
		return false
	}
	switch kind {
	case "message":
		return s.cfg.Clinic.MayWatch(c.ctx(), c.actor, id)
	case "worklist":
		return id == c.actor.ClinicID
	default:
		return false
	}
}

// stillSignedIn: while nothing can be judged (the database is away, or the provider's keys) the stream stays.
func (s *Server) stillSignedIn(c *call) bool {
	_, err := s.stillKnown(c)
	return err == nil || !errors.Is(err, identity.ErrRefused) && !errors.Is(err, identity.ErrNoToken) && clinic.KindOf(err) != clinic.Unauthenticated
}
