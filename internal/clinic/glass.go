package clinic

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// GlassForm is what a person says to read a patient whose care team they do not belong to: the exact record number, or the
// whole name with the date of birth (2006-01-02); and why.
type GlassForm struct{ MRN, Name, BirthDate, Reason string }

// Glass is one patient whom a person may read at the moment.
type Glass struct {
	ID, PatientID uuid.UUID
	Name          Text
	Until         time.Time
}

// personIndex is the exact look-up by name and date of birth, blind to case, accents and spaces.
func (c *Clinic) personIndex(name, birthDate string) []byte {
	return c.keys.Index("person", strings.Join(strings.Fields(plain(name)), " ")+"|"+birthDate)
}

func (f GlassForm) checked(now time.Time) (GlassForm, error) {
	var v form
	f.MRN, f.Name = tidy(f.MRN), tidy(f.Name)
	switch {
	case f.MRN == "" && f.Name == "" && f.BirthDate == "":
		v.bad("mrn", "Please give the MRN, or the whole name and the date of birth.")
	case f.MRN == "":
		f.Name = v.text("name", "The name", f.Name, 1, 100)
		f.BirthDate = v.date("birth_date", f.BirthDate, now)
	}
	f.Reason = v.text("reason", "The reason", f.Reason, glassReason, 500)
	return f, v.err()
}

// GlassBreak lets a person read one patient for an hour, at once and without asking anybody; an administrator reviews it
// afterwards. It is not for changing, signing or sending anything. Who is on the care team needs it not, and who has it
// open already is not given more time: both just get the patient. What nobody was found by is counted and kept on the
// trail. TooMany after too many of either. Fields: mrn name birth_date reason.
func (c *Clinic) GlassBreak(ctx context.Context, a Actor, f GlassForm) (patient uuid.UUID, err error) {
	var said error
	err = c.do(ctx, a, GlassBreak, Subject{Kind: "glass"}, func(t *tx) error {
		f, err := f.checked(t.at)
		if err != nil {
			return err
		}
		if err := t.glassLimits(ctx); err != nil {
			return err
		}
		rows, err := t.glassFind(ctx, f)
		if err != nil {
			return err
		}
		if len(rows) != 1 {
			t.refusal, said = glassMiss(f, len(rows))
			return t.GlassTry(ctx, db.GlassTryParams{ID: newID(), ClinicID: t.clinicID(), StaffID: t.actor.ID, At: t.at})
		}
		patient = rows[0].ID
		return t.breakGlass(ctx, f, rows[0])
	})
	if KindOf(err) == TooMany {
		c.refused(ctx, a, GlassBreak, Subject{Kind: "glass"}, Code(err))
	}
	if err == nil {
		err = said
	}
	return patient, err
}

// glassMiss is what goes on the trail and what the person reads when not exactly one patient fits.
func glassMiss(f GlassForm, found int) (code string, err error) {
	field, sentence := "mrn", "No patient of this clinic has this MRN. Check each digit."
	if f.MRN == "" {
		field, sentence = "name", "No patient of this clinic has exactly this name and date of birth. Check the spelling, or use the MRN."
	}
	if found > 1 {
		return "several", invalid(map[string]string{field: "More than one patient has this name and date of birth. Use the MRN."})
	}
	return "nobody", invalid(map[string]string{field: sentence})
}

// glassLimits are counted in Postgres and nowhere else, one request of a person after the other: nothing forgets them, and
// nobody is refused because something else is away.
func (t *tx) glassLimits(ctx context.Context) error {
	if _, err := t.StaffLock(ctx, db.StaffLockParams{ID: t.actor.ID, ClinicID: t.clinicID()}); err != nil {
		return err
	}
	u, err := t.GlassUsed(ctx, db.GlassUsedParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, Since: t.at.Add(-24 * time.Hour), TriesSince: t.at.Add(-time.Hour)})
	switch {
	case err != nil:
		return err
	case u.Tries >= glassTriesMost:
		return refuse(TooMany, "glass_tries", "You have looked for ten patients in the last hour who are not here. Wait an hour, or ask an administrator to put you on the care team.")
	case u.Opened >= glassesPerDay:
		return refuse(TooMany, "glass_day", "You have opened twenty patients in the last 24 hours, which is the most. Ask an administrator to put you on the care team.")
	}
	return nil
}

// glassFind is at most two patients, so that "more than one" can be told.
func (t *tx) glassFind(ctx context.Context, f GlassForm) ([]db.GlassFindRow, error) {
	by := db.GlassFindParams{StaffID: t.actor.ID, ClinicID: t.clinicID()}
	if f.MRN != "" {
		by.MrnIndex = t.c.keys.Index("mrn", looseKey(f.MRN))
	} else {
		if err := t.indexPersons(ctx); err != nil {
			return nil, err
		}
		by.PersonIndex = t.c.personIndex(f.Name, f.BirthDate)
	}
	return t.GlassFind(ctx, by)
}

// indexPersons makes the index of patients who were written down before there was one. After the first time there are none.
func (t *tx) indexPersons(ctx context.Context) error {
	rows, err := t.GlassUnindexed(ctx, t.clinicID())
	if err != nil || len(rows) == 0 {
		return err
	}
	all := db.GlassIndexParams{ClinicID: t.clinicID()}
	for _, r := range rows {
		b := t.c.chest(r.ID, r.Wrapped)
		name, birth := b.open(r.NameSealed, "patients", "name", r.ID), b.open(r.BirthDateSealed, "patients", "birth_date", r.ID)
		if b.err != nil {
			continue // one patient whose row does not open must not keep an emergency from another
		}
		all.Ids, all.PersonIndexes = append(all.Ids, r.ID), append(all.PersonIndexes, t.c.personIndex(name.Reveal(), birth.Reveal()))
	}
	return t.GlassIndex(ctx, all)
}

func (t *tx) breakGlass(ctx context.Context, f GlassForm, p db.GlassFindRow) error {
	t.subject.Patient = p.ID
	open, err := t.GlassOpen(ctx, db.GlassOpenParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, At: t.at})
	if err != nil {
		return err
	}
	t.silent = p.OnTeam
	for _, g := range open {
		t.silent = t.silent || g.PatientID == p.ID
	}
	if t.silent {
		return nil
	}
	b := t.c.chest(p.ID, p.Wrapped)
	row := db.GlassCreateParams{ID: newID(), ClinicID: t.clinicID(), StaffID: t.actor.ID, PatientID: p.ID, FoundBy: "person", At: t.at, ExpiresAt: t.at.Add(glassTime)}
	if f.MRN != "" {
		row.FoundBy = "mrn"
	}
	row.ReasonSealed = b.seal(f.Reason, "glass", "reason", row.ID)
	if b.err != nil {
		return b.err
	}
	t.subject.ID = row.ID
	t.detail["found_by"], t.detail["until"] = row.FoundBy, row.ExpiresAt.Format(time.RFC3339)
	t.glassChanged()
	return t.GlassCreate(ctx, row)
}

// GlassEnd gives it back before the hour is over. A second time it is not there any more.
func (c *Clinic) GlassEnd(ctx context.Context, a Actor, id uuid.UUID) error {
	return c.do(ctx, a, GlassEnd, Subject{Kind: "glass", ID: id}, func(t *tx) error {
		patient, err := t.Queries.GlassEnd(ctx, db.GlassEndParams{At: &t.at, ID: id, ClinicID: t.clinicID(), StaffID: t.actor.ID})
		t.subject.Patient = patient
		t.glassChanged()
		return found(err)
	})
}

// glassChanged tells the person's open pages to look at what they may show, and the administrators' lists to ask again.
func (t *tx) glassChanged() {
	t.names = append(t.names, "person-"+t.actor.ID.String(), "worklist-"+t.clinicID().String())
}

// through notes that what was read is open by break-glass: the view offers nothing but looking, and the trail says so.
func (t *tx) through(byGlass bool) {
	if byGlass {
		t.actor.Reading, t.detail["glass"] = true, true
	}
}

// glassOpen is whom a person may read at the moment by break-glass, for the banner of every page.
func (c *Clinic) glassOpen(ctx context.Context, q *db.Queries, a Actor, at time.Time) (open []Glass, err error) {
	rows, err := q.GlassOpen(ctx, db.GlassOpenParams{ClinicID: a.ClinicID, StaffID: a.ID, At: at})
	for _, r := range rows {
		b := c.chest(r.PatientID, r.Wrapped)
		g := Glass{ID: r.ID, PatientID: r.PatientID, Name: b.open(r.NameSealed, "patients", "name", r.PatientID), Until: r.ExpiresAt}
		if _, err := b.row(&g.Name); err != nil {
			return nil, err
		}
		open = append(open, g)
	}
	return open, err
}
