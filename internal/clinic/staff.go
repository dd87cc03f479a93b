package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// ClinicForm describes a clinic to be set up by an operator. UndoSeconds is 0 to 120.
type ClinicForm struct {
	ID                                       uuid.UUID
	Name, NoticeName, Phone, Emergency, Zone string
	UndoSeconds                              int
}

// ClinicCreate sets up a clinic; a second time with the same ID it changes nothing.
func (c *Clinic) ClinicCreate(ctx context.Context, a Actor, f ClinicForm) error {
	a.ClinicID = f.ID
	return c.do(ctx, a, ClinicCreate, Subject{Kind: "clinic", ID: f.ID}, func(t *tx) error {
		if _, err := time.LoadLocation(f.Zone); err != nil {
			return invalid(map[string]string{"zone": "This time zone is not known."})
		}
		if f.UndoSeconds < 0 || f.UndoSeconds > 120 {
			return invalid(map[string]string{"undo_seconds": "The time to undo is 0 to 120 seconds."})
		}
		if _, err := t.ClinicGet(ctx, f.ID); !noRows(err) {
			t.silent = true
			return err
		}
		return t.ClinicCreate(ctx, db.ClinicCreateParams{ID: f.ID, Name: f.Name, NoticeName: f.NoticeName, Phone: f.Phone, EmergencyLine: f.Emergency,
			TimeZone: f.Zone, UndoSeconds: int32(f.UndoSeconds), PageDays: 7, CreatedAt: t.at})
	})
}

// StaffForm is a person with a role, as an operator or seed gives it.
type StaffForm struct {
	ClinicID                     uuid.UUID
	Issuer, Subject, Email, Name string
	Role                         Role
}

// StaffPut gives a person (issuer, subject) a name and a role, known or not yet; a changed role ends their sessions. It
// returns the person as an actor, so that a seed can act as them.
func (c *Clinic) StaffPut(ctx context.Context, a Actor, f StaffForm) (Actor, error) {
	a.ClinicID = f.ClinicID
	out := Actor{Kind: ActorPerson, ClinicID: f.ClinicID, Role: f.Role, Name: f.Name, Email: f.Email}
	err := c.do(ctx, a, StaffPut, Subject{Kind: "staff"}, func(t *tx) error {
		if _, known := dailyDrafts[f.Role]; !known && f.Role != Auditor && f.Role != Admin && f.Role != Ops {
			return invalid(map[string]string{"role": "The roles are staff, reviewer, doctor, auditor, admin and ops."})
		}
		role := string(f.Role)
		before, err := t.StaffLockByIdentity(ctx, db.StaffLockByIdentityParams{Issuer: f.Issuer, Subject: f.Subject, ClinicID: f.ClinicID})
		if err != nil && !noRows(err) {
			return err
		}
		changed := err == nil && before != role
		id, err := t.Queries.StaffPut(ctx, db.StaffPutParams{ID: newID(), ClinicID: f.ClinicID, Issuer: f.Issuer, Subject: f.Subject, Email: f.Email,
			Name: f.Name, Role: &role, CreatedAt: t.at})
		out.ID, t.subject.ID = id, id
		t.detail["role"] = role
		if err != nil || !changed {
			return err
		}
		return t.SessionsEndOf(ctx, db.SessionsEndOfParams{At: &t.at, Reason: ptr("role"), StaffID: id, ClinicID: f.ClinicID})
	})
	return out, err
}

// TeamJoin puts a person on a patient's care team.
func (c *Clinic) TeamJoin(ctx context.Context, a Actor, patient, staff uuid.UUID) error {
	return c.do(ctx, a, TeamJoin, Subject{Kind: "staff", ID: staff, Patient: patient}, func(t *tx) error {
		return t.Queries.TeamJoin(ctx, db.TeamJoinParams{PatientID: patient, StaffID: staff, ClinicID: a.ClinicID, Since: t.at})
	})
}
