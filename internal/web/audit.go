package web

import (
	"mime"
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// auditView is the trail as it was asked for.
type auditView struct {
	clinic.AuditPage
	Groups   []clinic.DeedGroup
	Errors   map[string]string
	Sentence string
}

// auditList is the trail with a filter of ids, codes and days, which may stand in an address.
func (s *Server) auditList(c *call) error {
	f := clinic.AuditFilter{Deed: clinic.Deed(c.QueryParam("deed")), Outcome: c.QueryParam("outcome"), From: c.QueryParam("from"), To: c.QueryParam("to"),
		After: c.QueryParam("after"), Person: idOf(c.QueryParam("person")), Patient: idOf(c.QueryParam("patient"))}
	return s.auditAnswer(c, f)
}

// auditSearch is the same by a form, where a record number and an address may stand too: no term is ever in an address.
func (s *Server) auditSearch(c *call) error { return s.auditAnswer(c, auditFilter(c.form)) }

func auditFilter(f form) clinic.AuditFilter {
	return clinic.AuditFilter{Person: f.id("person"), Patient: f.id("patient"), MRN: f.line("mrn"), Deed: clinic.Deed(f.line("deed")), Outcome: f.line("outcome"),
		Address: f.line("address"), From: f.line("from"), To: f.line("to"), After: f.line("after")}
}

func idOf(raw string) uuid.UUID {
	id, err := uuid.Parse(raw)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func (s *Server) auditAnswer(c *call, f clinic.AuditFilter) error {
	page, err := s.cfg.Clinic.AuditSearch(c.ctx(), c.actor, f)
	return s.auditPage(c, page, err)
}

// auditPage shows what was found, or the form as it was typed.
func (s *Server) auditPage(c *call, page clinic.AuditPage, err error) error {
	status := http.StatusOK
	v := auditView{AuditPage: page, Groups: clinic.DeedGroups()}
	if correctable(err) {
		status, v.Errors, v.Sentence, err = statusOf(clinic.KindOf(err)), clinic.Fields(err), clinic.Sentence(err), nil
	}
	if err != nil {
		return err
	}
	return s.render(c, status, answer{page: pageAudit, title: "Audit trail", nav: "audit", v: v})
}

// Hidden is the filter as fields of a form that goes on from it.
func (v auditView) Hidden() map[string]string {
	f, all := v.Filter, map[string]string{}
	for name, value := range map[string]string{"deed": string(f.Deed), "outcome": f.Outcome, "from": f.From, "to": f.To, "address": f.Address,
		"person": idCell(f.Person), "patient": idCell(f.Patient)} {
		if value != "" {
			all[name] = value
		}
	}
	return all
}

// Query is what of the filter may stand in an address, without where a page begins; empty when something of it may not.
func (v auditView) Query() string {
	f := v.Filter
	if f.Address != "" || f.MRN != "" {
		return ""
	}
	q := url.Values{}
	for name, value := range map[string]string{"deed": string(f.Deed), "outcome": f.Outcome, "from": f.From, "to": f.To} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, id := range map[string]uuid.UUID{"person": f.Person, "patient": f.Patient} {
		if id != uuid.Nil {
			q.Set(name, id.String())
		}
	}
	return q.Encode()
}

// auditShow is one event with its proof.
func (s *Server) auditShow(c *call) error {
	e, err := s.cfg.Clinic.AuditShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageAuditEvent, title: "Event", nav: "audit", v: e})
}

// auditProve is the event's offline proof as a file.
func (s *Server) auditProve(c *call) error {
	file, leaf, err := s.cfg.Clinic.AuditProve(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	c.attach("proof-of-leaf-" + strconv.FormatInt(leaf, 10) + ".json")
	return c.Blob(http.StatusOK, "application/json", file)
}

// attach lets the browser keep the answer as a file of that name, which is of ids and days only.
func (c *call) attach(name string) {
	c.Response().Header().Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
}

// checksView is the verifications of the ledger.
type checksView struct {
	Checks   []clinic.LedgerCheckup
	Running  bool
	ClinicID uuid.UUID
}

// auditChecks is the last verifications, and how far the one is that runs.
func (s *Server) auditChecks(c *call) error {
	checks, err := s.cfg.Clinic.AuditChecks(c.ctx(), c.actor)
	if err != nil {
		return err
	}
	v := checksView{Checks: checks, ClinicID: c.actor.ClinicID, Running: len(checks) > 0 && !checks[0].Finished}
	return s.render(c, http.StatusOK, answer{page: pageChecks, part: partChecksLive, title: "Verify the ledger", nav: "audit", v: v})
}

// auditVerify asks for one.
func (s *Server) auditVerify(c *call) error {
	if _, err := s.cfg.Clinic.AuditVerify(c.ctx(), c.actor); err != nil {
		return err
	}
	return s.goTo(c, "/audit/verify", saidNothing)
}

// auditOfPatient is who has seen a patient.
func (s *Server) auditOfPatient(c *call) error {
	seen, err := s.cfg.Clinic.AuditOfPatient(c.ctx(), c.actor, c.id, c.QueryParam("after"))
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageSeen, title: "Who has seen this patient", nav: navOfPatient(c), v: seen})
}

// auditDisclosures is the patient's accounting of disclosures, to print.
func (s *Server) auditDisclosures(c *call) error {
	all, err := s.cfg.Clinic.AuditDisclosures(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	return s.render(c, http.StatusOK, answer{page: pageDisclosures, title: "Accounting of disclosures", nav: navOfPatient(c), v: all})
}

// navOfPatient is where a patient's page stands for who looks at it.
func navOfPatient(c *call) string {
	if c.actor.Can(clinic.PatientList) {
		return "patients"
	}
	return "audit"
}
