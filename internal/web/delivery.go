package web

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

type deliveriesView struct {
	List     clinic.DeliveryPage
	ClinicID uuid.UUID
	Tabs     []tab
	Query    string // the filter as an address has it, without where a page begins
	Sentence string
}

// tab is one list of the screen.
type tab struct {
	Show, Name string
	N          int // 0 is not said
	Here       bool
}

var tabNames = map[string]string{"trouble": "In trouble", "unknown": "Not known", "way": "On its way", "arrived": "Arrived", "ended": "Ended"}

func readFilter(get func(string) string) clinic.DeliveryFilter {
	return clinic.DeliveryFilter{Show: get("show"), Channel: get("channel"), Code: get("code"), Age: get("age"), After: get("after")}
}

// deliveryList is where every notice of one's patients stands. Its rows alone are what an open page asks for by itself.
func (s *Server) deliveryList(c *call) error {
	return s.deliveriesAnswer(c, http.StatusOK, readFilter(c.QueryParam), "")
}

func (s *Server) deliveriesAnswer(c *call, status int, f clinic.DeliveryFilter, sentence string) error {
	list, err := s.cfg.Clinic.DeliveryList(c.ctx(), c.actor, f)
	if err != nil {
		return err
	}
	v := deliveriesView{List: list, ClinicID: c.actor.ClinicID, Query: queryOf(list.Filter), Sentence: sentence}
	for _, show := range clinic.DeliveryShows {
		v.Tabs = append(v.Tabs, tab{Show: show, Name: tabNames[show], N: list.Counts[show], Here: show == list.Filter.Show})
	}
	return s.render(c, status, answer{page: pageDeliveries, part: partDeliveries, title: "Deliveries", nav: "deliveries", v: v})
}

// queryOf holds codes and words of ours, never text.
func queryOf(f clinic.DeliveryFilter) string {
	q := url.Values{"show": {f.Show}, "age": {f.Age}}
	for name, value := range map[string]string{"channel": f.Channel, "code": f.Code} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q.Encode()
}

type retryView struct {
	clinic.RetryPreview
	Cannot int
	Filter clinic.DeliveryFilter
	Query  string
	Done   int // how many are on their way once more; the rows are the others
	Asked  bool
}

// deliveryPreview says row by row what a further round would do, and asks. It changes nothing.
func (s *Server) deliveryPreview(c *call) error {
	f := readFilter(c.form.line)
	ids, err := readIDs(c.form.list("pick"))
	if err != nil {
		return err
	}
	if len(ids) == 0 && c.form.line("all") == "" {
		return s.deliveriesAnswer(c, http.StatusUnprocessableEntity, f, "Choose at least one notice first, by the box before its name.")
	}
	if c.form.line("all") != "" {
		ids, f.After = nil, ""
	}
	v, err := s.cfg.Clinic.DeliveryPreview(c.ctx(), c.actor, ids, f)
	if err != nil {
		return err
	}
	return s.retryAnswer(c, http.StatusOK, retryView{RetryPreview: v, Filter: f, Query: queryOf(f)})
}

func (s *Server) retryAnswer(c *call, status int, v retryView) error {
	v.Cannot = len(v.Rows) - v.Can
	return s.render(c, status, answer{page: pageRetry, title: "Send once more", nav: "deliveries", v: v})
}

// readIDs reads the ids of a form. What is none came from no page of ours.
func readIDs(raw []string) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	for _, r := range raw {
		id, err := uuid.Parse(r)
		if err != nil {
			return nil, echo.ErrBadRequest
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// deliveryRetry lets a further round of each row go that its person confirmed, each in a deed of its own: what moved
// meanwhile is told, and does not hold up the others.
func (s *Server) deliveryRetry(c *call) error {
	v := retryView{Asked: true, Query: queryOf(readFilter(c.form.line))}
	why := map[uuid.UUID]string{}
	var left []uuid.UUID
	for _, row := range c.form.list("row") {
		raw, rev, _ := strings.Cut(row, " ")
		id, err := uuid.Parse(raw)
		n, wrong := strconv.Atoi(rev)
		if err != nil || wrong != nil {
			return echo.ErrBadRequest
		}
		_, err = s.cfg.Clinic.DeliveryRetry(c.ctx(), c.actor, id, n)
		switch {
		case err == nil:
			v.Done++
		case clinic.KindOf(err) == clinic.Conflict:
			left = append(left, id)
			why[id] = clinic.Sentence(err)
		default:
			return err
		}
	}
	switch {
	case len(left) == 0 && v.Done == 0:
		return s.deliveriesAnswer(c, http.StatusUnprocessableEntity, readFilter(c.form.line), "No notice was chosen, so nothing was sent.")
	case len(left) == 0:
		return s.goTo(c, "/deliveries?show=way", saidRetried)
	}
	rows, err := s.cfg.Clinic.DeliveryPreview(c.ctx(), c.actor, left, clinic.DeliveryFilter{})
	if err != nil {
		return err
	}
	for i := range rows.Rows {
		rows.Rows[i].Can, rows.Rows[i].Why = false, why[rows.Rows[i].ID]
	}
	rows.Can, v.RetryPreview = 0, rows
	status := http.StatusOK
	if v.Done == 0 {
		status = http.StatusConflict
	}
	return s.retryAnswer(c, status, v)
}

// deliveryResend sends a notice again that may already have been sent: a person's decision.
func (s *Server) deliveryResend(c *call) error {
	return s.deliverySettle(c, s.cfg.Clinic.DeliveryResend, saidResent)
}

// deliveryMarkSent takes a person's word that a notice was sent.
func (s *Server) deliveryMarkSent(c *call) error {
	return s.deliverySettle(c, s.cfg.Clinic.DeliveryMarkSent, saidMarkedSent)
}

type deliveryDeed func(ctx context.Context, a clinic.Actor, id uuid.UUID, rev int) (message uuid.UUID, err error)

// deliverySettle does what the button says and goes back to where it stood: the message, or the list. When the row has
// moved since the page was drawn, the page comes back as it is now, with a sentence.
func (s *Server) deliverySettle(c *call, do deliveryDeed, said flash) error {
	listed := c.form.line("from") == "deliveries"
	message, err := do(c.ctx(), c.actor, c.id, c.form.version())
	switch {
	case correctable(err) && message != uuid.Nil && listed:
		return s.deliveriesAnswer(c, statusOf(clinic.KindOf(err)), clinic.DeliveryFilter{Show: "unknown"}, clinic.Sentence(err))
	case correctable(err) && message != uuid.Nil:
		c.id = message
		return s.messageAnswer(c, statusOf(clinic.KindOf(err)), clinic.Sentence(err))
	case err != nil:
		return err
	case listed:
		return s.goTo(c, "/deliveries?show=unknown", said)
	}
	return s.goTo(c, "/messages/"+message.String(), said)
}
