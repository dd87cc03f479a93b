package clinic

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// SessionRow is one open session: a sign-in on one device.
type SessionRow struct {
	ID             uuid.UUID
	Person         Person
	IP, Agent      string // as the browser said, which may be anything
	Since, Last    time.Time
	Current, Yours bool // the one that asks; of the same person
}

// SessionPage is one page of the list; Next is the cursor of the following one, or empty.
type SessionPage struct {
	Rows []SessionRow
	Next string
}

// SessionList is the actor's own open sessions, newest first.
func (c *Clinic) SessionList(ctx context.Context, a Actor) ([]SessionRow, error) {
	var page SessionPage
	err := c.do(ctx, a, SessionList, Subject{Kind: "session"}, func(t *tx) (err error) {
		page, err = t.sessions(ctx, &a.ID, "")
		return err
	})
	return page.Rows, err
}

// SessionListAll is everybody's open sessions in the clinic, newest first, or those of one person. after is the cursor of
// the page before.
func (c *Clinic) SessionListAll(ctx context.Context, a Actor, of uuid.UUID, after string) (SessionPage, error) {
	var page SessionPage
	err := c.do(ctx, a, SessionListAll, Subject{Kind: "staff", ID: of}, func(t *tx) (err error) {
		page, err = t.sessions(ctx, orNull(of), after)
		return err
	})
	return page, err
}

// sessionCursor is where the next page begins.
type sessionCursor struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

func (t *tx) sessions(ctx context.Context, of *uuid.UUID, after string) (SessionPage, error) {
	from := sessionCursor{At: t.at.Add(time.Hour)}
	if raw, err := base64.RawURLEncoding.DecodeString(after); err == nil && len(raw) > 0 && json.Unmarshal(raw, &from) != nil {
		from = sessionCursor{At: t.at.Add(time.Hour)}
	}
	rows, err := t.SessionsOpen(ctx, db.SessionsOpenParams{ClinicID: t.clinicID(), StaffID: of, MadeSince: t.at.Add(-sessionMost),
		IdleSince: t.at.Add(-sessionIdle), Before: from.At, BeforeID: from.ID, Most: sessionsPerPage + 1})
	if err != nil {
		return SessionPage{}, err
	}
	var page SessionPage
	if len(rows) > sessionsPerPage {
		rows = rows[:sessionsPerPage]
		last := rows[len(rows)-1]
		raw, err := json.Marshal(sessionCursor{last.CreatedAt, last.ID})
		if err != nil {
			return page, err
		}
		page.Next = base64.RawURLEncoding.EncodeToString(raw)
	}
	for _, r := range rows {
		page.Rows = append(page.Rows, SessionRow{ID: r.ID, Person: Person{ID: r.StaffID, Name: r.Name, Role: r.Role}, IP: r.Ip, Agent: r.Agent,
			Since: r.CreatedAt, Last: r.LastSeenAt, Current: r.ID == t.actor.SessionID, Yours: r.StaffID == t.actor.ID})
	}
	return page, nil
}

// SessionEndOther ends another session of the actor's own, at once. A second time it changes nothing.
func (c *Clinic) SessionEndOther(ctx context.Context, a Actor, id uuid.UUID) error {
	return c.do(ctx, a, SessionEndOther, Subject{Kind: "session", ID: id}, func(t *tx) error {
		return t.endSession(ctx, id, &a.ID, "by_owner")
	})
}

// SessionEndAny ends anybody's session in the clinic, at once. A second time it changes nothing.
func (c *Clinic) SessionEndAny(ctx context.Context, a Actor, id uuid.UUID) error {
	return c.do(ctx, a, SessionEndAny, Subject{Kind: "session", ID: id}, func(t *tx) error {
		return t.endSession(ctx, id, nil, "by_admin")
	})
}

// SessionEndOthers ends all the actor's own sessions but this one, and says how many there were.
func (c *Clinic) SessionEndOthers(ctx context.Context, a Actor) (int, error) {
	n := 0
	err := c.do(ctx, a, SessionEndOthers, Subject{Kind: "staff", ID: a.ID}, func(t *tx) error {
		if err := t.endSessions(ctx, a.ID, "by_owner", a.SessionID); err != nil {
			return err
		}
		n = len(t.names)
		t.detail["sessions"] = n
		return nil
	})
	return n, err
}

// endSession ends one session of the clinic, and of the owner if one is given.
func (t *tx) endSession(ctx context.Context, id uuid.UUID, owner *uuid.UUID, reason string) error {
	s, err := t.SessionLock(ctx, db.SessionLockParams{ID: id, ClinicID: t.clinicID()})
	if err != nil {
		return found(err)
	}
	if owner != nil && s.StaffID != *owner {
		return notFound()
	}
	if s.EndedAt != nil {
		t.silent = true
		return nil
	}
	t.detail["staff"] = s.StaffID.String()
	t.sessionEnded(id)
	return t.Queries.SessionEnd(ctx, db.SessionEndParams{At: &t.at, Reason: &reason, ID: id, ClinicID: t.clinicID()})
}

// endSessions ends all of a person's sessions but one.
func (t *tx) endSessions(ctx context.Context, staff uuid.UUID, reason string, but uuid.UUID) error {
	ended, err := t.SessionsEndOf(ctx, db.SessionsEndOfParams{At: &t.at, Reason: &reason, StaffID: staff, ClinicID: t.clinicID(), But: but})
	for _, id := range ended {
		t.sessionEnded(id)
	}
	return err
}

// sessionEnded tells the open pages of a session to look at it again, and so to close.
func (t *tx) sessionEnded(id uuid.UUID) { t.names = append(t.names, "session-"+id.String()) }
