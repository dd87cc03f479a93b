package clinic

import (
	"context"
	"crypto/hmac"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"countersign/internal/check"
	"countersign/internal/db"
)

// examined is a draft as the actor would sign it, and what the checks say to it now.
type examined struct {
	text    string
	subject check.Subject
	report  check.Report
}

// examine runs the checks on the current draft with the sign-off of whoever would sign: settings, brief and patients
// may have changed since it was saved.
func (t *tx) examine(ctx context.Context, b *chest, m db.MessageLockRow) (examined, error) {
	var e examined
	d, err := t.DraftGet(ctx, db.DraftGetParams{ID: *m.DraftID, ClinicID: m.ClinicID})
	if err != nil {
		return e, err
	}
	e.text = b.open(d.TextSealed, "drafts", "text", d.ID).Reveal()
	if e.subject, err = t.checkSubject(ctx, b, m, e.text); err != nil {
		return e, err
	}
	if t.actor.Can(ReviewApprove) {
		if e.subject.SignOff, err = t.signOffOf(ctx, t.actor); err != nil {
			return e, err
		}
	}
	e.report = check.Run(e.subject)
	return e, nil
}

// ReviewApprove countersigns: it runs the checks on the exact text again, seals text, recipient, channel, checks and
// acknowledgements under one signature, and writes the delivery that promises the notice, all in one transaction.
// text, if not nil, replaces the draft first. Conflict names who was faster; Invalid says what still needs an answer;
// Forbidden with SignInAgain asks for a fresh sign-in.
func (c *Clinic) ReviewApprove(ctx context.Context, a Actor, id uuid.UUID, version int, text *string) error {
	return c.do(ctx, a, ReviewApprove, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		if err := t.readToSign(ctx, m); err != nil {
			return err
		}
		r, err := t.openReview(ctx, m, version)
		if err != nil {
			return err
		}
		rule := approval{status: m.Status, submitter: r.SubmittedBy, needsDoctor: m.Kind == "clinical"}
		if err := approvable(a, rule); err != nil {
			return err
		}
		if err := t.fresh(ctx); err != nil {
			return err
		}
		if text != nil {
			if m, err = t.rewrite(ctx, b, m, *text); err != nil {
				return err
			}
			if err := t.readToSign(ctx, m); err != nil {
				return err
			}
		}
		e, err := t.examine(ctx, b, m)
		if err != nil {
			return err
		}
		rule.needsDoctor = check.NeedsDoctor(m.Kind, e.subject.Brief, e.report)
		if err := approvable(a, rule); err != nil {
			return err
		}
		contact, err := t.reachable(ctx, m)
		if err != nil {
			return err
		}
		before, err := t.promised(ctx, m)
		if err != nil {
			return err
		}
		signed, err := t.sign(ctx, b, m, e, contact)
		if err != nil {
			return err
		}
		if err := t.closeReview(ctx, b, r, "approved", "", *m.DraftID); err != nil {
			return err
		}
		t.changed(id)
		return t.deliverNotice(ctx, b, signed, contact, before)
	})
}

// rewrite saves the signer's own edit as a version before it is signed.
func (t *tx) rewrite(ctx context.Context, b *chest, m db.MessageLockRow, text string) (db.MessageLockRow, error) {
	text, err := draftText(text)
	if err != nil {
		return m, err
	}
	if err := t.saveText(ctx, b, m, text); err != nil {
		return m, err
	}
	t.silent = false
	m, _, err = t.lockMessage(ctx, m.ID)
	return m, err
}

// settled: nothing blocks, and the signer has answered each finding that asks.
func (e examined) settled(k acks) error {
	if len(e.report.Blocking()) > 0 {
		return blocked(e.report)
	}
	open := e.report.Unanswered(k.mine)
	switch len(open) {
	case 0:
		return nil
	case 1:
		return &Error{Kind: Invalid, Code: "findings", Sentence: "One finding still needs your answer before you sign."}
	}
	return &Error{Kind: Invalid, Code: "findings", Sentence: fmt.Sprintf("%d findings still need your answer before you sign.", len(open))}
}

// sign seals the exact bytes onto the message, with the signer's own sign-off, and returns the message as signed.
func (t *tx) sign(ctx context.Context, b *chest, m db.MessageLockRow, e examined, contact db.ContactsOfPatientRow) (db.MessageLockRow, error) {
	k, err := t.acks(ctx, m.ID)
	if err != nil {
		return m, err
	}
	if err := e.settled(k); err != nil {
		return m, err
	}
	evidence, err := json.Marshal(e.evidence(m, contact, k))
	if err != nil {
		return m, err
	}
	s := signature{message: m.ID, text: e.text + "\n\n" + e.subject.SignOff, evidence: evidence, signer: t.actor.ID, name: t.actor.Name,
		role: string(t.actor.Role), at: t.at}
	sealed := b.seal(s.text, "messages", "final", m.ID)
	if b.err != nil {
		return m, b.err
	}
	mac := t.c.mac(s)
	t.detail["draft"], t.detail["checks"], t.detail["signature"] = m.DraftID.String(), e.report.Ran, hex.EncodeToString(mac)
	row := db.MessageSignParams{FinalSealed: sealed, FinalEvidence: evidence, FinalMac: mac, SignerID: &s.signer, SignerName: &s.name,
		SignerRole: &s.role, At: &t.at, ID: m.ID, ClinicID: m.ClinicID, Version: m.Version}
	t.line.one(func(q *db.Queries) error { return only(q.MessageSign(ctx, row)) })
	m.Version++
	return m, nil
}

// evidence is what is signed together with the text: where it goes, what the checks said and who answered what.
// It holds ids, codes and hashes, and no text.
type evidence struct {
	Channel   string    `json:"channel"`
	Recipient string    `json:"recipient"` // the address's index, in hex
	Draft     uuid.UUID `json:"draft"`
	Ran       int       `json:"ran"`
	Findings  []finding `json:"findings"`
	Answers   []answer  `json:"answers"`
}

type finding struct {
	Check string `json:"check"`
	Key   string `json:"key"`
	Level string `json:"level"`
}

type answer struct {
	Key string    `json:"key"`
	By  uuid.UUID `json:"by"`
	At  time.Time `json:"at"`
}

func (e examined) evidence(m db.MessageLockRow, contact db.ContactsOfPatientRow, k acks) evidence {
	out := evidence{Channel: m.Channel, Recipient: hex.EncodeToString(contact.AddressIndex), Draft: *m.DraftID, Ran: e.report.Ran,
		Findings: []finding{}, Answers: []answer{}}
	for _, f := range e.report.Findings {
		out.Findings = append(out.Findings, finding{f.Check, f.Key, f.Level.String()})
	}
	for _, r := range k.rows {
		out.Answers = append(out.Answers, answer{r.FindingKey, r.StaffID, r.At.UTC()})
	}
	return out
}

// addressedTo says whether this is where the signer let the notice go.
func addressedTo(signed []byte, channel string, recipient []byte) bool {
	var e evidence
	return json.Unmarshal(signed, &e) == nil && e.Channel == channel && e.Recipient == hex.EncodeToString(recipient)
}

// signature is all that one countersignature binds together. It is checked when the notice goes out and at each view.
type signature struct {
	message    uuid.UUID
	text       string
	evidence   []byte
	signer     uuid.UUID
	name, role string
	at         time.Time
}

func (c *Clinic) mac(s signature) []byte {
	return c.keys.MAC("final", s.message[:], []byte(s.text), s.evidence, s.signer[:], []byte(s.name), []byte(s.role),
		[]byte(s.at.UTC().Format(time.RFC3339Nano)))
}

func (c *Clinic) holds(mac []byte, s signature) bool { return hmac.Equal(mac, c.mac(s)) }
