package clinic

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/alert"
	"countersign/internal/db"
)

// AlertRow is one alert as people see it.
type AlertRow struct {
	ID           uuid.UUID
	Rule         alert.Rule
	Subject      string // a code, such as a channel; empty: there is only one
	Person       string // whom it is about, if it is about one
	Value, Worst string // in words
	Since        time.Time
	ClearedAt    *time.Time
	AckBy, Note  string
	AckAt        *time.Time
	SilencedBy   string
	Silenced     *time.Time // until when; nil once it is over
	Told         []AlertTold
	Everywhere   bool // it is the installation's, not the clinic's
	Rev          int
}

// AlertTold is how far what is to be told on one way has come. Code says why the last attempt did not go.
type AlertTold struct {
	Way          string
	Sent, Unsent int
	Code         string
}

// State is how an alert stands: firing, acknowledged, silenced or cleared.
func (r AlertRow) State() string {
	switch {
	case r.ClearedAt != nil:
		return "cleared"
	case r.Silenced != nil:
		return "silenced"
	case r.AckAt != nil:
		return "acknowledged"
	default:
		return "firing"
	}
}

// AlertPage is what fires now, and one page of what was; Next is the cursor of the following one.
type AlertPage struct {
	Firing, Past []AlertRow
	Next         string
	First        bool
	Evaluated    *time.Time // when the rules were last evaluated; nil: never
	Late         bool       // that is too long ago to believe the list
}

// AlertSilences are the hours that an alert can be silenced for; 0 ends a silence.
var AlertSilences = []time.Duration{0, time.Hour, 8 * time.Hour, 72 * time.Hour}

// alertLate is how old the last evaluation may be before the page says that nobody watches.
const alertLate = 3 * time.Minute

// AlertList is what fires now in the actor's clinic and the installation, and what is over, newest first. after is the cursor
// of the page before.
func (c *Clinic) AlertList(ctx context.Context, a Actor, after string) (AlertPage, error) {
	p := AlertPage{First: after == ""}
	err := c.do(ctx, a, AlertList, Subject{Kind: "alert"}, func(t *tx) error {
		at, err := t.AlertRoundAt(ctx)
		if err != nil {
			return err
		}
		if at.Unix() > 0 {
			p.Evaluated = &at
		}
		p.Late = t.at.Sub(at) > alertLate
		if p.First {
			rows, err := t.AlertsFiring(ctx, t.clinicID())
			if err != nil {
				return err
			}
			for _, r := range rows {
				p.Firing = append(p.Firing, t.alertRow(db.AlertsPastRow(r)))
			}
		}
		from := t.cursorFrom(after)
		rows, err := t.AlertsPast(ctx, db.AlertsPastParams{ClinicID: t.clinicID(), Before: from.At, BeforeID: from.ID, Most: alertsPerPage + 1})
		if err != nil {
			return err
		}
		if len(rows) > alertsPerPage {
			rows = rows[:alertsPerPage]
			last := rows[len(rows)-1]
			p.Next = timeCursor{*last.ClearedAt, last.ID}.String()
		}
		for _, r := range rows {
			p.Past = append(p.Past, t.alertRow(r))
		}
		return t.alertsTold(ctx, p.Firing, p.Past)
	})
	return p, err
}

func (t *tx) alertRow(r db.AlertsPastRow) AlertRow {
	rule, ok := alert.Of(r.Rule)
	if !ok {
		rule = alert.Rule{Name: r.Rule, Title: r.Rule} // of another version
	}
	row := AlertRow{ID: r.ID, Rule: rule, Subject: r.Subject, Person: r.Person, Value: rule.Unit.Words(r.Value), Worst: rule.Unit.Words(r.Worst), Since: r.Since,
		ClearedAt: r.ClearedAt, AckBy: r.Acknowledger, AckAt: r.AcknowledgedAt, Note: r.Note, SilencedBy: r.Silencer, Everywhere: r.ClinicID == uuid.Nil, Rev: int(r.Rev)}
	if r.Person != "" {
		row.Subject = ""
	}
	if r.SilencedUntil != nil && r.SilencedUntil.After(t.at) {
		row.Silenced = r.SilencedUntil
	}
	return row
}

// alertsTold notes on each alert how far its notices have come.
func (t *tx) alertsTold(ctx context.Context, lists ...[]AlertRow) error {
	var ids []uuid.UUID
	for _, r := range slices.Concat(lists...) {
		ids = append(ids, r.ID)
	}
	told, err := t.AlertsTold(ctx, db.AlertsToldParams{ClinicID: t.clinicID(), Ids: ids})
	for _, one := range told {
		for _, list := range lists {
			for i := range list {
				if list[i].ID == one.AlertID {
					list[i].Told = append(list[i].Told, AlertTold{Way: one.Way, Sent: int(one.Sent), Unsent: int(one.Unsent), Code: one.Code})
				}
			}
		}
	}
	return err
}

// AlertAcknowledge says that somebody is at it: nobody is told again until it is over. rev is what the person saw. Field: note.
func (c *Clinic) AlertAcknowledge(ctx context.Context, a Actor, id uuid.UUID, rev int, note string) error {
	return c.do(ctx, a, AlertAcknowledge, Subject{Kind: "alert", ID: id}, func(t *tx) error {
		var v form
		note = v.text("note", "The note", note, 0, 200)
		if err := v.err(); err != nil {
			return err
		}
		row, err := t.alertLock(ctx, id, rev)
		if err != nil {
			return err
		}
		if row.AcknowledgedAt != nil {
			return refuse(Conflict, "moved_on", "Somebody has acknowledged this alert already. Nothing was changed.")
		}
		t.detail["noted"] = note != ""
		return t.Queries.AlertAcknowledge(ctx, db.AlertAcknowledgeParams{By: a.ID, At: t.at, Note: note, ID: id, ClinicID: row.ClinicID})
	})
}

// AlertSilence keeps an alert, and one of its kind that comes after it, from telling anybody for a while; 0 ends that. It still
// is on the page. rev is what the person saw. Field: lasts.
func (c *Clinic) AlertSilence(ctx context.Context, a Actor, id uuid.UUID, rev int, lasts time.Duration) error {
	return c.do(ctx, a, AlertSilence, Subject{Kind: "alert", ID: id}, func(t *tx) error {
		if !slices.Contains(AlertSilences, lasts) {
			return invalid(map[string]string{"lasts": "Please choose for how long."})
		}
		row, err := t.alertLock(ctx, id, rev)
		if err != nil {
			return err
		}
		var until *time.Time
		if lasts > 0 {
			until = ptr(t.at.Add(lasts))
		}
		t.detail["hours"] = int(lasts.Hours())
		return t.Queries.AlertSilence(ctx, db.AlertSilenceParams{By: a.ID, Until: until, ID: id, ClinicID: row.ClinicID})
	})
}

// alertLock is the alert of the actor's clinic, or of the installation, if it still fires and nobody has changed it.
func (t *tx) alertLock(ctx context.Context, id uuid.UUID, rev int) (db.Alert, error) {
	row, err := t.AlertLock(ctx, db.AlertLockParams{ID: id, ClinicID: t.clinicID()})
	if err != nil {
		return row, found(err)
	}
	t.detail["rule"], t.detail["of"] = row.Rule, row.Subject
	switch {
	case row.State != string(alert.Firing):
		return row, refuse(Conflict, "moved_on", fmt.Sprintf("“%s” is over by itself. Nothing was changed.", ruleTitle(row.Rule)))
	case int(row.Rev) != rev:
		return row, refuse(Conflict, "moved_on", "This alert has changed while you had it open. Nothing was changed.")
	}
	t.names = append(t.names, "worklist-"+t.clinicID().String())
	return row, nil
}

// AlertRules are what is watched.
func AlertRules() []alert.Rule { return alert.Rules }

func ruleTitle(name string) string {
	r, _ := alert.Of(name)
	return r.Title
}
