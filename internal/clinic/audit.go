package clinic

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"

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
	t.written++
	return t.line.append(e)
}

// appendTo adds the event to the arrays of one statement.
func (e event) appendTo(p *db.AuditAppendParams) error {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return err
	}
	rec, err := json.Marshal(e)
	if err != nil {
		return err
	}
	p.Ids, p.Ats, p.ClinicIds = append(p.Ids, e.ID), append(p.Ats, e.At), append(p.ClinicIds, e.ClinicID)
	p.ActorKinds, p.ActorIds, p.Roles = append(p.ActorKinds, string(e.ActorKind)), append(p.ActorIds, orZero(e.ActorID)), append(p.Roles, string(e.Role))
	p.SessionIds, p.Deeds, p.PatientIds = append(p.SessionIds, orZero(e.SessionID)), append(p.Deeds, string(e.Deed)), append(p.PatientIds, orZero(e.PatientID))
	p.SubjectKinds, p.SubjectIds = append(p.SubjectKinds, e.SubjectKind), append(p.SubjectIds, orZero(e.SubjectID))
	p.Outcomes, p.Reasons, p.Revs = append(p.Outcomes, e.Outcome), append(p.Reasons, e.Reason), append(p.Revs, orZero(e.Rev))
	p.Details, p.Recs = append(p.Details, detail), append(p.Recs, rec)
	p.Ips, p.Agents, p.RequestIds = append(p.Ips, e.IP), append(p.Agents, e.Agent), append(p.RequestIds, e.RequestID)
	return nil
}
