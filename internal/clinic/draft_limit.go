package clinic

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// DraftLimit is what one person of a role may ask of the model. Money is in millionths of a US dollar; a second warning comes
// at double of each first one.
type DraftLimit struct {
	Role                        Role
	Drafts                      int // a day
	WarnDay, WarnMonth, StopDay int64
}

// What a limit may be set to.
const (
	draftsMost   = 1000
	dayMost      = 1_000_000_000
	monthMost    = 20_000_000_000
	microsOfCent = 10_000
)

// standardLimits are those of a clinic that has not changed them.
func standardLimits() []DraftLimit {
	return []DraftLimit{
		{Staff, 50, 1_000_000, 20_000_000, 4_000_000},
		{Reviewer, 75, 2_000_000, 50_000_000, 8_000_000},
		{Doctor, 100, 5_000_000, 100_000_000, 20_000_000},
	}
}

func limitOf(all []DraftLimit, r Role) DraftLimit {
	for _, l := range all {
		if l.Role == r {
			return l
		}
	}
	return DraftLimit{Role: r}
}

// draftLimits are those in force.
func (t *tx) draftLimits(ctx context.Context) ([]DraftLimit, error) {
	rows, err := t.DraftLimits(ctx, t.clinicID())
	all := standardLimits()
	for _, r := range rows {
		for i := range all {
			if all[i].Role == Role(r.Role) {
				all[i] = DraftLimit{Role(r.Role), int(r.DraftsADay), r.WarnDay, r.WarnMonth, r.StopDay}
			}
		}
	}
	return all, err
}

func limitRows(clinicID uuid.UUID, limits []DraftLimit) db.DraftLimitsPutParams {
	p := db.DraftLimitsPutParams{ClinicID: clinicID}
	for _, l := range limits {
		p.Roles, p.Drafts = append(p.Roles, string(l.Role)), append(p.Drafts, int32(l.Drafts))
		p.WarnDays, p.WarnMonths, p.StopDays = append(p.WarnDays, l.WarnDay), append(p.WarnMonths, l.WarnMonth), append(p.StopDays, l.StopDay)
	}
	return p
}

// check says beside the fields what is wrong with a role's limits. An amount of less than 0 could not be read.
func (l DraftLimit) check(v *form) {
	role := string(l.Role)
	if l.Drafts < 0 || l.Drafts > draftsMost {
		v.bad(role+"_drafts", fmt.Sprintf("Please give a number of drafts between 0 and %d.", draftsMost))
	}
	amount := func(field string, micro, most int64) {
		if micro < microsOfCent || micro > most || micro%microsOfCent != 0 {
			v.bad(role+field, "Please give an amount in dollars, such as 4 or 2.50, at most "+Money(most)+".")
		}
	}
	amount("_warn_day", l.WarnDay, dayMost)
	amount("_warn_month", l.WarnMonth, monthMost)
	amount("_stop_day", l.StopDay, dayMost)
	if l.WarnDay > l.StopDay {
		v.bad(role+"_stop_day", "Drafting would stop before the warning of "+Money(l.WarnDay)+".")
	}
	if l.WarnDay > l.WarnMonth {
		v.bad(role+"_warn_month", "A month's warning is not under a day's.")
	}
}

// Levels of a budget, from the best to the worst.
const (
	BudgetFine     = "good"
	BudgetWarn     = "ask"
	BudgetStopped  = "stop"
	budgetCritical = 2 // times the warning
)

// state says in words how what was spent stands to the limits, and how grave it is.
func (l DraftLimit) state(drafts int, day, month int64) (words, level string) {
	switch {
	case l.WarnDay == 0:
		return "asks for no drafts", ""
	case drafts >= l.Drafts:
		return "stopped: no drafts left today", BudgetStopped
	case day >= l.StopDay:
		return "stopped: today’s budget is used up", BudgetStopped
	case day >= budgetCritical*l.WarnDay:
		return "far over today’s budget", BudgetStopped
	case month >= budgetCritical*l.WarnMonth:
		return "far over the month’s budget", BudgetStopped
	case day >= l.WarnDay:
		return "over today’s budget", BudgetWarn
	case month >= l.WarnMonth:
		return "over the month’s budget", BudgetWarn
	}
	return "within budget", BudgetFine
}

// Money is an amount as people write it: "$1.42". What is less than a cent and not nothing is said so.
func Money(micro int64) string {
	if micro > 0 && micro < microsOfCent {
		return "under $0.01"
	}
	cents := (micro + microsOfCent/2) / microsOfCent
	return fmt.Sprintf("$%d.%02d", cents/100, cents%100)
}
