package clinic

import (
	"context"
	"time"

	"countersign/internal/db"
)

// How far back the rules look: at refusals, and at what one person reads.
const (
	alertRecent = 15 * time.Minute
	alertHour   = time.Hour
)

// alertSigns measures what the rules look at. What is well may be missing.
func (t *tx) alertSigns(ctx context.Context) (map[alertKey]float64, error) {
	signs := map[alertKey]float64{}
	var p db.AlertSignsParams
	p.At = t.at
	for _, l := range standardLimits() {
		p.Roles, p.Stops = append(p.Roles, string(l.Role)), append(p.Stops, l.StopDay)
	}
	rows, err := t.AlertSigns(ctx, p)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		signs[alertKey{r.Rule, r.ClinicID, r.Subject}] = r.Value
	}
	strangers, err := t.AlertStrangers(ctx, t.at.Add(-alertRecent))
	if err != nil {
		return nil, err
	}
	for _, r := range strangers {
		signs[alertKey{rule: r.Rule, clinicID: r.ClinicID}] = r.Value
	}
	of := db.AlertPeopleParams{Recent: t.at.Add(-alertRecent), Since: t.at.Add(-alertHour)}
	for deed := range views {
		of.Looks = append(of.Looks, string(deed))
	}
	people, err := t.AlertPeople(ctx, of)
	if err != nil {
		return nil, err
	}
	for _, r := range people {
		for rule, value := range map[string]float64{"person_refused": r.Refused, "ids_tried": r.Ids, "mass_views": r.Patients, "mass_exports": r.Exports} {
			signs[alertKey{rule, r.ClinicID, r.ID.String()}] = value
		}
	}
	return signs, t.figureSigns(ctx, signs)
}
