package clinic

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/ledger"
)

// AuditEvent is one event with all that is kept of it, and its proof.
type AuditEvent struct {
	AuditRow
	SessionID uuid.UUID
	Rev       int
	Proof     *ledger.Proof // nil: see Sealed and Wrong
	Under     Checkpoint    // the checkpoint that the proof leads to
	Signer    string        // who signed it
	Waits     bool          // it is not sealed yet
	Late      bool          // and should be by now
	Unproved  string        // why it could not be proved, as a sentence
}

// AuditShow is one event of the clinic's trail, proved now: its bytes as a leaf under the ledger's last checkpoint.
func (c *Clinic) AuditShow(ctx context.Context, a Actor, id uuid.UUID) (AuditEvent, error) {
	e, err := c.auditGet(ctx, a, AuditShow, id)
	if err != nil {
		return e, err
	}
	err = c.prove(ctx, &e)
	return e, err
}

// AuditProve is an event's offline proof, as a file: with the verifier key it is all that «countersign audit check-proof» needs.
// An event that waits to be sealed has none yet: Conflict.
func (c *Clinic) AuditProve(ctx context.Context, a Actor, id uuid.UUID) (file []byte, leaf int64, err error) {
	e, err := c.auditGet(ctx, a, AuditProve, id)
	if err == nil {
		err = c.prove(ctx, &e)
	}
	switch {
	case err != nil:
		return nil, 0, err
	case e.Waits:
		return nil, 0, refuse(Conflict, "not_sealed", "This event is not sealed yet. That takes a second or two.")
	case e.Proof == nil:
		return nil, 0, refuse(Conflict, "not_proved", e.Unproved)
	}
	file, err = json.Marshal(e.Proof)
	return append(file, '\n'), e.Proof.Leaf, err
}

func (c *Clinic) auditGet(ctx context.Context, a Actor, deed Deed, id uuid.UUID) (AuditEvent, error) {
	var e AuditEvent
	err := c.do(ctx, a, deed, Subject{Kind: "event", ID: id}, func(t *tx) error {
		r, err := t.AuditGet(ctx, db.AuditGetParams{ID: id, ClinicID: t.clinicID()})
		if err != nil {
			return found(err)
		}
		t.subject.Patient = orZero(r.PatientID)
		e.AuditRow = auditRow(db.AuditFindRow{ID: r.ID, At: r.At, ActorKind: r.ActorKind, ActorID: r.ActorID, Role: r.Role, Deed: r.Deed, SubjectKind: r.SubjectKind,
			SubjectID: r.SubjectID, PatientID: r.PatientID, Outcome: r.Outcome, Reason: r.Reason, Detail: r.Detail, Ip: r.Ip, Agent: r.Agent, RequestID: r.RequestID,
			Rec: r.Rec, ActorName: r.ActorName})
		e.SessionID, e.Rev = orZero(r.SessionID), int(orZero(r.Rev))
		one := []AuditRow{e.AuditRow}
		_, err = t.auditNames(ctx, one, uuid.Nil)
		e.AuditRow = one[0]
		return err
	})
	return e, err
}

// prove proves an event that the actor may see. That it cannot be proved is something to show, and no failure.
func (c *Clinic) prove(ctx context.Context, e *AuditEvent) error {
	p, err := c.LedgerProve(ctx, e.ID, c.known)
	switch {
	case err == nil:
		under, err := p.Check(c.known)
		e.Proof, e.Under, e.Signer = &p, under, signerOf(p.Checkpoint)
		return err
	case Code(err) == "not_sealed":
		e.Waits, e.Late = true, c.now().Sub(e.At) > auditLag
	case KindOf(err) == Conflict:
		e.Unproved = "This event could not be proved: the ledger is not what was signed, or this process does not know the key that it was signed with. Have the ledger verified."
	default:
		return err
	}
	return nil
}

// signerOf is the name of the key on a signed checkpoint, which has been verified.
func signerOf(note string) string {
	for line := range strings.Lines(note) {
		if rest, ok := strings.CutPrefix(line, "— "); ok {
			name, _, _ := strings.Cut(rest, " ")
			return name
		}
	}
	return ""
}

// auditLag is how long an event may wait for its seal before the screen says that something is wrong with it.
const auditLag = time.Minute
