package web

import (
	"net/http"
	"strconv"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/limit"
)

// networkView is the lists, the form, and where the person is: so that they see whom they shut out.
type networkView struct {
	List     clinic.Networks
	Form     clinic.NetworkForm
	Lasts    []lastsChoice
	Errors   map[string]string
	Sentence string
	Shut     string // the id of the entry whose removal shuts them out
	Address  string
	Country  string // empty: the edge does not tell
	Rates    []rateLine
}

// rateLine is one limit on requests, in words.
type rateLine struct{ Who, Most, Within string }

// lines are the rates that hold, for people.
func (r rules) lines() (all []rateLine) {
	for _, one := range []struct {
		who  string
		rule limit.Rule
	}{{"one address, signed out", r.address}, {"one person, signed in", r.person}, {"signing in, one person; one address that fails", r.signIn},
		{"reports of providers whose signature does not hold, one address", r.forged}, {"browsers’ reports, one address", r.reports}} {
		all = append(all, rateLine{one.who, strconv.Itoa(one.rule.Most), plural(int(one.rule.Within.Minutes()), "minute", "minutes")})
	}
	return all
}

// lastsChoice is one choice of how long an entry lasts, in hours.
type lastsChoice struct {
	Hours string
	Words string
	Is    bool
}

func lastsChoices(chosen time.Duration) (all []lastsChoice) {
	for _, lasts := range clinic.NetworkLasts {
		hours := int(lasts.Hours())
		words := "until it is taken off"
		switch {
		case hours >= 24:
			words = plural(hours/24, "day", "days")
		case hours > 0:
			words = plural(hours, "hour", "hours")
		}
		all = append(all, lastsChoice{Hours: strconv.Itoa(hours), Words: words, Is: lasts == chosen})
	}
	return all
}

func (s *Server) networkList(c *call) error {
	return s.networkAnswer(c, http.StatusOK, networkView{})
}

// networkAnswer shows the lists as they stand, with what v already holds.
func (s *Server) networkAnswer(c *call, status int, v networkView) error {
	list, err := s.cfg.Clinic.NetworkList(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v.Rates = s.rules.lines()
	v.List, v.Lasts, v.Address, v.Country = list, lastsChoices(v.Form.Lasts), c.actor.IP, s.edge().Country(c.Request())
	return s.render(c, status, answer{page: pageNetworks, title: "Networks", nav: "networks", v: v})
}

func (s *Server) networkBlock(c *call) error {
	f := s.readNetworkForm(c)
	return s.networkAdded(c, f, s.cfg.Clinic.NetworkBlock(c.ctx(), c.actor, f))
}

func (s *Server) networkAllow(c *call) error {
	f := s.readNetworkForm(c)
	return s.networkAdded(c, f, s.cfg.Clinic.NetworkAllow(c.ctx(), c.actor, f))
}

func (s *Server) readNetworkForm(c *call) clinic.NetworkForm {
	return clinic.NetworkForm{What: c.form.line("what"), Reason: c.form.line("reason"), Lasts: time.Duration(c.form.number("lasts")) * time.Hour,
		Sure: c.form.line("sure") == "yes", Here: s.edge().Country(c.Request())}
}

// networkAdded goes on with the lists that hold, without waiting to hear of them, or shows the form as it was typed.
func (s *Server) networkAdded(c *call, f clinic.NetworkForm, err error) error {
	if correctable(err) {
		return s.networkAnswer(c, statusOf(clinic.KindOf(err)), networkView{Form: f, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	s.readLists(c.ctx())
	return s.goTo(c, "/networks", saidNetwork)
}

func (s *Server) networkUnblock(c *call) error {
	err := s.cfg.Clinic.NetworkUnblock(c.ctx(), c.actor, c.id, s.edge().Country(c.Request()), c.form.line("sure") == "yes")
	if correctable(err) {
		return s.networkAnswer(c, statusOf(clinic.KindOf(err)), networkView{Sentence: clinic.Sentence(err), Shut: c.id.String()})
	}
	if err != nil {
		return err
	}
	s.readLists(c.ctx())
	return s.goTo(c, "/networks", saidUnblocked)
}

type reportView struct{ Lines []clinic.ReportLine }

// reportList is what browsers said about our pages.
func (s *Server) reportList(c *call) error {
	lines, err := s.cfg.Clinic.ReportList(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageReports, title: "Browser reports", nav: "networks", v: reportView{Lines: lines}})
}
