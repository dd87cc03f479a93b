package clinic

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/db"
)

// event is one line of the trail. Its JSON, in this order of fields, is the canonical record that the ledger hashes:
// fields are only ever added at the end, under a new Version.
type event struct {
	Version     int            `json:"v"`
	ID          uuid.UUID      `json:"id"`
	At          time.Time      `json:"at"`
	ClinicID    uuid.UUID      `json:"clinic"`
	ActorKind   ActorKind      `json:"actor_kind"`
	ActorID     *uuid.UUID     `json:"actor"`
	Role        Role           `json:"role"`
	SessionID   *uuid.UUID     `json:"session"`
	Deed        Deed           `json:"deed"`
	SubjectKind string         `json:"subject_kind"`
	SubjectID   *uuid.UUID     `json:"subject"`
	PatientID   *uuid.UUID     `json:"patient"`
	Outcome     string         `json:"outcome"`
	Reason      string         `json:"reason"`
	Rev         *int32         `json:"rev"`
	Detail      map[string]any `json:"detail"` // encoding/json sorts its keys
	IP          string         `json:"ip"`
	Agent       string         `json:"agent"`
	RequestID   string         `json:"request"`
}

func orNull(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

func (a Actor) event(d Deed, s Subject, at time.Time, outcome, reason string) event {
	return event{Version: 1, ID: newID(), At: at, ClinicID: a.ClinicID, ActorKind: a.Kind, ActorID: orNull(a.ID), Role: a.Role,
		SessionID: orNull(a.SessionID), Deed: d, SubjectKind: s.Kind, SubjectID: orNull(s.ID), PatientID: orNull(s.Patient),
		Outcome: outcome, Reason: reason, Detail: map[string]any{}, IP: short(a.IP), Agent: short(a.Agent), RequestID: short(a.RequestID)}
}

// short is how what a caller says about itself is kept: at most 200 bytes that Postgres takes.
func short(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s[:min(len(s), 200)], "\x00", ""), "")
}

// record writes the deed's own event. A deed whose helpers already wrote theirs (a delivery that moved) has done so.
func (t *tx) record(ctx context.Context) error {
	if t.written > 0 && t.subject.Kind == "delivery" {
		return nil
	}
	outcome := "done"
	if t.refusal != "" {
		outcome = "refused"
	}
	e := t.actor.event(t.deed, t.subject, t.at, outcome, t.refusal)
	e.Detail = t.detail
	if views[t.deed] && t.actor.SessionID != uuid.Nil {
		return t.recordView(ctx, e)
	}
	return t.write(ctx, e)
}

func (t *tx) recordView(ctx context.Context, e event) error {
	window := viewWindow
	if t.actor.Live {
		window = liveWindow
	}
	seen, err := t.AuditSeen(ctx, db.AuditSeenParams{SessionID: e.SessionID, Deed: string(e.Deed), SubjectID: e.SubjectID, Since: t.at.Add(-window)})
	if err != nil || seen {
		return err
	}
	return t.write(ctx, e)
}

func (t *tx) write(ctx context.Context, e event) error {
	p, err := e.params()
	if err != nil {
		return err
	}
	t.written++
	return t.later.AuditAppend(ctx, p)
}

func (e event) params() (db.AuditAppendParams, error) {
	rec, err := json.Marshal(e)
	if err != nil {
		return db.AuditAppendParams{}, err
	}
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return db.AuditAppendParams{}, err
	}
	return db.AuditAppendParams{ID: e.ID, At: e.At, ClinicID: e.ClinicID, ActorKind: string(e.ActorKind), ActorID: e.ActorID,
		Role: string(e.Role), SessionID: e.SessionID, Deed: string(e.Deed), SubjectKind: e.SubjectKind, SubjectID: e.SubjectID,
		PatientID: e.PatientID, Outcome: e.Outcome, Reason: e.Reason, Rev: e.Rev, Detail: detail, Ip: e.IP, Agent: e.Agent,
		RequestID: e.RequestID, Rec: rec}, nil
}

// refused writes a refusal in a transaction of its own. If even that cannot be written, the caller is still refused.
func (c *Clinic) refused(ctx context.Context, a Actor, d Deed, s Subject, reason string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	e := a.event(d, s, c.now().UTC().Truncate(time.Microsecond), "refused", reason)
	p, err := e.params()
	if err == nil {
		err = pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error { return db.New(tx).AuditAppend(ctx, p) })
	}
	if err != nil {
		slog.ErrorContext(ctx, "a refusal could not be written to the audit trail", "deed", string(d), "code", Code(err))
	}
}

// Refused puts a refusal on the trail that was decided outside a deed: a bad sign-in token, a forged webhook.
func (c *Clinic) Refused(ctx context.Context, a Actor, d Deed, reason string) {
	c.refused(ctx, a, d, Subject{}, reason)
}
