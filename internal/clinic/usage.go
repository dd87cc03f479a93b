package clinic

import (
	"context"
	"time"

	"github.com/google/uuid"

	"countersign/internal/db"
	"countersign/internal/drafting"
)

// UsageDay is what one day's drafts came to.
type UsageDay struct {
	Day    time.Time // its beginning, on the clinic's clock
	Drafts int
	Cost   int64
}

// UsagePerson is what one person asked for: in the month, and today where the month is this one.
type UsagePerson struct {
	ID              uuid.UUID
	Name            string
	Role            Role
	Disabled        bool
	Today, Drafts   int
	CostToday, Cost int64
	Limit           DraftLimit
	State, Level    string
}

// UsageModel is what one model wrote. An empty name: the request ended before any model was asked.
type UsageModel struct {
	Model                          string
	Drafts, Failed                 int
	PromptTokens, CompletionTokens int64
	Cost                           int64
	Price                          drafting.Price
}

// UsageView is the page: a month, or this one with the last days before it.
type UsageView struct {
	Month           time.Time // its first moment
	This            bool      // it is the month of today
	Months          []time.Time
	Days            []UsageDay
	People          []UsagePerson
	Models          []UsageModel
	Today, Drafts   int
	CostToday, Cost int64
	Over            int // people who are over a budget, or stopped
	Limits          []DraftLimit
}

// monthsShown is how many months there are to choose from.
const monthsShown = 12

// UsageShow is what drafting cost in a month ("2026-11"; else this one): by day, by person against their budgets, and by model.
func (c *Clinic) UsageShow(ctx context.Context, a Actor, month string) (UsageView, error) {
	return list(ctx, c, a, UsageShow, Subject{Kind: "usage"}, func(t *tx, v *UsageView) error {
		cl, err := t.clinicOf(ctx, t.clinicID())
		if err != nil {
			return found(err)
		}
		if v.Limits, err = t.draftLimits(ctx); err != nil {
			return err
		}
		zone := zoneOf(cl)
		today := dayOf(t.at, zone)
		v.choose(month, today)
		if err := t.usageDays(ctx, v, today, zone); err != nil {
			return err
		}
		if err := t.usagePeople(ctx, v, today); err != nil {
			return err
		}
		return t.usageModels(ctx, v)
	})
}

// choose reads the month, of those that are offered.
func (v *UsageView) choose(month string, today time.Time) {
	first := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, today.Location())
	v.Month, v.This = first, true
	for i := range monthsShown {
		m := first.AddDate(0, -i, 0)
		v.Months = append(v.Months, m)
		if m.Format("2006-01") == month {
			v.Month, v.This = m, i == 0
		}
	}
}

// usageDays are the days of the month, or the last ones up to today; a day without a draft is there too.
func (t *tx) usageDays(ctx context.Context, v *UsageView, today time.Time, zone *time.Location) error {
	since, until := v.Month, v.Month.AddDate(0, 1, 0)
	if v.This {
		since, until = today.AddDate(0, 0, 1-usageDays), today.AddDate(0, 0, 1)
	}
	rows, err := t.UsageByDay(ctx, db.UsageByDayParams{Zone: zone.String(), ClinicID: t.clinicID(), Since: since, Until: until})
	if err != nil {
		return err
	}
	of := map[string]db.UsageByDayRow{}
	for _, r := range rows {
		of[r.Day] = r
	}
	for day := since; day.Before(until); day = day.AddDate(0, 0, 1) {
		r := of[day.Format(time.DateOnly)]
		v.Days = append(v.Days, UsageDay{Day: day, Drafts: int(r.Drafts), Cost: r.Cost})
	}
	return nil
}

func (t *tx) usagePeople(ctx context.Context, v *UsageView, today time.Time) error {
	rows, err := t.UsageByPerson(ctx, db.UsageByPersonParams{DayStart: today, ClinicID: t.clinicID(), Since: v.Month, Until: v.Month.AddDate(0, 1, 0), RowLimit: usagePeople})
	for _, r := range rows {
		p := UsagePerson{ID: r.ID, Name: r.Name, Role: Role(r.Role), Disabled: r.Disabled, Today: int(r.Today), Drafts: int(r.Drafts), CostToday: r.CostToday, Cost: r.Cost,
			Limit: limitOf(v.Limits, Role(r.Role))}
		p.State, p.Level = p.Limit.state(p.Today, p.CostToday, p.Cost)
		if p.Level == BudgetWarn || p.Level == BudgetStopped {
			v.Over++
		}
		v.Today, v.Drafts, v.CostToday, v.Cost = v.Today+p.Today, v.Drafts+p.Drafts, v.CostToday+p.CostToday, v.Cost+p.Cost
		v.People = append(v.People, p)
	}
	return err
}

func (t *tx) usageModels(ctx context.Context, v *UsageView) error {
	rows, err := t.UsageByModel(ctx, db.UsageByModelParams{ClinicID: t.clinicID(), Since: v.Month, Until: v.Month.AddDate(0, 1, 0)})
	for _, r := range rows {
		v.Models = append(v.Models, UsageModel{Model: r.Model, Drafts: int(r.Drafts), Failed: int(r.Failed), PromptTokens: r.PromptTokens,
			CompletionTokens: r.CompletionTokens, Cost: r.Cost, Price: drafting.PriceOf(r.Model)})
	}
	return err
}
