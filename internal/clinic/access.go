package clinic

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// AccessFacts are what a weekly access review is about, as they were when it was made: ids, roles and numbers.
type AccessFacts struct {
	People  []AccessPerson `json:"people"`
	Changes []AccessChange `json:"changes"`
}

// AccessPerson is one person's access and its use in the week.
type AccessPerson struct {
	ID       uuid.UUID  `json:"id"`
	Role     Role       `json:"role"`
	Disabled bool       `json:"disabled,omitempty"`
	LastIn   *time.Time `json:"last_in,omitempty"` // the last sign-in; nil: none
	Unseen   bool       `json:"unseen,omitempty"`  // has a role, and did not sign in for unseenDays
	Acts     int        `json:"acts"`
	Refused  int        `json:"refused,omitempty"`
	Patients int        `json:"patients"` // whom they looked at or worked on
	Many     bool       `json:"many,omitempty"`
	Glass    int        `json:"glass,omitempty"`   // emergency accesses
	Exports  int        `json:"exports,omitempty"` // of the trail, begun

	Name string `json:"-"`
}

// AccessChange is a role given or taken, or a person switched off or on.
type AccessChange struct {
	Event   uuid.UUID `json:"event"`
	At      time.Time `json:"at"`
	Deed    Deed      `json:"deed"`
	Subject uuid.UUID `json:"subject"`
	By      uuid.UUID `json:"by"`
	Before  string    `json:"before,omitempty"`
	Role    string    `json:"role,omitempty"`

	Whom, ByName, Words string `json:"-"`
}

// AccessReview is one week's review.
type AccessReview struct {
	ID           uuid.UUID
	Since, Until time.Time
	MadeAt       time.Time
	Overdue      bool
	SignedBy     string
	SignedAt     *time.Time
	Note         string
	Marks        int // what wants a look: see AccessFacts.marks
	Facts        AccessFacts
}

// AccessPage is one page of the reviews, the newest first.
type AccessPage struct {
	Rows []AccessReview
	Next string
}

// marks counts what a reader should not pass over.
func (f AccessFacts) marks() (n int) {
	for _, p := range f.People {
		for _, marked := range []bool{p.Unseen, p.Many, p.Glass > 0, p.Exports > 0, p.Refused > 0} {
			if marked {
				n++
			}
		}
	}
	return n + len(f.Changes)
}

// weekBefore is the last whole week on that clock, from Monday to Monday.
func weekBefore(now time.Time, zone *time.Location) (since, until time.Time) {
	at := now.In(zone)
	back := (int(at.Weekday()) + 6) % 7
	until = time.Date(at.Year(), at.Month(), at.Day()-back, 0, 0, 0, 0, zone)
	return until.AddDate(0, 0, -7), until
}

// AccessMake makes the review of the last whole week for each clinic that has none yet, and says how many. Any number of
// workers may ask, at any time: there is one review a week.
func (c *Clinic) AccessMake(ctx context.Context, a Actor) (made int, err error) {
	if !a.Can(AccessMake) {
		return 0, c.do(ctx, a, AccessMake, Subject{Kind: "access"}, nil)
	}
	now := c.now().UTC()
	due, err := db.New(c.pool).AccessDue(ctx, now.AddDate(0, 0, -7))
	if err != nil {
		return 0, err
	}
	for _, cl := range due {
		since, until := weekBefore(now, zoneOf(db.Clinic{TimeZone: cl.TimeZone}))
		a.ClinicID = cl.ID
		id := newID()
		err := c.do(ctx, a, AccessMake, Subject{Kind: "access", ID: id}, func(t *tx) error {
			facts, err := t.accessFacts(ctx, since, until)
			if err != nil {
				return err
			}
			raw, err := json.Marshal(facts)
			if err != nil {
				return err
			}
			n, err := t.AccessCreate(ctx, db.AccessCreateParams{ID: id, ClinicID: t.clinicID(), Since: since, Until: until, MadeAt: t.at, Facts: raw})
			made += int(n)
			t.silent, t.detail["since"], t.detail["marks"] = n == 0, since.Format(time.DateOnly), facts.marks()
			t.names = append(t.names, "worklist-"+t.clinicID().String())
			return err
		})
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

func (t *tx) accessFacts(ctx context.Context, since, until time.Time) (f AccessFacts, err error) {
	people, err := t.AccessPeople(ctx, t.clinicID())
	if err != nil {
		return f, err
	}
	deeds, err := t.AccessDeeds(ctx, db.AccessDeedsParams{ClinicID: t.clinicID(), Since: since, Until: until})
	if err != nil {
		return f, err
	}
	patients, err := t.AccessPatients(ctx, db.AccessPatientsParams{ClinicID: t.clinicID(), Since: since, Until: until})
	if err != nil {
		return f, err
	}
	f.People = []AccessPerson{}
	for _, p := range people {
		one := AccessPerson{ID: p.ID, Role: Role(p.Role), Disabled: p.DisabledAt != nil}
		if p.LastIn.After(time.Unix(0, 0)) {
			one.LastIn = &p.LastIn
		}
		unseen := t.at.AddDate(0, 0, -unseenDays)
		one.Unseen = one.Role != RoleNobody && !one.Disabled && p.CreatedAt.Before(unseen) && p.LastIn.Before(unseen)
		for _, d := range deeds {
			if d.ActorID == p.ID {
				one.count(d)
			}
		}
		if i := slices.IndexFunc(patients, func(r db.AccessPatientsRow) bool { return r.ActorID == p.ID }); i >= 0 {
			one.Patients = int(patients[i].Patients)
			one.Many = one.Patients >= manyPatients
		}
		f.People = append(f.People, one)
	}
	f.Changes, err = t.accessChanges(ctx, since, until)
	return f, err
}

func (p *AccessPerson) count(d db.AccessDeedsRow) {
	p.Acts += int(d.Done)
	p.Refused += int(d.Refused)
	switch Deed(d.Deed) {
	case GlassBreak:
		p.Glass += int(d.Done)
	case AuditExport:
		p.Exports += (int(d.Done) + 1) / 2 // two events for each, and one for what was cut off by a crash
	}
}

func (t *tx) accessChanges(ctx context.Context, since, until time.Time) ([]AccessChange, error) {
	rows, err := t.AccessChanges(ctx, db.AccessChangesParams{ClinicID: t.clinicID(), Since: since, Until: until})
	out := []AccessChange{}
	for _, r := range rows {
		one := AccessChange{Event: r.ID, At: r.At, Deed: Deed(r.Deed), Subject: orZero(r.SubjectID), By: orZero(r.ActorID)}
		var said struct{ Role, Before string }
		if err := json.Unmarshal(r.Detail, &said); err != nil {
			return nil, err
		}
		one.Role, one.Before = said.Role, said.Before
		out = append(out, one)
	}
	return out, err
}

// AccessList is the clinic's access reviews, the newest first.
func (c *Clinic) AccessList(ctx context.Context, a Actor, after string) (AccessPage, error) {
	var page AccessPage
	err := c.do(ctx, a, AccessList, Subject{Kind: "access"}, func(t *tx) error {
		rows, err := t.Queries.AccessList(ctx, db.AccessListParams{ClinicID: t.clinicID(), Before: t.cursorFrom(after).At, RowLimit: accessPage + 1})
		if err != nil {
			return err
		}
		if len(rows) > accessPage {
			rows = rows[:accessPage]
			page.Next = timeCursor{At: rows[len(rows)-1].Since}.String()
		}
		for _, r := range rows {
			one := AccessReview{ID: r.ID, Since: r.Since, Until: r.Until, MadeAt: r.MadeAt, SignedBy: r.SignedByName, SignedAt: r.SignedAt,
				Overdue: r.SignedAt == nil && t.at.Sub(r.MadeAt) > accessOverdue}
			if err := json.Unmarshal(r.Facts, &one.Facts); err != nil {
				return err
			}
			one.Marks = one.Facts.marks()
			page.Rows = append(page.Rows, one)
		}
		return nil
	})
	return page, err
}

// AccessShow is one review, with the names that people have now.
func (c *Clinic) AccessShow(ctx context.Context, a Actor, id uuid.UUID) (AccessReview, error) {
	var out AccessReview
	err := c.do(ctx, a, AccessShow, Subject{Kind: "access", ID: id}, func(t *tx) error {
		r, err := t.AccessGet(ctx, db.AccessGetParams{ID: id, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		out = AccessReview{ID: r.ID, Since: r.Since, Until: r.Until, MadeAt: r.MadeAt, SignedBy: r.SignedByName, SignedAt: r.SignedAt, Note: r.Note,
			Overdue: r.SignedAt == nil && t.at.Sub(r.MadeAt) > accessOverdue}
		if err := json.Unmarshal(r.Facts, &out.Facts); err != nil {
			return err
		}
		out.Marks = out.Facts.marks()
		people, err := t.auditPeople(ctx)
		names := map[uuid.UUID]string{}
		for _, p := range people {
			names[p.ID] = p.Name
		}
		for i := range out.Facts.People {
			out.Facts.People[i].Name = names[out.Facts.People[i].ID]
		}
		for i := range out.Facts.Changes {
			ch := &out.Facts.Changes[i]
			ch.Whom, ch.Words, ch.ByName = names[ch.Subject], DeedWords(ch.Deed), whoWords(string(ActorOperator), "")
			if ch.By != uuid.Nil {
				ch.ByName = names[ch.By]
			}
		}
		return err
	})
	return out, err
}

// AccessSign signs a review off, with what the reader found: 1 to 1,000 characters. Conflict when somebody was faster.
// Field: note.
func (c *Clinic) AccessSign(ctx context.Context, a Actor, id uuid.UUID, note string) error {
	return c.do(ctx, a, AccessSign, Subject{Kind: "access", ID: id}, func(t *tx) error {
		r, err := t.AccessLock(ctx, db.AccessLockParams{ID: id, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		if r.SignedBy != nil {
			return refuse(Conflict, "signed", "Somebody signed this review off a moment ago.")
		}
		var f form
		note = f.text("note", "The note", note, 1, 1000)
		if err := f.err(); err != nil {
			return err
		}
		t.names = append(t.names, "worklist-"+t.clinicID().String())
		_, err = t.Queries.AccessSign(ctx, db.AccessSignParams{SignedBy: &a.ID, At: &t.at, Note: note, ID: id, ClinicID: t.clinicID()})
		return err
	})
}

// late says whether one that waits has waited too long.
func late(r db.AccessWaitingRow, now time.Time) bool {
	return r.Waiting > 0 && now.Sub(r.Oldest) > accessOverdue
}
