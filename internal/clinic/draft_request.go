package clinic

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/drafting"
)

// DraftRequest writes down the wish for a draft; the relay and the worker carry it out. Conflict when one is under way
// or the message is past drafting; TooMany over the day's limits.
func (c *Clinic) DraftRequest(ctx context.Context, a Actor, id uuid.UUID, instruction string) error {
	return c.do(ctx, a, DraftRequest, Subject{Kind: "message", ID: id}, func(t *tx) error {
		m, b, err := t.lockMessage(ctx, id)
		if err != nil {
			return err
		}
		var f form
		instruction = f.text("instruction", "The instruction", instruction, 0, 500)
		if err := f.err(); err != nil {
			return err
		}
		if settled(m.Status) {
			return t.movedOn(ctx, m)
		}
		if err := t.withinLimits(ctx); err != nil {
			return err
		}
		br, _, _, err := t.lastBrief(ctx, b, id)
		if err != nil {
			return err
		}
		rid := newID()
		sealed := b.seal(instruction, "draft_requests", "instruction", rid)
		if b.err != nil {
			return b.err
		}
		err = t.DraftRequestCreate(ctx, db.DraftRequestCreateParams{ID: rid, ClinicID: m.ClinicID, MessageID: id, BriefVersion: br.Version,
			InstructionSealed: sealed, RequestedBy: a.ID, DoctorID: m.DoctorID, At: t.at})
		if isUnique(err, "draft_requests_one_live") {
			return refuse(Conflict, "under_way", "A draft is already being written. It will appear here by itself.")
		}
		if err != nil {
			return err
		}
		t.changed(id)
		t.detail["request"] = rid.String()
		t.nudges = append(t.nudges, Due{Deed: DraftWrite, ID: rid, Priority: int(m.Priority)})
		return nil
	})
}

// dayOf is when the day of a moment began, on the clinic's clock. Where the clocks go forward at midnight, that day begins at one.
func dayOf(at time.Time, zone *time.Location) time.Time {
	day := at.In(zone)
	began := time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	if began.Day() != day.Day() {
		began = began.Add(time.Hour)
	}
	return began
}

// withinLimits: the day is the clinic's, and a draft may not take the person past the budget.
func (t *tx) withinLimits(ctx context.Context) error {
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return err
	}
	if !cl.DraftingOn {
		return refuse(Conflict, "drafting_off", "This clinic has switched off drafting by the model. Write the message by hand: that always works.")
	}
	limits, err := t.draftLimits(ctx)
	if err != nil {
		return err
	}
	// Two requests at the same moment count one after the other.
	if _, err := t.StaffLock(ctx, db.StaffLockParams{ID: t.actor.ID, ClinicID: t.clinicID()}); err != nil {
		return err
	}
	start := dayOf(t.at, zoneOf(cl))
	u, err := t.DraftUsage(ctx, db.DraftUsageParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, DayStart: start})
	if err != nil {
		return err
	}
	limit := limitOf(limits, t.actor.Role)
	if int(u.Today) >= limit.Drafts {
		return refuse(TooMany, "drafts_a_day", fmt.Sprintf("You have asked for %d drafts today, which is the day's limit. You can still write by hand.", u.Today))
	}
	if u.CostToday+drafting.Cost(t.c.model, draftPrompt, draftAnswer) > limit.StopDay {
		return refuse(TooMany, "budget", "Your drafting budget for today is used up. You can still write by hand.")
	}
	return nil
}
