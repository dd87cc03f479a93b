package clinic

import (
	"context"
	"strconv"
	"time"

	"countersign/internal/alert"
	"countersign/internal/db"
)

// What those who watch over others see at home: alerts, the trail's last verification, and access reviews.

// homeAlerts is what fires: how much, and of it what stands first in the table of rules.
func (t *tx) homeAlerts(ctx context.Context) (Figure, error) {
	f := Figure{Label: "Alerts firing", Note: "none", Href: "/alerts"}
	rows, err := t.HomeAlerts(ctx, db.HomeAlertsParams{ClinicID: t.clinicID(), At: t.at})
	firing, waiting, of := 0, 0, map[string]bool{}
	for _, r := range rows {
		firing, waiting, of[r.Rule] = firing+int(r.Firing), waiting+int(r.Waiting), true
	}
	f.Value = strconv.Itoa(firing)
	if firing > 0 {
		f.Level, f.Note = "ask", "somebody is at it"
	}
	if waiting > 0 {
		f.Level = "stop"
	}
	for _, rule := range alert.Rules {
		if of[rule.Name] {
			f.Note = rule.Title
			break
		}
	}
	return f, err
}

// verified is what the last verification of the trail came to, and how long ago.
func verified(n db.HomeOfAuditorRow, now time.Time) Figure {
	f := Figure{Label: "Trail last verified", Value: "never", Level: "ask", Href: "/audit/verify"}
	if n.FinishedAt == nil {
		return f
	}
	f.Value, f.Note = map[string]string{"clean": "clean", "tampered": "tampered", "failed": "failed"}[n.Outcome], spell(now.Sub(*n.FinishedAt))+" ago"
	switch n.Outcome {
	case "clean":
		f.Level = ""
	case "tampered":
		f.Level = "stop"
	}
	return f
}

// accessFigure is how many weekly access reviews wait for a signature.
func accessFigure(n db.AccessWaitingRow, now time.Time, href string) Figure {
	f := Figure{Label: "Access reviews to sign off", Value: strconv.Itoa(int(n.Waiting)), Level: levelIf(n.Waiting > 0, "ask"), Href: href}
	if late(n, now) {
		f.Level, f.Note = "stop", "overdue"
	}
	return f
}
