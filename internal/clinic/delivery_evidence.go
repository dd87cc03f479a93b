package clinic

import (
	"context"

	"countersign/internal/db"
)

// alreadyOut looks, before a row that was tried before is claimed again, through the reports that are stored for it, and
// says whether one of them moved it on: then it is not sent again. Reports are folded as they come, under the lock that
// the claim holds too, so this finds something only where an earlier version left a report unfolded.
func (t *tx) alreadyOut(ctx context.Context, d *db.Delivery) (bool, error) {
	if tries(d) == 0 {
		return false, nil
	}
	reports, err := t.DeliveryEvidence(ctx, db.DeliveryEvidenceParams{DeliveryID: &d.ID, ClinicID: &d.ClinicID})
	if err != nil {
		return false, err
	}
	out := false
	for _, r := range reports {
		if fold(d.State, tries(d), r.State) == d.State {
			continue
		}
		if err := t.foldInto(ctx, d, Receipt{Provider: r.Provider, ProviderID: r.ProviderID, State: r.State, Code: r.Code}); err != nil {
			return false, err
		}
		out = true
	}
	return out, nil
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
