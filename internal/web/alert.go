package web

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// alertView is the alerts, and the form that went wrong, if one did.
type alertView struct {
	P        clinic.AlertPage
	Firing   []alertCard
	Rules    any // of package alert, as they are
	ClinicID uuid.UUID
	At       uuid.UUID // the alert that a mistake is about
	Note     string    // as typed
	Errors   map[string]string
	Sentence string
}

// alertCard is one alert that fires, with its forms.
type alertCard struct {
	clinic.AlertRow
	Lasts        []lastsChoice
	Wrong, Typed string
}

func (s *Server) alertList(c *call) error {
	return s.alertAnswer(c, http.StatusOK, alertView{})
}

func (s *Server) alertAnswer(c *call, status int, v alertView) error {
	page, err := s.cfg.Clinic.AlertList(c.ctx(), c.actor, c.QueryParam("after"))
	if err != nil {
		return err
	}
	v.P, v.Rules, v.ClinicID = page, clinic.AlertRules(), c.actor.ClinicID
	lasts := silences()
	for _, row := range page.Firing {
		card := alertCard{AlertRow: row, Lasts: lasts}
		if row.ID == v.At {
			card.Wrong, card.Typed = v.Errors["note"], v.Note
		}
		v.Firing = append(v.Firing, card)
	}
	return s.render(c, status, answer{page: pageAlerts, part: partAlerts, title: "Alerts", nav: "alerts", v: v})
}

// silences are the choices of for how long.
func silences() (all []lastsChoice) {
	for _, lasts := range clinic.AlertSilences[1:] {
		hours := int(lasts.Hours())
		words := plural(hours, "hour", "hours")
		if hours > 24 {
			words = plural(hours/24, "day", "days")
		}
		all = append(all, lastsChoice{Hours: strconv.Itoa(hours), Words: words})
	}
	return all
}

// alertAcknowledge says that somebody is at it.
func (s *Server) alertAcknowledge(c *call) error {
	note := c.form.line("note")
	return s.alertDone(c, note, s.cfg.Clinic.AlertAcknowledge(c.ctx(), c.actor, c.id, c.form.version(), note), saidAcknowledged)
}

// alertSilence keeps an alert from telling anybody for some hours, or ends that.
func (s *Server) alertSilence(c *call) error {
	lasts := time.Duration(c.form.number("lasts")) * time.Hour
	said := saidSilenced
	if lasts == 0 {
		said = saidUnsilenced
	}
	return s.alertDone(c, "", s.cfg.Clinic.AlertSilence(c.ctx(), c.actor, c.id, c.form.version(), lasts), said)
}

func (s *Server) alertDone(c *call, note string, err error, said flash) error {
	if correctable(err) {
		return s.alertAnswer(c, statusOf(clinic.KindOf(err)), alertView{At: c.id, Note: note, Errors: clinic.Fields(err), Sentence: clinic.Sentence(err)})
	}
	if err != nil {
		return err
	}
	return s.goTo(c, "/alerts", said)
}
