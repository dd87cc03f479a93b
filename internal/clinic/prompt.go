package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
	"countersign/internal/drafting"
)

// PromptUse is one version of the prompt, what changed with it, and what became of what was written under it.
type PromptUse struct {
	drafting.PromptVersion
	Current                               bool
	Messages, Signed, Untouched, Returned int
	Cost                                  int64 // of one message's drafts, on average
	First, Last                           time.Time
}

// Rates in whole percent: of what was signed, how much nobody had touched; of all, how much a reviewer returned. -1: of nothing.
func (p PromptUse) UntouchedRate() int { return percent(p.Untouched, p.Signed) }

// ReturnedRate is documented with UntouchedRate.
func (p PromptUse) ReturnedRate() int { return percent(p.Returned, p.Messages) }

func percent(part, of int) int {
	if of == 0 {
		return -1
	}
	return (part*100 + of/2) / of
}

// PromptList is every version of the prompt, the newest first, with how its drafts of the last year fared. A message counts
// for the version of the last draft that the model wrote for it.
func (c *Clinic) PromptList(ctx context.Context, a Actor) ([]PromptUse, error) {
	return list(ctx, c, a, PromptList, Subject{Kind: "prompt"}, func(t *tx, all *[]PromptUse) error {
		rows, err := t.PromptsUsed(ctx, db.PromptsUsedParams{ClinicID: t.clinicID(), Since: t.at.AddDate(0, 0, -promptDays)})
		if err != nil {
			return err
		}
		used := map[string]db.PromptsUsedRow{}
		for _, r := range rows {
			used[r.PromptVersion] = r
		}
		for _, v := range drafting.PromptVersions() {
			*all = append(*all, promptUse(v, used[v.ID]))
			delete(used, v.ID)
		}
		for _, r := range rows { // of a version that this program does not know, such as a newer one's
			if _, left := used[r.PromptVersion]; left {
				*all = append(*all, promptUse(drafting.PromptVersion{ID: r.PromptVersion}, r))
			}
		}
		return nil
	})
}

func promptUse(v drafting.PromptVersion, r db.PromptsUsedRow) PromptUse {
	return PromptUse{PromptVersion: v, Current: v.ID == drafting.CurrentPrompt(), Messages: int(r.Messages), Signed: int(r.Signed), Untouched: int(r.Untouched),
		Returned: int(r.Returned), Cost: r.Cost, First: r.FirstAt, Last: r.LastAt}
}
