package clinic

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// Identity is a person as the identity provider vouched for them. TokenHash is the SHA-256 of the assertion.
type Identity struct {
	Issuer, Subject, Email, Name string
	IssuedAt                     time.Time
	TokenHash                    [32]byte
}

// secret makes 256 random bits for a cookie or link, and the hash that is stored.
func secret() (plain string, hash []byte) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // crypto/rand never fails: it aborts the program
	plain = base64.RawURLEncoding.EncodeToString(raw)
	return plain, hashOf(plain)
}

func hashOf(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }

// SessionOpen opens a session for a vouched person. Unknown people are created without a role. One assertion opens one
// session: a second attempt is Unauthenticated with code token_used.
func (c *Clinic) SessionOpen(ctx context.Context, a Actor, id Identity) (string, Actor, error) {
	cookie, hash := secret()
	err := c.do(ctx, a, SessionOpen, Subject{Kind: "session"}, func(t *tx) error {
		p, err := t.person(ctx, id)
		if err != nil {
			return err
		}
		if p.DisabledAt != nil {
			t.actor.ClinicID, t.actor.ID = p.ClinicID, p.ID
			return refuse(Forbidden, "disabled", "This account has been switched off. If that is a mistake, ask an administrator.")
		}
		sid := newID()
		t.actor = personActor(a, p.ID, p.ClinicID, sid, deref(p.Role), p.Name, p.Email, p.ClinicName, id.IssuedAt)
		t.subject.ID = sid
		return t.SessionCreate(ctx, db.SessionCreateParams{ID: sid, ClinicID: p.ClinicID, StaffID: p.ID, TokenHash: hash,
			AssertionHash: id.TokenHash[:], SignedInAt: id.IssuedAt, CreatedAt: t.at})
	}, func(t *tx) { a = t.actor })
	if isUnique(err, "sessions_assertion_hash_clinic_id_key") {
		c.refused(ctx, a, SessionOpen, Subject{Kind: "session"}, "token_used")
		return "", a, refuse(Unauthenticated, "token_used", "This sign-in was used before. Please sign in again.")
	}
	return cookie, a, err
}

// person finds who the identity is, or writes them down without a role in the first clinic.
func (t *tx) person(ctx context.Context, id Identity) (db.StaffByIdentityRow, error) {
	p, err := t.StaffByIdentity(ctx, db.StaffByIdentityParams{Issuer: id.Issuer, Subject: id.Subject})
	if !noRows(err) {
		return p, err
	}
	clinic, err := t.ClinicFirst(ctx)
	if noRows(err) {
		return p, refuse(Unavailable, "no_clinic", "This installation has no clinic yet. Run countersign seed, or ask whoever deployed it.")
	}
	if err != nil {
		return p, err
	}
	p = db.StaffByIdentityRow{ID: newID(), ClinicID: clinic.ID, Issuer: id.Issuer, Subject: id.Subject, Email: tidy(id.Email), Name: tidy(id.Name), ClinicName: clinic.Name}
	if p.Name == "" {
		p.Name = p.Email
	}
	err = t.StaffCreate(ctx, db.StaffCreateParams{ID: p.ID, ClinicID: p.ClinicID, Issuer: p.Issuer, Subject: p.Subject,
		Email: p.Email, Name: p.Name, CreatedAt: t.at})
	if err != nil {
		return p, err
	}
	// Two first requests at once write one person: the later one reads the earlier one's.
	return t.StaffByIdentity(ctx, db.StaffByIdentityParams{Issuer: id.Issuer, Subject: id.Subject})
}

func personActor(a Actor, id, clinicID, session uuid.UUID, role Role, name, email, clinicName string, signedIn time.Time) Actor {
	a.Kind, a.ID, a.ClinicID, a.SessionID, a.Role = ActorPerson, id, clinicID, session, role
	a.Name, a.Email, a.ClinicName, a.SignedInAt = name, email, clinicName, signedIn
	return a
}

func deref(role *string) Role {
	if role == nil {
		return RoleNobody
	}
	return Role(*role)
}

// SessionFind turns a cookie into the actor behind it. The assertion of this request must be of the same person. touch
// is false for event streams and polling: they are not activity. Errors are Unauthenticated with code none, idle,
// absolute, ended or mismatch.
func (c *Clinic) SessionFind(ctx context.Context, a Actor, cookie string, id Identity, touch bool) (Actor, error) {
	if cookie == "" {
		return a, signedOut("none")
	}
	q := db.New(c.pool)
	s, err := q.SessionByToken(ctx, hashOf(cookie))
	if noRows(err) {
		return a, signedOut("none")
	}
	if err != nil {
		return a, err
	}
	found := personActor(a, s.StaffID, s.ClinicID, s.ID, Role(s.Role), s.Name, s.Email, s.ClinicName, s.SignedInAt)
	now := c.now().UTC()
	switch {
	case s.EndedAt != nil:
		return a, signedOut("ended")
	case s.Issuer != id.Issuer || s.Subject != id.Subject:
		c.refused(ctx, found, SessionOpen, Subject{Kind: "session", ID: s.ID}, "mismatch")
		return a, signedOut("mismatch")
	case s.DisabledAt != nil:
		return a, c.expire(ctx, found, "ended")
	case now.Sub(s.CreatedAt) > sessionMost:
		return a, c.expire(ctx, found, "absolute")
	case now.Sub(s.LastSeenAt) > sessionIdle:
		return a, c.expire(ctx, found, "idle")
	}
	if touch && now.Sub(s.LastSeenAt) > touchEvery {
		err = q.SessionTouch(ctx, db.SessionTouchParams{At: now, ID: s.ID, ClinicID: s.ClinicID})
	}
	return found, err
}

func (c *Clinic) expire(ctx context.Context, a Actor, reason string) error {
	if err := c.SessionEnd(ctx, a, reason); err != nil {
		return err
	}
	return signedOut(reason)
}

func signedOut(code string) error {
	return refuse(Unauthenticated, code, "You are signed out. Please sign in again.")
}

// SessionEnd ends the actor's own session.
func (c *Clinic) SessionEnd(ctx context.Context, a Actor, reason string) error {
	return c.do(ctx, a, SessionEnd, Subject{Kind: "session", ID: a.SessionID}, func(t *tx) error {
		t.detail["reason"] = reason
		return t.SessionEnd(ctx, db.SessionEndParams{At: &t.at, Reason: &reason, ID: a.SessionID, ClinicID: a.ClinicID})
	})
}
