package web

import (
	"net/http"

	"github.com/angelofallars/htmx-go"

	"countersign/internal/clinic"
)

// reviewView is what review/show and review/_panel show.
type reviewView struct {
	D         clinic.DraftView
	Editing   bool
	Returning bool
	Note      string
	Typed     *string
	Errors    map[string]string
	Sentence  string
	Conflict  string  // who was faster
	SendAt    *string // as typed
	SignIn    string  // where a fresh sign-in begins that comes back here
	Stale     string  // why one is asked for now, after an attempt to sign,
	Again     string  // and where
	Key       string  // the finding that was just answered: the focus stays with it
}

// reviewShow is one message with its brief and findings side by side. ?edit=1 shows the editor, ?return=1 the note.
func (s *Server) reviewShow(c *call) error {
	v := reviewView{Editing: c.QueryParam("edit") == "1", Returning: c.QueryParam("return") == "1"}
	return s.reviewAnswer(c, http.StatusOK, v)
}

// reviewAnswer reads the message and shows it with what v already holds.
func (s *Server) reviewAnswer(c *call, status int, v reviewView) error {
	d, err := s.cfg.Clinic.ReviewShow(c.ctx(), c.actor, c.id)
	if err != nil {
		return err
	}
	c.through(d.ByGlass)
	v.Editing, v.Returning = v.Editing && !d.ByGlass, v.Returning && !d.ByGlass
	v.D, v.SignIn = d, s.gate.again("/reviews/"+c.id.String())
	if v.Again != "" && c.isHTMX() { // a 403 would go beside the panel otherwise
		if err := htmx.NewResponse().Retarget("#review-panel").Reswap(htmx.SwapOuterHTML).Write(c.Response()); err != nil {
			return err
		}
	}
	return s.render(c, status, answer{page: pageReview, part: partReview, title: "Review", nav: "reviews", v: v})
}

// reviewRefused shows the panel as it stands now, with the sentence: on top when somebody was faster, else where it
// belongs.
func (s *Server) reviewRefused(c *call, v reviewView, cause error) error {
	v.Errors = clinic.Fields(cause)
	if clinic.KindOf(cause) == clinic.Conflict {
		v.Conflict = clinic.Sentence(cause)
	} else {
		v.Sentence = clinic.Sentence(cause)
	}
	return s.reviewAnswer(c, statusOf(clinic.KindOf(cause)), v)
}

// reviewApprove countersigns. With edits, the text comes along.
func (s *Server) reviewApprove(c *call) error {
	var text *string
	v := reviewView{}
	if c.form.has("text") {
		typed := c.form.text("text")
		text, v.Typed, v.Editing = &typed, &typed, true
	}
	err := s.cfg.Clinic.ReviewApprove(c.ctx(), c.actor, c.id, c.form.version(), text)
	switch {
	case clinic.Code(err) == clinic.SignInAgain:
		return s.reviewSignInAgain(c, v, err)
	case correctable(err):
		return s.reviewRefused(c, v, err)
	case err != nil:
		return err
	case c.isHTMX():
		return s.reviewAnswer(c, http.StatusOK, reviewView{})
	default:
		return s.goTo(c, "/reviews/"+c.id.String(), saidApproved)
	}
}

// reviewSignInAgain asks for a fresh sign-in that comes back here. What the signer typed is saved as a draft first, so
// that it is there afterwards, whichever way the sign-in goes; their answers to findings are saved as they are given.
func (s *Server) reviewSignInAgain(c *call, v reviewView, cause error) error {
	to := "/reviews/" + c.id.String()
	if v.Typed != nil {
		_, err := s.cfg.Clinic.DraftEdit(c.ctx(), c.actor, c.id, c.form.version(), *v.Typed)
		if correctable(err) {
			return s.reviewRefused(c, v, err)
		}
		if err != nil {
			return err
		}
		to += "?edit=1"
	}
	v.Stale, v.Again = clinic.Sentence(cause), s.gate.again(to)
	return s.reviewAnswer(c, statusOf(clinic.KindOf(cause)), v)
}

// reviewReturn sends the draft back with a note, and goes on to the next message.
func (s *Server) reviewReturn(c *call) error {
	to := "/reviews"
	if c.actor.Can(clinic.ReviewReturn) {
		d, err := s.cfg.Clinic.ReviewShow(c.ctx(), c.actor, c.id)
		if err != nil {
			return err
		}
		if d.Message.NextID != nil {
			to += "/" + d.Message.NextID.String()
		}
	}
	note := c.form.text("note")
	err := s.cfg.Clinic.ReviewReturn(c.ctx(), c.actor, c.id, c.form.version(), note)
	if correctable(err) {
		return s.reviewRefused(c, reviewView{Returning: true, Note: note}, err)
	}
	if err != nil {
		return err
	}
	return s.goTo(c, to, saidReturned)
}

func (s *Server) reviewRecall(c *call) error {
	err := s.cfg.Clinic.ReviewRecall(c.ctx(), c.actor, c.id, c.form.version())
	if correctable(err) {
		return s.reviewRefused(c, reviewView{}, err)
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/drafts/"+c.id.String(), saidRecalled)
}

// reviewFinding answers one finding.
func (s *Server) reviewFinding(c *call) error {
	key := c.form.line("key")
	err := s.cfg.Clinic.FindingAnswer(c.ctx(), c.actor, c.id, key)
	switch {
	case correctable(err):
		return s.reviewRefused(c, reviewView{}, err)
	case err != nil:
		return err
	case c.isHTMX():
		return s.reviewAnswer(c, http.StatusOK, reviewView{Key: key})
	default:
		return s.goTo(c, "/reviews/"+c.id.String(), saidNothing)
	}
}
