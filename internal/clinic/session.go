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

// Method is how often the identity provider vouches for somebody.
type Method string

// ByAssertion: with every request, as Cloudflare Access does. ByCode: once, when the session is opened, as OpenID
// providers do; the cookie vouches afterwards.
const (
	ByAssertion Method = "assertion"
	ByCode      Method = "code"
)

// Identity is a person as the identity provider vouched for them. TokenHash marks what a session is opened with, once.
// Of a person whom the cookie vouches for (ByCode), only Method and Issuer are known before the session is found.
type Identity struct {
	Method                       Method
	Issuer, Subject, Email, Name string
	SignedInAt                   time.Time // when the provider last saw them
	Anew                         bool      // the provider was asked to see them again for this sign-in, and did
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

// SessionOpen opens a session for a vouched person, and ends the one of the cookie that the browser had, if any. Unknown
// people are created without a role. What vouches opens one session: a second attempt is Unauthenticated with code
// token_used. A provider that remembers people does not open a session again that was ended: Unauthenticated with code
// sign_in_anew.
func (c *Clinic) SessionOpen(ctx context.Context, a Actor, id Identity, had string) (string, Actor, error) {
	cookie, hash := secret()
	err := c.do(ctx, a, SessionOpen, Subject{Kind: "session"}, func(t *tx) error {
		p, err := t.person(ctx, id)
		if err != nil {
			return err
		}
		sid := newID()
		t.actor = personActor(a, p.ID, p.ClinicID, uuid.Nil, RoleNobody, p.Name, p.Email, p.ClinicName, id.SignedInAt)
		if p.DisabledAt != nil {
			return refuse(Forbidden, "disabled", "This account has been switched off. If that is a mistake, ask an administrator.")
		}
		if err := t.seenSince(ctx, id); err != nil {
			return err
		}
		t.actor.Role, t.actor.SessionID, t.subject.ID = deref(p.Role), sid, sid
		t.detail["method"] = string(id.Method)
		if err := t.replaceSession(ctx, had); err != nil {
			return err
		}
		return t.SessionCreate(ctx, db.SessionCreateParams{ID: sid, ClinicID: p.ClinicID, StaffID: p.ID, TokenHash: hash,
			AssertionHash: id.TokenHash[:], SignedInAt: id.SignedInAt, CreatedAt: t.at, Method: string(id.Method), Ip: short(a.IP), Agent: short(a.Agent)})
	}, func(t *tx) { a = t.actor })
	if isUnique(err, "sessions_assertion_hash_clinic_id_key") {
		c.refused(ctx, a, SessionOpen, Subject{Kind: "session"}, "token_used")
		return "", a, refuse(Unauthenticated, "token_used", "This sign-in was used before. Please sign in again.")
	}
	return cookie, a, err
}

// seenSince: an unattended browser whose session has ended must not get another one by a click, because the provider
// still remembers who sat there. With Access that cannot be: its assertion has had its session.
func (t *tx) seenSince(ctx context.Context, id Identity) error {
	if id.Method != ByCode || id.Anew {
		return nil
	}
	ended, err := t.SessionEndedSince(ctx, db.SessionEndedSinceParams{ClinicID: t.actor.ClinicID, StaffID: t.actor.ID, SeenAt: &id.SignedInAt,
		MadeSince: id.SignedInAt.Add(-sessionMost), IdleSince: t.at.Add(-sessionIdle), SeenLessIdle: id.SignedInAt.Add(-sessionIdle)})
	if err == nil && ended {
		return refuse(Unauthenticated, "sign_in_anew", "Your last session has ended. Please say again who you are.")
	}
	return err
}

// replaceSession ends the session whose cookie the browser brought: a sign-in gives a new secret, and the old one is worth
// nothing from then on.
func (t *tx) replaceSession(ctx context.Context, had string) error {
	if had == "" {
		return nil
	}
	id, err := t.SessionReplace(ctx, db.SessionReplaceParams{At: &t.at, TokenHash: hashOf(had)})
	if noRows(err) {
		return nil
	}
	t.detail["replaced"] = id.String()
	t.sessionEnded(id)
	return err
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

// SessionFind turns a cookie into the actor behind it. The session must have been opened the way that people sign in now,
// and with Access the assertion of this request must be of the same person. touch is false for event streams and polling: they are not activity. Errors are Unauthenticated with code none, idle,
// absolute, ended or mismatch.
func (c *Clinic) SessionFind(ctx context.Context, a Actor, cookie string, id Identity, touch bool) (Actor, error) {
	if cookie == "" {
		return a, signedOut("none")
	}
	q := db.New(c.pool)
	s, err := q.SessionByToken(ctx, db.SessionByTokenParams{Marked: c.replica != nil, TokenHash: hashOf(cookie)})
	if noRows(err) {
		return a, signedOut("none")
	}
	if err != nil {
		return a, err
	}
	found := personActor(a, s.StaffID, s.ClinicID, s.ID, Role(s.Role), s.Name, s.Email, s.ClinicName, s.SignedInAt)
	found.seen = c.marked(s.Origin, s.At)
	now := c.now().UTC()
	switch {
	case s.EndedAt != nil:
		return a, signedOut(endedBy(s.EndReason))
	case s.Method != string(id.Method) || s.Issuer != id.Issuer || id.Method != ByCode && s.Subject != id.Subject:
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

// endedBy is why a session is over, for its person: who is told a second time that nobody was there shall not read that
// somebody else ended it. An open page's event stream is often told first.
func endedBy(reason *string) string {
	if reason != nil && (*reason == "idle" || *reason == "absolute") {
		return *reason
	}
	return "ended"
}

func signedOut(code string) error {
	return refuse(Unauthenticated, code, "You are signed out. Please sign in again.")
}

// SessionEnd ends the actor's own session.
func (c *Clinic) SessionEnd(ctx context.Context, a Actor, reason string) error {
	return c.do(ctx, a, SessionEnd, Subject{Kind: "session", ID: a.SessionID}, func(t *tx) error {
		t.detail["reason"] = reason
		t.sessionEnded(a.SessionID)
		return t.SessionEnd(ctx, db.SessionEndParams{At: &t.at, Reason: &reason, ID: a.SessionID, ClinicID: a.ClinicID})
	})
}
