package clinic

import (
	"context"
	"slices"
	"time"

	"countersign/internal/db"
)

// Report is what a browser says about a page of ours that broke the Content-Security-Policy: only words from the lists
// below and a route's pattern. Anybody may post one, so nothing of what they wrote is kept.
type Report struct {
	Directive, Route, Blocked string
}

// ReportDirectives and ReportBlocked are the words of a report; "other" stands for what is none of them.
var (
	ReportDirectives = []string{"default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem", "style-src-attr", "img-src",
		"font-src", "connect-src", "form-action", "base-uri", "object-src", "frame-src", "frame-ancestors", "manifest-src", "media-src", "worker-src",
		"require-trusted-types-for", "trusted-types"}
	ReportBlocked = []string{"inline", "eval", "wasm-eval", "trusted-types-policy", "trusted-types-sink", "data", "blob", "filesystem", "extension", "here", "elsewhere"}
)

// ReportLine is how often one kind of report came in the last days.
type ReportLine struct {
	Report
	Times           int64
	FirstAt, LastAt time.Time
}

// ReportKeep counts a report by its kind. It is in its own bounded table and no event: whoever posts it is nobody, and
// would fill the trail.
func (c *Clinic) ReportKeep(ctx context.Context, a Actor, r Report) error {
	if !slices.Contains(ReportDirectives, r.Directive) {
		r.Directive = "other"
	}
	if !slices.Contains(ReportBlocked, r.Blocked) {
		r.Blocked = "other"
	}
	return c.do(ctx, a, ReportKeep, Subject{Kind: "report"}, func(t *tx) error {
		t.silent, r.Route = true, short(r.Route)
		cl, err := t.ClinicFirst(ctx)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		day := t.at.Format(time.DateOnly)
		n, err := t.ReportAgain(ctx, db.ReportAgainParams{At: t.at, Day: day, ClinicID: cl.ID, Directive: r.Directive, Route: r.Route, Blocked: r.Blocked})
		if err != nil || n > 0 {
			return err
		}
		if err := t.ReportsForget(ctx, db.ReportsForgetParams{ClinicID: cl.ID, Before: t.at.AddDate(0, 0, -reportDays)}); err != nil {
			return err
		}
		return t.Queries.ReportKeep(ctx, db.ReportKeepParams{ClinicID: cl.ID, At: t.at, Day: day, Directive: r.Directive, Route: r.Route, Blocked: r.Blocked, MostADay: reportsPerDay})
	})
}

// ReportList is the kinds of reports of the last 30 days, the latest first.
func (c *Clinic) ReportList(ctx context.Context, a Actor) ([]ReportLine, error) {
	var out []ReportLine
	err := c.do(ctx, a, ReportList, Subject{Kind: "report"}, func(t *tx) error {
		rows, err := t.Queries.ReportList(ctx, db.ReportListParams{ClinicID: t.clinicID(), RowLimit: reportsPerPage})
		for _, r := range rows {
			out = append(out, ReportLine{Report: Report{Directive: r.Directive, Route: r.Route, Blocked: r.Blocked}, Times: r.Times, FirstAt: r.FirstAt, LastAt: r.LastAt})
		}
		return err
	})
	return out, err
}
