package web

import (
	"net/http"
	"slices"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/score"
)

// securityView is the score, and what an administrator sets here.
type securityView struct {
	score.Score
	Fresh    string // how old a sign-in may be when its person signs, in words
	Choices  []freshChoice
	Errors   map[string]string
	Sentence string
}

type freshChoice struct {
	Minutes int
	Words   string
	Is      bool
}

// freshChoices are the times to choose from, the one that is set among them, and first what the installation has.
func freshChoices(s clinic.SignFresh) []freshChoice {
	all := []freshChoice{{Words: "as this installation has it: " + clinic.Spoken(s.Standard), Is: s.Set == 0}}
	times := slices.Clone(clinic.SignFreshTimes)
	if s.Set != 0 && !slices.Contains(times, s.Set) {
		times = append(times, s.Set)
		slices.Sort(times)
	}
	for _, d := range times {
		all = append(all, freshChoice{Minutes: int(d.Minutes()), Words: clinic.Spoken(d), Is: d == s.Set})
	}
	return all
}

// securityShow is the security score: what was looked at, what was found, and what to do.
func (s *Server) securityShow(c *call) error {
	return s.securityAnswer(c, http.StatusOK, securityView{})
}

func (s *Server) securityAnswer(c *call, status int, v securityView) error {
	seen, err := s.cfg.Clinic.SecurityShow(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	if s.cfg.Score != nil {
		v.Score = s.cfg.Score(c.ctx(), seen)
	}
	v.Fresh, v.Choices = clinic.Spoken(seen.SignFresh.Now()), freshChoices(seen.SignFresh)
	return s.render(c, status, answer{page: pageSecurity, title: "Security", nav: "security", v: v})
}

func (s *Server) securityEdit(c *call) error {
	fresh := time.Duration(c.form.number("sign_fresh")) * time.Minute
	if c.form.line("sign_fresh") == "" { // said nothing is not 0, which takes the setting away
		fresh = -1
	}
	err := s.cfg.Clinic.SecurityEdit(c.ctx(), c.actor, fresh)
	if correctable(err) {
		return s.securityAnswer(c, statusOf(clinic.KindOf(err)), securityView{Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/security", saidSignFresh)
}
