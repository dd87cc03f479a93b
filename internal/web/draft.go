package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"countersign/internal/clinic"
)

// draftView is what draft/show and its partials show.
type draftView struct {
	D        clinic.DraftView
	Wish     string  // the instruction of a request that was refused
	Typed    *string // shown in place of the stored text after a save that failed
	SavedAt  time.Time
	Errors   map[string]string
	Sentence string
	Newer    string // where to see what somebody else saved since
	Key      string // the finding that was just answered: the focus stays with it
}

// onDraft narrows who may edit to what the draft's page is for: not under a review, which has an editor of its own, and
// not while the model is at it.
func onDraft(d clinic.DraftView) clinic.DraftView {
	writing := d.Request != nil && d.Request.State != "ready" && d.Request.State != "failed"
	d.CanEdit = d.CanEdit && d.Message.Status != "in_review" && !writing
	return d
}

func (s *Server) draftShow(c *call) error {
	return s.draftPage(c, c.id, http.StatusOK, draftView{})
}

func (s *Server) draftCard(c *call) error { return s.draftPart(c, partCard, "") }

func (s *Server) draftProgress(c *call) error { return s.draftPart(c, partProgress, "") }

// draftPage reads the message and shows its page, with what v already holds.
func (s *Server) draftPage(c *call, id uuid.UUID, status int, v draftView) error {
	d, err := s.cfg.Clinic.DraftShow(c.ctx(), c.actor, id)
	if err != nil {
		return err
	}
	v.D = onDraft(d)
	c.through(d.ByGlass)
	return s.render(c, status, answer{page: pageDraft, title: "Draft", nav: "worklist", v: v})
}

// draftPart is a part of the page for htmx, and the page for everyone else.
func (s *Server) draftPart(c *call, part name, key string) error {
	d, err := s.cfg.Clinic.DraftShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	c.through(d.ByGlass)
	return s.draftAnswer(c, http.StatusOK, part, draftView{D: onDraft(d), Key: key})
}

func (s *Server) draftAnswer(c *call, status int, part name, v draftView) error {
	return s.render(c, status, answer{page: pageDraft, part: part, title: "Draft", nav: "worklist", v: v})
}

type diffView struct {
	ID     uuid.UUID
	Diff   clinic.DiffView
	Review bool // where the way back leads
}

func (s *Server) draftDiff(c *call) error {
	from, err1 := strconv.Atoi(c.QueryParam("from"))
	to, err2 := strconv.Atoi(c.QueryParam("to"))
	if err1 != nil || err2 != nil || from < 1 || to < 1 {
		return echo.ErrNotFound
	}
	diff, err := s.cfg.Clinic.DraftDiff(c.ctx(), c.actor, c.id, from, to)
	if err != nil {
		return err
	}
	c.through(diff.ByGlass)
	return s.render(c, http.StatusOK, answer{page: pageDiff, title: "What changed", nav: "worklist",
		v: diffView{ID: c.id, Diff: diff, Review: c.QueryParam("back") == "review"}})
}

// draftRequest asks the model for a draft. What stands in the way (one is under way, the day's limit) is said on the
// page, which offers writing by hand.
func (s *Server) draftRequest(c *call) error {
	wish := c.form.text("instruction")
	err := s.cfg.Clinic.DraftRequest(c.ctx(), c.actor, c.id, wish)
	switch {
	case err == nil && c.isHTMX():
		return s.draftPart(c, partCard, "")
	case err == nil:
		return s.goTo(c, "/drafts/"+c.id.String(), saidNothing)
	case c.isHTMX() && clinic.KindOf(err) != clinic.Invalid:
		return err // said in the notice; the card stays
	case correctable(err) || clinic.KindOf(err) == clinic.TooMany:
		v := draftView{Wish: wish, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)}
		if c.isHTMX() {
			d, showErr := s.cfg.Clinic.DraftShow(c.ctx(), c.actor, c.id)
			if showErr != nil {
				return showErr
			}
			v.D = onDraft(d)
			return s.draftAnswer(c, statusOf(clinic.KindOf(err)), partCard, v)
		}
		return s.draftPage(c, c.id, statusOf(clinic.KindOf(err)), v)
	default:
		return err
	}
}

func (s *Server) draftByHand(c *call) error {
	if err := s.cfg.Clinic.DraftByHand(c.ctx(), c.actor, c.id); err != nil {
		if correctable(err) {
			return s.draftPage(c, c.id, statusOf(clinic.KindOf(err)), draftView{Sentence: clinic.Sentence(err)})
		}
		return err
	}
	return s.goTo(c, "/drafts/"+c.id.String(), saidNothing)
}

// draftCheck runs the checks on what is typed so far. It saves nothing.
func (s *Server) draftCheck(c *call) error {
	text := c.form.text("text")
	d, err := s.cfg.Clinic.DraftCheck(c.ctx(), c.actor, c.id, text)
	if clinic.KindOf(err) == clinic.Invalid {
		return c.NoContent(http.StatusNoContent) // the editor's own save says what is wrong with the text
	}
	if err != nil {
		return err
	}
	return s.draftAnswer(c, http.StatusOK, partChecks, draftView{D: d, Typed: &text}) // also beside the editor of a review
}

// draftEdit saves. The editor saves by itself too (save=auto), which answers with a line and the checks, not the page.
func (s *Server) draftEdit(c *call) error {
	text, auto := c.form.text("text"), c.form.line("save") == "auto"
	d, err := s.cfg.Clinic.DraftEdit(c.ctx(), c.actor, c.id, c.form.version(), text)
	switch {
	case err == nil && auto:
		return s.draftAnswer(c, http.StatusOK, partSaved, draftView{D: onDraft(d), SavedAt: s.cfg.Now()})
	case err == nil:
		return s.goTo(c, "/drafts/"+c.id.String(), saidSaved)
	case correctable(err):
		return s.draftAgain(c, auto, text, err)
	default:
		return err
	}
}

// draftAgain shows what was typed over the text that is stored now, and why it was not saved. The page carries the
// newer version, so that who has read the sentence may save over it; an autosave does not.
func (s *Server) draftAgain(c *call, auto bool, text string, cause error) error {
	d, err := s.cfg.Clinic.DraftShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	v := draftView{D: onDraft(d), Typed: &text, Errors: clinic.Fields(cause), Sentence: clinic.Sentence(cause)}
	if clinic.KindOf(cause) == clinic.Conflict {
		v.Newer = "/drafts/" + c.id.String()
	}
	status := statusOf(clinic.KindOf(cause))
	if auto {
		if wrong := v.Errors["text"]; wrong != "" {
			v.Sentence = wrong
		}
		return s.draftAnswer(c, status, partSaved, v)
	}
	return s.render(c, status, answer{page: pageDraft, title: "Draft", nav: "worklist", v: v})
}

// draftFinding answers one finding. Without scripts the words in the editor come along, and are saved first.
func (s *Server) draftFinding(c *call) error {
	back := "/drafts/" + c.id.String()
	if c.QueryParam("back") == "review" {
		back = "/reviews/" + c.id.String() + "?edit=1"
	}
	words := c.form.has("text") && !c.isHTMX()
	if words {
		text := c.form.text("text")
		_, err := s.cfg.Clinic.DraftEdit(c.ctx(), c.actor, c.id, c.form.version(), text)
		if correctable(err) {
			return s.draftAgain(c, false, text, err)
		}
		if err != nil {
			return err
		}
	}
	err := s.cfg.Clinic.FindingAnswer(c.ctx(), c.actor, c.id, c.form.line("key"))
	if err != nil && !correctable(err) {
		return err
	}
	if words && err != nil { // the new words have settled it
		return s.goTo(c, back, saidSaved)
	}
	if c.isHTMX() {
		return s.draftPart(c, partChecks, c.form.line("key")) // a finding that is gone shows by its absence
	}
	if err != nil {
		return s.draftPage(c, c.id, statusOf(clinic.KindOf(err)), draftView{Sentence: clinic.Sentence(err)})
	}
	return s.goTo(c, back, saidNothing)
}

// reviewSubmit saves what stands in the editor first, if it differs: without scripts this is the one button.
func (s *Server) reviewSubmit(c *call) error {
	version := c.form.version()
	if c.form.has("text") {
		text := c.form.text("text")
		d, err := s.cfg.Clinic.DraftEdit(c.ctx(), c.actor, c.id, version, text)
		if correctable(err) {
			return s.draftAgain(c, false, text, err)
		}
		if err != nil {
			return err
		}
		version = d.Message.Version
	}
	err := s.cfg.Clinic.ReviewSubmit(c.ctx(), c.actor, c.id, version)
	if correctable(err) {
		return s.draftPage(c, c.id, statusOf(clinic.KindOf(err)), draftView{Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/messages/"+c.id.String(), saidSubmitted)
}
