package clinic

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"

	"countersign/internal/db"
)

// alreadyOut looks, before rows that were tried before are claimed again, through the reports that are stored for them, and
// says which of them were moved on by one: those are not sent again. Reports are folded as they come, under the lock that
// the claim holds too, so this finds something only where an earlier version left a report unfolded.
func (t *tx) alreadyOut(ctx context.Context, rows []db.DeliveriesTakeRow, asked map[uuid.UUID]*claim) (map[uuid.UUID]bool, error) {
	tried := map[uuid.UUID]*db.Delivery{}
	for i := range rows {
		if d := &rows[i].Delivery; tries(d) > 0 {
			tried[d.ID] = d
		}
	}
	if len(tried) == 0 {
		return nil, nil
	}
	reports, err := t.DeliveriesEvidence(ctx, slices.Collect(maps.Keys(tried)))
	out := map[uuid.UUID]bool{}
	for _, r := range reports {
		d := tried[r.DeliveryID]
		if fold(d.State, tries(d), r.State) == d.State {
			continue
		}
		out[d.ID] = true
		by := t.as(asked[d.ID].actor, Subject{Kind: "delivery", ID: d.ID})
		if err := by.foldInto(ctx, d, Receipt{Provider: r.Provider, ProviderID: r.ProviderID, State: r.State, Code: r.Code}); err != nil {
			return nil, err
		}
	}
	return out, err
}

// learnProviderID keeps the provider's id from a report that moves nothing, so that a later one which carries that id
// alone is known to be about this delivery, in whatever order they come.
func (t *tx) learnProviderID(d *db.Delivery, r Receipt) {
	if tries(d) == 0 || d.ProviderID != "" || r.ProviderID == "" {
		return
	}
	d.Provider, d.ProviderID, d.UpdatedAt = r.Provider, r.ProviderID, t.at
	t.line.save(d, d.Rev)
}

// afterAllWords tells, on the timeline, of evidence about a notice that was taken for not sent.
func afterAllWords(from, to string) string {
	if ranks[to] == 0 {
		return ""
	}
	switch from {
	case "queued":
		return "An earlier attempt had gone out after all, so it is not sent again."
	case "cancelled", "expired", "refused":
		return "An earlier attempt had gone out after all."
	}
	return ""
}
