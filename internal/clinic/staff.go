package clinic

import (
	"context"
	"slices"
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
		if f.Name == "" || f.NoticeName == "" || f.Phone == "" {
			return invalid(map[string]string{"name": "A clinic needs a name, a neutral name for notices and a phone number."})
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
	ClinicID                     uuid.UUID // Nil: the first clinic
	Issuer, Subject, Email, Name string
	Role                         Role
}

// StaffPut gives a person (issuer, subject) a name and a role, known or not yet; a changed role ends their sessions. It
// returns the person as an actor, so that a seed can act as them.
func (c *Clinic) StaffPut(ctx context.Context, a Actor, f StaffForm) (Actor, error) {
	a.ClinicID = f.ClinicID
	out := Actor{Kind: ActorPerson, ClinicID: f.ClinicID, Role: f.Role, Name: f.Name, Email: f.Email}
	err := c.do(ctx, a, StaffPut, Subject{Kind: "staff"}, func(t *tx) error {
		if !slices.Contains(Roles, f.Role) {
			return invalid(map[string]string{"role": "The roles are staff, reviewer, doctor, auditor, admin and ops."})
		}
		if err := t.home(ctx); err != nil {
			return err
		}
		f.ClinicID, out.ClinicID = t.clinicID(), t.clinicID()
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
		return t.endSessions(ctx, id, "role", uuid.Nil)
	})
	return out, err
}

// Member is a person of the clinic as an operator sees them. Role is empty for who signed in and was given none.
type Member struct {
	ID                           uuid.UUID
	Issuer, Subject, Email, Name string
	Role                         Role
	Disabled                     bool
}

// StaffList is everybody of the clinic, by name. An operator without a clinic means the first one.
func (c *Clinic) StaffList(ctx context.Context, a Actor) ([]Member, error) {
	var out []Member
	err := c.do(ctx, a, StaffList, Subject{Kind: "staff"}, func(t *tx) error {
		if err := t.home(ctx); err != nil {
			return err
		}
		rows, err := t.Queries.StaffList(ctx, t.clinicID())
		for _, r := range rows {
			out = append(out, Member{ID: r.ID, Issuer: r.Issuer, Subject: r.Subject, Email: r.Email, Name: r.Name, Role: Role(r.Role), Disabled: r.DisabledAt != nil})
		}
		return err
	})
	return out, err
}

// home gives an operator who named no clinic the first one.
func (t *tx) home(ctx context.Context) error {
	if t.clinicID() != uuid.Nil {
		return nil
	}
	clinic, err := t.ClinicFirst(ctx)
	if noRows(err) {
		return refuse(NotFound, "no_clinic", "There is no clinic yet: countersign clinic create sets one up.")
	}
	t.actor.ClinicID = clinic.ID
	return err
}

// notOneself: whoever gives out roles cannot lock everybody out by taking their own.
func notOneself(a Actor, id uuid.UUID) error {
	if a.ID == id {
		return refuse(Forbidden, "own", "This is you. Another administrator has to do it.")
	}
	return nil
}

// StaffAssign gives a known person a role, or with RoleNobody takes it; a changed role ends their sessions at once. With
// the role that they have it changes nothing. Field: role.
func (c *Clinic) StaffAssign(ctx context.Context, a Actor, id uuid.UUID, role Role) error {
	return c.do(ctx, a, StaffAssign, Subject{Kind: "staff", ID: id}, func(t *tx) error {
		if role != RoleNobody && !slices.Contains(Roles, role) {
			return invalid(map[string]string{"role": "Please choose a role."})
		}
		if err := t.home(ctx); err != nil {
			return err
		}
		before, err := t.StaffLock(ctx, db.StaffLockParams{ID: id, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		if err := notOneself(a, id); err != nil {
			return err
		}
		if t.silent = before == string(role); t.silent {
			return nil
		}
		t.detail["role"], t.detail["before"] = string(role), before
		if err := t.Queries.StaffAssign(ctx, db.StaffAssignParams{Role: string(role), ID: id, ClinicID: t.clinicID()}); err != nil {
			return err
		}
		return t.endSessions(ctx, id, "role", uuid.Nil)
	})
}

// StaffDisable switches a person off and ends their sessions and emergency accesses at once. A second time it changes nothing.
func (c *Clinic) StaffDisable(ctx context.Context, a Actor, id uuid.UUID) error {
	return c.do(ctx, a, StaffDisable, Subject{Kind: "staff", ID: id}, func(t *tx) error {
		if err := t.home(ctx); err != nil {
			return err
		}
		if err := notOneself(a, id); err != nil {
			return err
		}
		if _, err := t.StaffGet(ctx, db.StaffGetParams{ID: id, ClinicID: t.clinicID()}); err != nil {
			return found(err)
		}
		n, err := t.Queries.StaffDisable(ctx, db.StaffDisableParams{At: &t.at, ID: id, ClinicID: t.clinicID()})
		if err != nil || n == 0 {
			t.silent = true
			return err
		}
		if err := t.GlassEndOf(ctx, db.GlassEndOfParams{At: &t.at, ClinicID: t.clinicID(), StaffID: id}); err != nil {
			return err
		}
		return t.endSessions(ctx, id, "disabled", uuid.Nil)
	})
}

// StaffEnable switches a person on again, with the role and the care teams that they have. Their ended sessions stay ended:
// they sign in anew. A second time it changes nothing.
func (c *Clinic) StaffEnable(ctx context.Context, a Actor, id uuid.UUID) error {
	return c.do(ctx, a, StaffEnable, Subject{Kind: "staff", ID: id}, func(t *tx) error {
		if err := t.home(ctx); err != nil {
			return err
		}
		if err := notOneself(a, id); err != nil {
			return err
		}
		role, err := t.StaffLock(ctx, db.StaffLockParams{ID: id, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		n, err := t.Queries.StaffEnable(ctx, db.StaffEnableParams{ID: id, ClinicID: t.clinicID()})
		t.silent, t.detail["role"] = n == 0, role
		return err
	})
}
