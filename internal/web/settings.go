package web

import (
	"net/http"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

type settingsView struct {
	S        clinic.SettingsView
	Form     clinic.Settings
	Tones    []string
	Errors   map[string]string
	Sentence string
	Saved    bool
	Others   bool // somebody else's, to look at
	Preview  clinic.SettingsPreview
}

func (s *Server) settingsShow(c *call) error {
	return s.settingsAnswer(c, http.StatusOK, settingsView{}, nil)
}

// settingsOf is another doctor's settings, as they stand, for an administrator.
func (s *Server) settingsOf(c *call) error {
	return s.settingsAnswer(c, http.StatusOK, settingsView{}, nil)
}

// settingsAnswer shows the form: as stored, or as typed. form is nil for stored.
func (s *Server) settingsAnswer(c *call, status int, v settingsView, form *clinic.Settings) error {
	of := c.actor.ID
	if c.id != uuid.Nil {
		of = c.id
	}
	stored, err := s.cfg.Clinic.SettingsShow(c.ctx(), c.actor, of)
	if err != nil {
		return err
	}
	v.S, v.Form, v.Tones, v.Others = stored, stored.Settings, clinic.Tones, of != c.actor.ID
	if form != nil {
		v.Form = *form
		if status == http.StatusConflict { // the sentence says that saving again replaces the newer ones
			v.Form.Version = stored.Settings.Version
		}
	}
	v.Preview = clinic.PreviewSettings(v.Form)
	a := answer{page: pageSettings, title: "My settings", nav: "settings", v: v}
	if v.Others {
		a.title, a.nav = "A doctor’s settings", "staff"
	}
	if c.route.path == pathPreview {
		a.part = partPreview
	}
	return s.render(c, status, a)
}

func (s *Server) settingsEdit(c *call) error {
	form := readSettings(c.form)
	err := s.cfg.Clinic.SettingsEdit(c.ctx(), c.actor, form)
	if correctable(err) {
		return s.settingsAnswer(c, statusOf(clinic.KindOf(err)), settingsView{Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)}, &form)
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/settings", saidSettings)
}

// settingsPreview shows what the settings ask for, on a made-up brief. It saves nothing.
func (s *Server) settingsPreview(c *call) error {
	form := readSettings(c.form)
	return s.settingsAnswer(c, http.StatusOK, settingsView{}, &form)
}

func readSettings(f form) clinic.Settings {
	return clinic.Settings{Tone: f.line("tone"), ReadingLevel: f.line("reading_level"), Specialty: f.line("specialty"), SignOff: f.text("sign_off"),
		MaxWords: f.number("max_words"), Version: f.version()}
}
