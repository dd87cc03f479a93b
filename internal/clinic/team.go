package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// TeamRow is one patient as an administrator sees them in a list: who cares for them, and nothing clinical.
type TeamRow struct {
	ID        uuid.UUID
	Name, MRN Text
	People    []string
	HasDoctor bool
}

// TeamPage is one page of the list; Next is the cursor of the following one, or empty.
type TeamPage struct {
	Rows []TeamRow
	Next string
}

// TeamMember is a person on a patient's care team.
type TeamMember struct {
	Person
	Since    time.Time
	Disabled bool
}

// TeamView is a patient's care team with what identifies and reaches the patient, and nothing clinical.
type TeamView struct {
	ID        uuid.UUID
	Name, MRN Text
	Contacts  []Contact
	Members   []TeamMember
	Others    []Person // of the clinic, who could join
}

// cursorFrom reads a cursor; without a good one the list begins at its newest row.
func (t *tx) cursorFrom(after string) timeCursor {
	return cursorOf(after, timeCursor{At: t.at.Add(time.Hour)})
}

// TeamList is the clinic's patients with their care teams, newest first.
func (c *Clinic) TeamList(ctx context.Context, a Actor, after string) (TeamPage, error) {
	return list(ctx, c, a, TeamList, Subject{Kind: "patients"}, func(t *tx, page *TeamPage) error {
		from := t.cursorFrom(after)
		rows, err := t.TeamListByAdmin(ctx, db.TeamListByAdminParams{ClinicID: t.clinicID(), Before: from.At, BeforeID: from.ID, RowLimit: teamsPerPage + 1})
		if err != nil {
			return err
		}
		if len(rows) > teamsPerPage {
			rows = rows[:teamsPerPage]
			last := rows[len(rows)-1]
			page.Next = timeCursor{last.CreatedAt, last.ID}.String()
		}
		page.Rows, err = t.teamRows(rows)
		return err
	})
}

// TeamSearch finds patients of the whole clinic by exact record number, phone number or e-mail address. The term goes on
// the trail as an HMAC, with how many it found.
func (c *Clinic) TeamSearch(ctx context.Context, a Actor, term string) ([]TeamRow, error) {
	term = tidy(term)
	return list(ctx, c, a, TeamSearch, Subject{Kind: "patients"}, func(t *tx, out *[]TeamRow) error {
		ids, err := t.TeamFindByAdmin(ctx, db.TeamFindByAdminParams{ClinicID: t.clinicID(), MrnIndex: c.keys.Index("mrn", looseKey(term)),
			AddressIndex: c.keys.Index("address", phoneKey(term)), RowLimit: searchMost})
		if err != nil {
			return err
		}
		t.searched(term, len(ids))
		rows, err := t.TeamOfIdsByAdmin(ctx, db.TeamOfIdsByAdminParams{ClinicID: t.clinicID(), Ids: ids})
		if err != nil {
			return err
		}
		same := make([]db.TeamListByAdminRow, len(rows))
		for i, r := range rows {
			same[i] = db.TeamListByAdminRow(r)
		}
		*out, err = t.teamRows(same)
		return err
	})
}

func (t *tx) teamRows(rows []db.TeamListByAdminRow) ([]TeamRow, error) {
	out := make([]TeamRow, len(rows))
	for i, r := range rows {
		b := t.c.chest(r.ID, r.Wrapped)
		out[i] = TeamRow{ID: r.ID, Name: b.open(r.NameSealed, "patients", "name", r.ID), MRN: b.open(r.MrnSealed, "patients", "mrn", r.ID),
			People: r.People, HasDoctor: r.HasDoctor}
		if _, err := b.row(&out[i].Name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// TeamShow is one patient's care team, with who could join it.
func (c *Clinic) TeamShow(ctx context.Context, a Actor, patient uuid.UUID) (TeamView, error) {
	v := TeamView{ID: patient}
	err := c.do(ctx, a, TeamShow, Subject{Kind: "patient", ID: patient, Patient: patient}, func(t *tx) error {
		r, err := t.TeamGetByAdmin(ctx, db.TeamGetByAdminParams{ID: patient, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		b := c.chest(patient, r.Wrapped)
		v.Name, v.MRN = b.open(r.NameSealed, "patients", "name", patient), b.open(r.MrnSealed, "patients", "mrn", patient)
		contacts, err := t.ContactsOfPatient(ctx, db.ContactsOfPatientParams{ClinicID: t.clinicID(), PatientID: patient})
		if err != nil {
			return err
		}
		for _, r := range contacts {
			v.Contacts = append(v.Contacts, openContact(b, r))
		}
		if b.err != nil {
			return b.err
		}
		if v.Members, err = t.teamMembers(ctx, patient); err != nil {
			return err
		}
		others, err := t.TeamCandidates(ctx, db.TeamCandidatesParams{ClinicID: t.clinicID(), PatientID: patient})
		for _, r := range others {
			v.Others = append(v.Others, Person(r))
		}
		return err
	})
	return v, err
}

func (t *tx) teamMembers(ctx context.Context, patient uuid.UUID) ([]TeamMember, error) {
	rows, err := t.TeamMembers(ctx, db.TeamMembersParams{ClinicID: t.clinicID(), PatientID: patient})
	out := make([]TeamMember, len(rows))
	for i, r := range rows {
		out[i] = TeamMember{Person{r.ID, r.Name, r.Role}, r.Since, r.DisabledAt != nil}
	}
	return out, err
}

// TeamJoin puts a person who works with patients on a patient's care team. A second time it changes nothing. Field: staff.
func (c *Clinic) TeamJoin(ctx context.Context, a Actor, patient, staff uuid.UUID) error {
	return c.do(ctx, a, TeamJoin, Subject{Kind: "staff", ID: staff, Patient: patient}, func(t *tx) error {
		if err := t.lockTeam(ctx, patient); err != nil {
			return err
		}
		s, err := t.StaffGet(ctx, db.StaffGetParams{ID: staff, ClinicID: t.clinicID()})
		if noRows(err) || err == nil && (s.DisabledAt != nil || policy[PatientShow][deref(s.Role)] != Team) {
			return invalid(map[string]string{"staff": "Please choose a doctor, reviewer or member of staff who has not been switched off."})
		}
		if err != nil {
			return err
		}
		n, err := t.Queries.TeamJoin(ctx, db.TeamJoinParams{PatientID: patient, StaffID: staff, ClinicID: t.clinicID(), Since: t.at})
		t.silent = n == 0
		t.teamChanged(staff)
		return err
	})
}

// TeamLeave takes a person off a patient's care team; what they have open of the patient closes at once. A patient keeps a
// doctor: the last one cannot be taken off. Field: staff.
func (c *Clinic) TeamLeave(ctx context.Context, a Actor, patient, staff uuid.UUID) error {
	return c.do(ctx, a, TeamLeave, Subject{Kind: "staff", ID: staff, Patient: patient}, func(t *tx) error {
		if err := t.lockTeam(ctx, patient); err != nil {
			return err
		}
		team, err := t.teamMembers(ctx, patient)
		if err != nil {
			return err
		}
		if lastDoctor(team, staff) {
			return invalid(map[string]string{"staff": "This is the patient’s only doctor. Add another one first: without a doctor nobody can sign."})
		}
		n, err := t.Queries.TeamLeave(ctx, db.TeamLeaveParams{PatientID: patient, StaffID: staff, ClinicID: t.clinicID()})
		if err == nil && n == 0 {
			return notFound()
		}
		t.teamChanged(staff)
		return err
	})
}

// lastDoctor: the person is a doctor who can sign, and nobody else on the team is.
func lastDoctor(team []TeamMember, staff uuid.UUID) bool {
	is := false
	for _, m := range team {
		doctor := Role(m.Role) == Doctor && !m.Disabled
		if doctor && m.ID != staff {
			return false
		}
		is = is || doctor
	}
	return is
}

func (t *tx) lockTeam(ctx context.Context, patient uuid.UUID) error {
	_, err := t.TeamLock(ctx, db.TeamLockParams{ID: patient, ClinicID: t.clinicID()})
	return found(err)
}

// teamChanged tells the person's open pages to look at what they may still show, and the clinic's lists to ask again.
func (t *tx) teamChanged(staff uuid.UUID) {
	t.names = append(t.names, "person-"+staff.String(), "worklist-"+t.clinicID().String())
}
