package web

import (
	"net/http"

	"countersign/internal/clinic"
)

type jobView struct{ Jobs []clinic.JobStatus }

// jobList is the scheduled jobs, with how they went.
func (s *Server) jobList(c *call) error {
	jobs, err := s.cfg.Clinic.JobList(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageJobs, title: "Scheduled jobs", nav: "jobs", v: jobView{Jobs: jobs}})
}

func (s *Server) jobRun(c *call) error {
	if err := s.cfg.Clinic.JobRun(c.ctx(), c.actor, c.Param("job")); err != nil {
		return err
	}
	return s.goTo(c, "/jobs", saidAsked)
}
