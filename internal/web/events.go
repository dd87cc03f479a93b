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
	figuresName = "figures" // new figures were written; figures.Name
)

// eventsStream tells an open page which of the names it asked for have changed: event: <name>. It carries no data. It
// ends with the sign-in, with the process, and with the page. Names the person may not watch are refused as a whole,
// so that a stream cannot be used to find out what exists; and it ends when one of them is not theirs to watch any more.
func (s *Server) eventsStream(c *call) error {
	names := strings.Split(c.QueryParam("names"), ",")
	if len(names) > streamNames {
		return echo.ErrBadRequest
	}
	w := watch{names: names, session: "session-" + c.actor.SessionID.String(), person: "person-" + c.actor.ID.String()}
	if !w.read(c.actor.ClinicID) {
		return echo.ErrNotFound
	}
	if w.figures && !c.actor.Can(clinic.StatusShow) {
		s.cfg.Clinic.Refused(c.ctx(), c.actor, clinic.StatusShow, "role")
		return echo.ErrNotFound
	}
	// Listening before asking: what is taken from the person between the two is heard.
	changes, done := s.cfg.Hub.Subscribe(append(names, w.session, w.person))
	defer done()
	if may, err := s.cfg.Clinic.MayWatch(c.ctx(), c.actor, w.messages, w.patients); err != nil {
		return err
	} else if !may {
		s.cfg.Clinic.Refused(c.ctx(), c.actor, clinic.MessageShow, "not_found")
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentType, "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	out := stream{control: http.NewResponseController(c.Response()), to: c.Response()}
	c.Response().WriteHeader(http.StatusOK)
	if out.say("retry: 2000\n\n") != nil {
		return nil
	}
	return s.pump(c, out, changes, w)
}

func (s *Server) pump(c *call, out stream, changes <-chan string, w watch) error {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		said := ": still here\n\n"
		select {
		case <-c.ctx().Done():
			return nil
		case <-s.ending:
			return nil
		case name, ok := <-changes:
			if !ok {
				return nil
			}
			if name != w.session && name != w.person {
				said = "event: " + name + "\ndata:\n\n"
				break
			}
			if over := s.over(c, w); over != "" {
				return out.end(over)
			}
		case <-beat.C:
			if over := s.over(c, w); over != "" {
				return out.end(over)
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

// end tells the page why it hears no more. The browser may be gone before it hears it.
func (o stream) end(why string) error {
	_ = o.say("event: " + why + "\ndata:\n\n")
	return nil
}

// over says why a stream has to end: the sign-in is over, or the page shows what is not for the person any more, because
// they left the care team or their emergency access has ended. While nothing can be judged the stream stays.
func (s *Server) over(c *call, w watch) string {
	if !s.stillSignedIn(c) {
		return "signed-out"
	}
	if may, err := s.cfg.Clinic.MayWatch(c.ctx(), c.actor, w.messages, w.patients); err == nil && !may {
		return "gone"
	}
	return ""
}

// watch is what a stream listens to: the names that its page asked for, what they are about, and the two by which it hears
// that it may have to end.
type watch struct {
	names              []string
	messages, patients []uuid.UUID
	session, person    string
	figures            bool
}

// read knows four kinds of names: message-<id>, patient-<id>, worklist-<id of one's own clinic>, and figures. The ids of
// the first two are still to be asked about, and who may see figures.
func (w *watch) read(clinicID uuid.UUID) bool {
	seen := map[uuid.UUID]bool{}
	for _, name := range w.names {
		if name == figuresName {
			w.figures = true
			continue
		}
		kind, raw, _ := strings.Cut(name, "-")
		id, err := uuid.Parse(raw)
		if err != nil || id.String() != raw {
			return false
		}
		again := seen[id]
		seen[id] = true
		switch {
		case kind == "worklist" && id == clinicID, again && (kind == "message" || kind == "patient"):
		case kind == "message":
			w.messages = append(w.messages, id)
		case kind == "patient":
			w.patients = append(w.patients, id)
		default:
			return false
		}
	}
	return true
}

// stillSignedIn: while nothing can be judged (the database is away, or the provider's keys) the stream stays.
func (s *Server) stillSignedIn(c *call) bool {
	_, err := s.stillKnown(c)
	return err == nil || !errors.Is(err, identity.ErrRefused) && !errors.Is(err, identity.ErrNoToken) && clinic.KindOf(err) != clinic.Unauthenticated
}
