package web

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/clinic"
)

type briefView struct {
	Page     clinic.BriefPage
	FactRows []clinic.FactForm // the facts, and empty rows to type in
	Editing  bool
	Errors   map[string]string
	Sentence string
	Newer    string // where to see what somebody else saved since
}

// emptyFacts is how many rows for facts a form shows at least, and how many stay free.
const emptyFacts = 4

func (s *Server) briefNew(c *call) error {
	patient, err := uuid.Parse(c.QueryParam("patient"))
	if err != nil {
		return s.goTo(c, "/patients", saidNothing) // a message begins with a patient
	}
	page, err := s.cfg.Clinic.BriefNew(c.ctx(), c.actor, patient)
	if err != nil {
		return err
	}
	return s.briefForm(c, http.StatusOK, briefView{Page: page})
}

func (s *Server) briefForm(c *call, status int, v briefView) error {
	title := "New message"
	if v.Editing {
		title = "Edit the brief"
	}
	v.FactRows = append(slices.Clone(v.Page.Form.Facts), v.FactRows...)
	for len(v.FactRows) < emptyFacts {
		v.FactRows = append(v.FactRows, clinic.FactForm{Kind: clinic.FactKinds[0]})
	}
	return s.render(c, status, answer{page: pageBrief, title: title, nav: "patients", v: v})
}

// briefCreate saves the brief and goes on as the pressed button says: ask for a draft, write by hand, or only save.
func (s *Server) briefCreate(c *call) error {
	form := readBrief(c.form)
	if c.form.line("add") == "fact" {
		return s.briefAgain(c, form, false, nil)
	}
	id, err := s.cfg.Clinic.BriefCreate(c.ctx(), c.actor, form)
	if correctable(err) {
		return s.briefAgain(c, form, false, err)
	}
	if err != nil {
		return err
	}
	return s.briefNext(c, id)
}

// briefNext: what is saved is saved; if no draft can be asked for, the draft's page says why and offers the rest.
func (s *Server) briefNext(c *call, id uuid.UUID) error {
	var err error
	said := saidNothing
	switch c.form.line("next") {
	case "draft":
		err = s.cfg.Clinic.DraftRequest(c.ctx(), c.actor, id, "")
	case "hand":
		err = s.cfg.Clinic.DraftByHand(c.ctx(), c.actor, id)
	default:
		said = saidBrief
	}
	switch clinic.KindOf(err) {
	case clinic.Conflict, clinic.TooMany, clinic.Invalid:
		return s.draftPage(c, id, statusOf(clinic.KindOf(err)), draftView{Sentence: clinic.Sentence(err)})
	default:
		if err != nil {
			return err
		}
		return s.goTo(c, "/drafts/"+id.String(), said)
	}
}

func (s *Server) briefChange(c *call) error {
	page, err := s.cfg.Clinic.BriefShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	page.RedFlags = redFlags(page)
	return s.briefForm(c, http.StatusOK, briefView{Page: page, Editing: true})
}

func (s *Server) briefEdit(c *call) error {
	form := readBrief(c.form)
	form.ID = c.id
	if c.form.line("add") == "fact" {
		return s.briefAgain(c, form, true, nil)
	}
	err := s.cfg.Clinic.BriefEdit(c.ctx(), c.actor, c.id, form)
	if correctable(err) {
		return s.briefAgain(c, form, true, err)
	}
	if err != nil {
		return err
	}
	return s.briefNext(c, c.id)
}

// briefAgain shows the form as it was typed: with one more row for a fact when err is nil, else with what is wrong.
// After a conflict it carries the newer version, so that who has read the sentence may save over it.
func (s *Server) briefAgain(c *call, form clinic.BriefForm, editing bool, err error) error {
	page, version, showErr := s.briefAround(c, form, editing)
	if showErr != nil {
		return showErr
	}
	page.Form = form
	v := briefView{Page: page, Editing: editing}
	status := http.StatusOK
	if err == nil {
		v.FactRows = make([]clinic.FactForm, max(0, len(c.form.list("fact_text"))-len(form.Facts))+1)
		for i := range v.FactRows {
			v.FactRows[i].Kind = clinic.FactKinds[0]
		}
	} else {
		status, v.Errors, v.Sentence = statusOf(clinic.KindOf(err)), clinic.Fields(err), clinic.Sentence(err)
		if clinic.KindOf(err) == clinic.Conflict {
			v.Page.Form.Version, v.Newer = version, "/drafts/"+form.ID.String()
		}
	}
	v.Page.RedFlags = redFlags(v.Page)
	return s.briefForm(c, status, v)
}

// briefAround is the patient and the doctors around a form, and the message's version as it stands.
func (s *Server) briefAround(c *call, form clinic.BriefForm, editing bool) (clinic.BriefPage, int, error) {
	if editing {
		page, err := s.cfg.Clinic.BriefShow(c.ctx(), c.actor, form.ID)
		return page, page.Form.Version, err
	}
	page, err := s.cfg.Clinic.BriefNew(c.ctx(), c.actor, form.PatientID)
	return page, form.Version, err
}

// briefFlags shows the red flags of what is typed so far. It saves nothing.
func (s *Server) briefFlags(c *call) error {
	form := readBrief(c.form)
	page, err := s.cfg.Clinic.BriefNew(c.ctx(), c.actor, form.PatientID)
	if err != nil {
		return err
	}
	page.Form = form
	page.RedFlags = redFlags(page)
	return s.render(c, http.StatusOK, answer{page: pageBrief, part: partFlags, title: "New message", v: briefView{Page: page}})
}

// redFlags looks at a brief as it is typed.
func redFlags(page clinic.BriefPage) []check.RedFlag {
	f, p := page.Form, page.Patient
	b := check.Brief{Inquiry: f.Inquiry, Points: f.Points, Kind: f.Kind, Urgency: f.Priority, Channel: f.Channel, Summary: p.Summary.Reveal(),
		History: p.History.Reveal(), Medications: p.Medications.Reveal(), Allergies: p.Allergies.Reveal(), Notes: p.Notes.Reveal()}
	for _, fact := range f.Facts {
		b.Facts = append(b.Facts, check.Fact{Kind: fact.Kind, Text: fact.Text})
	}
	var found []check.RedFlag
	for _, flag := range check.RedFlags(b) { // one line for each, however often it was said
		if !slices.ContainsFunc(found, func(f check.RedFlag) bool { return f.Name == flag.Name }) {
			found = append(found, flag)
		}
	}
	return found
}

func readBrief(f form) clinic.BriefForm {
	form := clinic.BriefForm{ID: f.id("id"), PatientID: f.id("patient_id"), DoctorID: f.id("doctor_id"), Inquiry: f.text("inquiry"),
		Points: f.lines("points"), Priority: f.line("priority"), Kind: f.line("kind"), Channel: f.line("channel"),
		SendAt: f.line("send_at"), Version: f.version()}
	kinds := f.list("fact_kind")
	for i, text := range f.list("fact_text") {
		kind := clinic.FactKinds[0]
		if i < len(kinds) {
			kind = kinds[i]
		}
		if text != "" {
			form.Facts = append(form.Facts, clinic.FactForm{Kind: kind, Text: text})
		}
	}
	return form
}
