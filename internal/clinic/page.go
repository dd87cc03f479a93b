package clinic

import (
	"context"
	"crypto/subtle"
	"time"

	"countersign/internal/db"
)

// PageView is what a patient sees behind the link.
type PageView struct {
	ClinicName, ClinicPhone, EmergencyLine string
	Language                               string // of the page around the letter
	Zone                                   *time.Location
	Paragraphs                             []Text
	Written                                string // the letter's language, which is the patient's on file
	SignerName, SignerRole                 string
	SignedAt                               time.Time
	AcknowledgedAt                         *time.Time
}

func (c *Clinic) pageLink(token string) string { return c.baseURL + "/m/" + token }

// page makes the page behind the notice, or finds the one that the message has: every notice carries the same link. It
// can be read until a time that counts from when the notice is due.
func (t *tx) page(ctx context.Context, b *chest, m db.MessageLockRow, until time.Time, old *db.Page) (link string) {
	id, token, hash := newID(), "", []byte(nil)
	if old != nil {
		id, token, hash = old.ID, b.open(old.TokenSealed, "pages", "token", old.ID).Reveal(), old.TokenHash
	} else {
		token, hash = secret()
	}
	row := db.PageCreateParams{ID: id, ClinicID: m.ClinicID, MessageID: m.ID, PatientID: m.PatientID, TokenSealed: b.seal(token, "pages", "token", id),
		TokenHash: hash, ExpiresAt: until, CreatedAt: t.at}
	t.line.one(func(q *db.Queries) error { return q.PageCreate(ctx, row) })
	return t.c.pageLink(token)
}

// PageAsk is what stands on the form before any proof: the same for every token, so that a link tells nobody anything.
// It looks nothing up and changes nothing: mail scanners open links.
func (c *Clinic) PageAsk(ctx context.Context) (PageView, error) {
	cl, err := db.New(c.pool).ClinicFirst(ctx)
	if err != nil {
		return PageView{}, err
	}
	return PageView{ClinicName: cl.NoticeName, ClinicPhone: cl.Phone, EmergencyLine: cl.EmergencyLine, Language: "en", Zone: zoneOf(cl)}, nil
}

// errProof is the one refusal before proof, for every cause.
func errProof() error {
	return refuse(Unauthenticated, "proof", "That did not work. Please check the date of birth, or call the clinic. After five tries the link is locked.")
}

// PageProve checks a date of birth (2006-01-02) and opens a 15-minute session for the page. Every answer takes the
// same time; a wrong date, a wrong link, a locked one and too many tries all look the same.
func (c *Clinic) PageProve(ctx context.Context, a Actor, token, birthDate string) (cookie string, err error) {
	timer := time.NewTimer(c.times.Proof)
	defer timer.Stop()
	cookie, err = c.pageProve(ctx, a, token, birthDate)
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	return cookie, err
}

func (c *Clinic) pageProve(ctx context.Context, a Actor, token, birthDate string) (string, error) {
	cookie, right := "", false
	err := c.do(ctx, a.asPatient(), PageProve, Subject{Kind: "page"}, func(t *tx) error {
		pg, b, err := t.pageByToken(ctx, token)
		if err != nil {
			return err
		}
		// Tries on several links of one patient at the same moment count one after the other.
		if err := t.PageProofsLock(ctx, db.PageProofsLockParams{PatientID: pg.PatientID, ClinicID: pg.ClinicID}); err != nil {
			return err
		}
		wrong, err := t.PageProofsToday(ctx, db.PageProofsTodayParams{ClinicID: pg.ClinicID, PatientID: pg.PatientID, Since: t.at.Add(-24 * time.Hour)})
		if err != nil {
			return err
		}
		birth := b.open(pg.BirthDateSealed, "patients", "birth_date", pg.PatientID)
		if b.err != nil {
			return b.err
		}
		same := subtle.ConstantTimeCompare([]byte(birth.Reveal()), []byte(birthDate)) == 1
		right = same && pg.LockedAt == nil && wrong < proofsPerDay
		if err := t.PageProofAppend(ctx, db.PageProofAppendParams{ID: newID(), ClinicID: pg.ClinicID, PageID: pg.ID, PatientID: pg.PatientID, Ok: right, At: t.at}); err != nil {
			return err
		}
		if !right {
			t.refusal = "proof"
			return t.PageTried(ctx, db.PageTriedParams{At: t.at, ID: pg.ID, ClinicID: pg.ClinicID})
		}
		cookie, err = t.openPage(ctx, pg)
		return err
	})
	if err == nil && !right || KindOf(err) == NotFound {
		return "", errProof()
	}
	return cookie, err
}

// openPage begins the page session, and tells the doctor that the message was opened: if there is one to open. Who proved
// themselves on a link that has ended is let in to be told so.
func (t *tx) openPage(ctx context.Context, pg db.PageByTokenRow) (string, error) {
	cookie, hash := secret()
	if err := t.PageSessionCreate(ctx, db.PageSessionCreateParams{ID: newID(), ClinicID: pg.ClinicID, PageID: pg.ID, TokenHash: hash, ExpiresAt: t.at.Add(pageSession), At: t.at}); err != nil {
		return "", err
	}
	if pageEnded(pg, t.at) != nil {
		return cookie, nil
	}
	if err := t.PageOpened(ctx, db.PageOpenedParams{At: t.at, ID: pg.ID, ClinicID: pg.ClinicID}); err != nil {
		return "", err
	}
	t.changed(pg.MessageID)
	return cookie, t.foldPage(ctx, pg, "opened")
}

// pageEnded is what a patient who proved themselves reads in place of a message that is no longer there.
func pageEnded(pg db.PageByTokenRow, now time.Time) error {
	switch {
	case pg.MessageStatus != "approved" && pg.MessageStatus != "withdrawn":
		return refuse(NotFound, "in_review", "The clinic is looking at this message again. Please call if you have questions.")
	case pg.RevokedAt != nil || pg.MessageStatus != "approved":
		return refuse(NotFound, "withdrawn", "The clinic withdrew this message. Please call if you have questions.")
	case !pg.ExpiresAt.After(now):
		return refuse(NotFound, "expired", "This link has expired. Please call the clinic for a new one.")
	}
	return nil
}

// foldPage is evidence from the patient's own hands: whoever proved an opening got the notice.
func (t *tx) foldPage(ctx context.Context, pg db.PageByTokenRow, seen string) error {
	d, err := t.DeliveryOfMessage(ctx, db.DeliveryOfMessageParams{MessageID: &pg.MessageID, ClinicID: pg.ClinicID})
	if noRows(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := t.foldInto(ctx, &d, Receipt{State: seen}); err != nil {
		return err
	}
	if d.ContactID == nil {
		return nil
	}
	return t.ContactVerify(ctx, db.ContactVerifyParams{At: t.at, ID: *d.ContactID, ClinicID: d.ClinicID})
}

// pageByToken locks the page behind a token and makes its clinic and patient the deed's own.
func (t *tx) pageByToken(ctx context.Context, token string) (db.PageByTokenRow, *chest, error) {
	pg, err := t.PageByToken(ctx, hashOf(token))
	if err != nil {
		return pg, nil, found(err)
	}
	t.actor.ClinicID, t.subject = pg.ClinicID, Subject{Kind: "page", ID: pg.ID, Patient: pg.PatientID}
	b := t.c.chest(pg.PatientID, pg.Wrapped)
	return pg, b, b.err
}

// withPage runs fn for a proved page session. Unauthenticated when it is over or of another page, NotFound when the
// message was withdrawn or the link expired.
func (c *Clinic) withPage(ctx context.Context, a Actor, deed Deed, token, cookie string, fn func(*tx, db.PageByTokenRow, *chest) error) error {
	return c.do(ctx, a.asPatient(), deed, Subject{Kind: "page"}, func(t *tx) error {
		pg, b, err := t.pageByToken(ctx, token)
		if err == nil {
			var s db.PageSession
			s, err = t.PageSessionFind(ctx, db.PageSessionFindParams{TokenHash: hashOf(cookie), ClinicID: pg.ClinicID, PageID: pg.ID, At: t.at})
			t.actor.SessionID = s.ID
		}
		if noRows(err) || KindOf(err) == NotFound {
			return refuse(Unauthenticated, "page_session", "This page has closed. Please give your date of birth again.")
		}
		if err != nil {
			return err
		}
		if err := pageEnded(pg, t.at); err != nil {
			return err
		}
		return fn(t, pg, b)
	})
}

// PageRead is the message as the patient reads it. The signature over its exact text is checked first: what does not
// match what was signed is never shown.
func (c *Clinic) PageRead(ctx context.Context, a Actor, token, cookie string) (PageView, error) {
	var v PageView
	err := c.withPage(ctx, a, PageRead, token, cookie, func(t *tx, pg db.PageByTokenRow, b *chest) error {
		final := b.open(pg.FinalSealed, "messages", "final", pg.MessageID)
		if b.err != nil {
			return b.err
		}
		s := signature{message: pg.MessageID, text: final.Reveal(), evidence: pg.FinalEvidence, signer: *pg.SignerID, name: *pg.SignerName, role: *pg.SignerRole, at: *pg.SignedAt}
		if !c.holds(pg.FinalMac, s) {
			return refuse(Internal, "signature", "This message could not be verified, so it is not shown. Please call the clinic.")
		}
		v = PageView{ClinicName: pg.NoticeName, ClinicPhone: pg.ClinicPhone, EmergencyLine: pg.EmergencyLine, Language: pg.Language, Written: pg.Language,
			Zone: zoneOf(db.Clinic{TimeZone: pg.ClinicZone}), SignerName: *pg.SignerName, SignerRole: *pg.SignerRole, SignedAt: *pg.SignedAt, AcknowledgedAt: pg.AcknowledgedAt}
		for _, p := range plainParagraphs(final.Reveal()) {
			v.Paragraphs = append(v.Paragraphs, p.Pieces[0].Text)
		}
		return nil
	})
	return v, err
}

// PageAcknowledge is the patient's "I have read this".
func (c *Clinic) PageAcknowledge(ctx context.Context, a Actor, token, cookie string) error {
	return c.withPage(ctx, a, PageAcknowledge, token, cookie, func(t *tx, pg db.PageByTokenRow, _ *chest) error {
		n, err := t.PageAcknowledged(ctx, db.PageAcknowledgedParams{At: &t.at, ID: pg.ID, ClinicID: pg.ClinicID})
		if err != nil || n == 0 {
			t.silent = true
			return err
		}
		t.changed(pg.MessageID)
		return t.foldPage(ctx, pg, "acknowledged")
	})
}
