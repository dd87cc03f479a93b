package web

import (
	"net/http"
	"time"

	"countersign/internal/clinic"
)

// usageView is what usage/show shows.
type usageView struct {
	U     clinic.UsageView
	Chart chart
}

// usageShow is what drafting cost in a month, for an administrator.
func (s *Server) usageShow(c *call) error {
	u, err := s.cfg.Clinic.UsageShow(c.ctx(), c.actor, c.QueryParam("month"))
	if err != nil {
		return err
	}
	v := usageView{U: u}
	days, drafts := make([]clinic.Bar, 0, len(u.Days)), map[time.Time]int{}
	for _, d := range u.Days {
		days = append(days, clinic.Bar{Day: d.Day, N: d.Cost})
		drafts[d.Day] = d.Drafts
	}
	v.Chart = newChart("Cost by day", days, func(b clinic.Bar) string {
		return clinic.Money(b.N) + " for " + plural(drafts[b.Day], "draft", "drafts")
	})
	return s.render(c, http.StatusOK, answer{page: pageUsage, title: "Usage and cost", nav: "usage", v: v})
}

type promptView struct{ Prompts []clinic.PromptUse }

// promptList is the versions of the prompt, and how their drafts fared.
func (s *Server) promptList(c *call) error {
	all, err := s.cfg.Clinic.PromptList(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pagePrompts, title: "Prompt versions", nav: "usage", v: promptView{Prompts: all}})
}
