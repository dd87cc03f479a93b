package clinic

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"countersign/internal/db"
)

// Figure is one number on somebody's home page, and where to do something about it.
type Figure struct {
	Label, Value, Note string
	Level              string // stop, ask, or nothing
	Href               string
	Bars               []Bar
}

// Bar is one day of a figure's little chart.
type Bar struct {
	Day time.Time
	N   int64
}

// What home looks at.
const (
	homeDays    = 7
	homeSigned  = 2000
	homeCounted = 10_000 // beyond it, "over 10,000" will do
)

// figures are those of the actor's role.
func (t *tx) figures(ctx context.Context) ([]Figure, error) {
	switch t.actor.Role {
	case Staff, Reviewer, Doctor:
		return t.homeOfWriter(ctx)
	case Auditor:
		return t.homeOfAuditor(ctx)
	case Admin:
		return t.homeOfAdmin(ctx)
	case Ops:
		return t.homeOfOps(ctx)
	}
	return nil, nil
}

func (t *tx) homeOfWriter(ctx context.Context) ([]Figure, error) {
	n, err := t.HomeOfWriter(ctx, db.HomeOfWriterParams{ClinicID: t.clinicID(), StaffID: t.actor.ID, At: t.at})
	if err != nil {
		return nil, err
	}
	unfinished := Figure{Label: "Yours to finish", Value: strconv.Itoa(int(n.Unfinished)), Href: "/#worklist-list"}
	returned := Figure{Label: "Returned to you", Value: strconv.Itoa(int(n.Returned)), Href: "/#worklist-list", Level: levelIf(n.Returned > 0, "ask")}
	if !t.actor.Can(ReviewApprove) {
		review := Figure{Label: "In review", Value: strconv.Itoa(int(n.InReview)), Href: "/reviews"}
		if n.Late > 0 {
			review.Note, review.Level = fmt.Sprintf("%d past their time", n.Late), "ask"
		}
		return []Figure{unfinished, returned, review}, nil
	}
	sign := Figure{Label: "To sign", Value: strconv.Itoa(int(n.InReview)), Href: "/reviews"}
	if n.InReview > 0 {
		sign.Note = "the oldest waits " + spell(t.at.Sub(n.Oldest))
	}
	late := Figure{Label: "Past their time", Value: strconv.Itoa(int(n.Late)), Href: "/reviews", Level: levelIf(n.Late > 0, "stop")}
	signed, err := t.homeSigned(ctx)
	return []Figure{sign, late, unfinished, signed}, err
}

func levelIf(yes bool, level string) string {
	if yes {
		return level
	}
	return ""
}

// homeSigned is how many the person signed today and in the days before, and how long one waited for it in the middle.
func (t *tx) homeSigned(ctx context.Context) (Figure, error) {
	f := Figure{Label: "Signed today", Href: "/deliveries?show=way"}
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return f, err
	}
	today := dayOf(t.at, zoneOf(cl))
	rows, err := t.HomeSigned(ctx, t.homeSignedParams())
	var when []time.Time
	var waits []time.Duration
	for _, r := range rows {
		if r.SignedAt.Before(today.AddDate(0, 0, 1-homeDays)) {
			break
		}
		when, waits = append(when, r.SignedAt), append(waits, r.SignedAt.Sub(r.SubmittedAt))
	}
	f.Bars = barsOf(when, today)
	f.Value = strconv.FormatInt(f.Bars[homeDays-1].N, 10)
	if slices.Sort(waits); len(waits) > 0 {
		f.Note = "this week, half within " + spell(waits[len(waits)/2])
	}
	return f, err
}

// homeSignedParams ask for the days of every time zone: the clinic's own is read together with them.
func (t *tx) homeSignedParams() db.HomeSignedParams {
	return db.HomeSignedParams{ClinicID: t.clinicID(), StaffID: &t.actor.ID, Since: t.at.AddDate(0, 0, -homeDays), RowLimit: homeSigned}
}

// barsOf counts moments by day, of the last days up to today.
func barsOf(when []time.Time, today time.Time) (bars []Bar) {
	for i := range homeDays {
		bars = append(bars, Bar{Day: today.AddDate(0, 0, i+1-homeDays)})
	}
	for _, at := range when {
		for i := homeDays - 1; i >= 0; i-- {
			if !at.Before(bars[i].Day) {
				bars[i].N++
				break
			}
		}
	}
	return bars
}

// homeOfAuditor leads to the trail's screen.
func (t *tx) homeOfAuditor(ctx context.Context) ([]Figure, error) {
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return nil, err
	}
	today := dayOf(t.at, zoneOf(cl))
	events, err := t.HomeEvents(ctx, db.HomeEventsParams{ClinicID: t.clinicID(), Since: today, RowLimit: homeCounted + 1})
	if err != nil {
		return nil, err
	}
	refused, err := t.HomeRefused(ctx, db.HomeRefusedParams{ClinicID: t.clinicID(), Since: today.AddDate(0, 0, 1-homeDays), RowLimit: homeCounted + 1})
	bars := barsOf(refused, today)
	return []Figure{
		{Label: "Refused today", Value: countUpTo(int(bars[homeDays-1].N)), Note: countUpTo(len(refused)) + " in seven days", Href: "/audit?outcome=refused", Bars: bars},
		{Label: "On the trail today", Value: countUpTo(int(events)), Note: "events", Href: "/audit"},
	}, err
}

func countUpTo(n int) string {
	if n > homeCounted {
		return "over 10,000"
	}
	return strconv.Itoa(n)
}

func (t *tx) homeOfAdmin(ctx context.Context) ([]Figure, error) {
	n, err := t.HomeOfAdmin(ctx, db.HomeOfAdminParams{ClinicID: t.clinicID(), StaffID: t.actor.ID})
	if err != nil {
		return nil, err
	}
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return nil, err
	}
	var use UsageView
	if use.Limits, err = t.draftLimits(ctx); err != nil {
		return nil, err
	}
	today := dayOf(t.at, zoneOf(cl))
	use.choose("", today)
	if err := t.usagePeople(ctx, &use, today); err != nil {
		return nil, err
	}
	cost := Figure{Label: "Drafting this month", Value: Money(use.Cost), Note: "everybody within budget", Href: "/usage"}
	if use.Over > 0 {
		cost.Note, cost.Level = countOf(int64(use.Over), "person over budget", "people over budget"), "ask"
	}
	access, err := t.homeAccess(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := t.homeJobs(ctx, cl)
	return []Figure{
		access,
		{Label: "Emergency access to review", Value: strconv.Itoa(int(n.Glasses)), Level: levelIf(n.Glasses > 0, "ask"), Href: "/glass/list"},
		{Label: "People without a role", Value: strconv.Itoa(int(n.Strangers)), Level: levelIf(n.Strangers > 0, "ask"), Href: "/staff"},
		cost, jobs,
	}, err
}

// homeAccess is how many weekly access reviews wait for a signature.
func (t *tx) homeAccess(ctx context.Context) (Figure, error) {
	n, err := t.AccessWaiting(ctx, t.clinicID())
	f := Figure{Label: "Access reviews to sign off", Value: strconv.Itoa(int(n.Waiting)), Level: levelIf(n.Waiting > 0, "ask"), Href: "/access"}
	if late(n, t.at) {
		f.Level, f.Note = "stop", "overdue"
	}
	return f, err
}

func (t *tx) homeOfOps(ctx context.Context) ([]Figure, error) {
	cl, err := t.clinicOf(ctx, t.clinicID())
	if err != nil {
		return nil, err
	}
	rows, err := t.QueueState(ctx, db.QueueStateParams{At: t.at, ClinicID: t.clinicID()})
	if err != nil {
		return nil, err
	}
	many, oldest := map[string]int{}, t.at
	for _, r := range rows {
		many[r.State] += int(r.Many)
		if r.State == "queued" && r.Many > 0 && r.Oldest.Before(oldest) {
			oldest = r.Oldest
		}
	}
	due := Figure{Label: "Due and waiting", Value: strconv.Itoa(many["queued"]), Href: "/status"}
	if wait := t.at.Sub(oldest); many["queued"] > 0 {
		due.Note, due.Level = "the oldest for "+spell(wait), levelIf(wait > time.Minute, "ask")
	}
	jobs, err := t.homeJobs(ctx, cl)
	return []Figure{due,
		{Label: "Not known", Value: strconv.Itoa(many["unknown"]), Level: levelIf(many["unknown"] > 0, "ask"), Href: "/status"},
		{Label: "Need a person", Value: strconv.Itoa(many["needs_person"]), Level: levelIf(many["needs_person"] > 0, "stop"), Href: "/status"},
		jobs,
	}, err
}

// homeJobs is how many of the scheduled jobs want to be looked at.
func (t *tx) homeJobs(ctx context.Context, cl db.Clinic) (Figure, error) {
	all, err := t.jobs(ctx, cl)
	bad := 0
	for _, j := range all {
		if j.Late || j.Code != "" || j.Trouble {
			bad++
		}
	}
	f := Figure{Label: "Jobs in trouble", Value: strconv.Itoa(bad), Href: "/jobs", Level: levelIf(bad > 0, "stop")}
	if bad == 0 {
		f.Note = "all ran"
	}
	return f, err
}

// spell is a length of time in words, coarse: "a minute", "12 minutes", "3 hours", "2 days".
func spell(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return "a minute"
	case d < time.Hour:
		return countOf(int64(d.Minutes()), "minute", "minutes")
	case d < 48*time.Hour:
		return countOf(int64(d.Hours()), "hour", "hours")
	}
	return countOf(int64(d.Hours()/24), "day", "days")
}

func countOf(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.FormatInt(n, 10) + " " + more
}
