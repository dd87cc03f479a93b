package clinic

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/alert"
	"countersign/internal/db"
)

// AlertRound is how the rules are evaluated: how often, by which ways people are told, and which rules are left out.
type AlertRound struct {
	Every  time.Duration
	Repeat time.Duration // how long until people are told again of what nobody has acknowledged
	Ways   []string
	Off    []string
}

// AlertsDone is what one evaluation came to. Led is false when another worker has done it.
type AlertsDone struct {
	Led                    bool
	Fired, Cleared, Firing int
}

// alertKey is what an alert is of: a rule, a clinic (none: the installation) and a code.
type alertKey struct {
	rule     string
	clinicID uuid.UUID
	subject  string
}

// AlertEvaluate measures what the rules look at, and keeps what fires and what is to be told of it, in one transaction. Of any
// number of workers one does it each Every; the others are told so. A dozen queries, however much there is.
func (c *Clinic) AlertEvaluate(ctx context.Context, a Actor, r AlertRound) (AlertsDone, error) {
	var done AlertsDone
	err := c.do(ctx, a, AlertEvaluate, Subject{Kind: "alert"}, func(t *tx) error {
		t.silent = true // each alert that begins or ends is an event of its own
		n, err := t.AlertRound(ctx, db.AlertRoundParams{Now: t.at, Before: t.at.Add(-r.Every), After: t.at.Add(r.Every)})
		if err != nil || n == 0 {
			return err
		}
		e := evaluation{tx: t, AlertRound: r, done: &done}
		if err := e.read(ctx); err != nil {
			return err
		}
		done.Led = true
		return e.run(ctx)
	})
	if err != nil {
		return AlertsDone{}, err
	}
	return done, nil
}

// evaluation is one look at all rules.
type evaluation struct {
	*tx
	AlertRound
	done    *AlertsDone
	signs   map[alertKey]float64
	open    []db.Alert
	silent  map[alertKey]db.AlertSilencesRow
	save    db.AlertsSaveParams
	notices db.AlertNoticesAddParams
	forget  []uuid.UUID
}

func (e *evaluation) read(ctx context.Context) (err error) {
	if e.signs, err = e.alertSigns(ctx); err != nil {
		return err
	}
	if e.open, err = e.AlertsLock(ctx); err != nil {
		return err
	}
	rows, err := e.AlertSilences(ctx, e.at)
	e.silent = map[alertKey]db.AlertSilencesRow{}
	for _, r := range rows {
		e.silent[alertKey{r.Rule, r.ClinicID, r.Subject}] = r
	}
	return err
}

// run takes each sign and each alert a step on, and writes what that changed.
func (e *evaluation) run(ctx context.Context) error {
	for _, row := range e.open {
		key := alertKey{row.Rule, row.ClinicID, row.Subject}
		if err := e.step(ctx, row, e.signs[key]); err != nil {
			return err
		}
		delete(e.signs, key)
	}
	for _, key := range e.news() {
		row := db.Alert{ID: newID(), ClinicID: key.clinicID, Rule: key.rule, Subject: key.subject, Since: e.at}
		if s, ok := e.silent[key]; ok {
			row.SilencedBy, row.SilencedUntil = s.SilencedBy, s.SilencedUntil
		}
		if err := e.step(ctx, row, e.signs[key]); err != nil {
			return err
		}
	}
	return e.write(ctx)
}

// news are the signs that no alert is of, in one order.
func (e *evaluation) news() (keys []alertKey) {
	for key := range e.signs {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b alertKey) int {
		return cmp.Or(cmp.Compare(a.rule, b.rule), cmp.Compare(a.clinicID.String(), b.clinicID.String()), cmp.Compare(a.subject, b.subject))
	})
	return keys
}

// step is one alert's.
func (e *evaluation) step(ctx context.Context, row db.Alert, value float64) error {
	rule, known := alert.Of(row.Rule)
	if !known || slices.Contains(e.Off, row.Rule) {
		rule, value = alert.Rule{Name: row.Rule, Fire: 1, For: 1, Until: 1}, 0 // what nobody asks about any more is over
	}
	state, run := rule.Step(alert.State(row.State), int(row.Run), value)
	switch {
	case state == alert.None && row.State == "":
		return nil
	case state == alert.None:
		e.forget = append(e.forget, row.ID)
		return nil
	}
	before := alert.State(row.State)
	row.State, row.Run, row.Value, row.Worst = string(state), int32(run), value, max(row.Worst, value)
	switch {
	case state == alert.Firing && before != alert.Firing:
		row.FiredAt = &e.at
		e.done.Fired++
	case state == alert.Cleared:
		row.ClearedAt = &e.at
		e.done.Cleared++
	}
	if state == alert.Firing {
		e.done.Firing++
	}
	e.tell(&row)
	e.keep(row)
	if state == before || state == alert.Pending {
		return nil
	}
	return e.note(ctx, row)
}

// tell makes the notices that are due: when it fires, again while nobody says that they are at it, and when it is over if
// anybody was told. Who silenced it is told nothing but the end of what they heard of before.
func (e *evaluation) tell(row *db.Alert) {
	kind := ""
	quiet := row.AcknowledgedAt != nil || row.SilencedUntil != nil && row.SilencedUntil.After(e.at)
	switch {
	case row.State == string(alert.Cleared) && row.NotifiedAt != nil:
		kind = alert.Over
	case row.State != string(alert.Firing) || quiet:
	case row.NotifiedAt == nil:
		kind = alert.Fired
	case !row.NotifiedAt.After(e.at.Add(-e.Repeat)):
		kind = alert.Repeated
	}
	if kind == "" {
		return
	}
	row.NotifiedAt = &e.at
	n := &e.notices
	for _, way := range e.Ways {
		n.Ids, n.ClinicIds, n.AlertIds = append(n.Ids, newID()), append(n.ClinicIds, row.ClinicID), append(n.AlertIds, row.ID)
		n.Kinds, n.Ways, n.Vals = append(n.Kinds, kind), append(n.Ways, way), append(n.Vals, row.Value)
	}
}

func (e *evaluation) keep(row db.Alert) {
	s := &e.save
	s.Ids, s.ClinicIds, s.Rules, s.Subjects = append(s.Ids, row.ID), append(s.ClinicIds, row.ClinicID), append(s.Rules, row.Rule), append(s.Subjects, row.Subject)
	s.States, s.Runs, s.Vals, s.Worsts = append(s.States, row.State), append(s.Runs, row.Run), append(s.Vals, row.Value), append(s.Worsts, row.Worst)
	s.Sinces, s.Fireds, s.Notifieds = append(s.Sinces, row.Since), append(s.Fireds, orZero(row.FiredAt)), append(s.Notifieds, orZero(row.NotifiedAt))
	s.Cleareds, s.Silencers, s.Silences = append(s.Cleareds, orZero(row.ClearedAt)), append(s.Silencers, orZero(row.SilencedBy)), append(s.Silences, orZero(row.SilencedUntil))
}

// note puts on the trail that an alert began or ended, and tells open pages.
func (e *evaluation) note(ctx context.Context, row db.Alert) error {
	ev := e.actor.event(AlertEvaluate, Subject{Kind: "alert", ID: row.ID}, e.at, "done", "")
	ev.ClinicID = row.ClinicID
	ev.Detail = map[string]any{"rule": row.Rule, "of": row.Subject, "to": row.State, "value": row.Value}
	clinicID := row.ClinicID
	if clinicID == uuid.Nil {
		first, err := e.ClinicFirst(ctx)
		if err != nil && !noRows(err) {
			return err
		}
		clinicID = first.ID
	}
	e.names = append(e.names, "worklist-"+clinicID.String())
	return e.tx.write(ctx, ev)
}

func (e *evaluation) write(ctx context.Context) error {
	if len(e.save.Ids) > 0 {
		if err := e.AlertsSave(ctx, e.save); err != nil {
			return err
		}
	}
	if len(e.notices.Ids) > 0 {
		e.notices.At = e.at
		if err := e.AlertNoticesAdd(ctx, e.notices); err != nil {
			return err
		}
	}
	if len(e.forget) > 0 {
		return e.AlertsForget(ctx, e.forget)
	}
	return nil
}
