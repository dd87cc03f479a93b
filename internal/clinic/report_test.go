package clinic_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Reports are counted by kind, from anybody, and hold only words of ours; a flood of kinds fills nothing.
func TestReports(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for range 3 {
		must(t, w.Clinic.ReportKeep(ctx, nobody, clinic.Report{Directive: "script-src-elem", Route: "/m/:token", Blocked: "inline"}))
	}
	must(t, w.Clinic.ReportKeep(ctx, nobody, clinic.Report{Directive: "<script>", Route: strings.Repeat("x", 500), Blocked: "https://evil.example/Rosa"}))
	list, err := w.Clinic.ReportList(ctx, w.Admin)
	must(t, err)
	if len(list) != 2 || list[1].Times != 3 || list[0].Directive != "other" || list[0].Blocked != "other" || len(list[0].Route) > 200 {
		t.Errorf("%+v", list)
	}
	events := w.Count(t, "SELECT count(*) FROM audit_events WHERE deed = 'report.keep'")
	for i := range 520 {
		must(t, w.Clinic.ReportKeep(ctx, nobody, clinic.Report{Directive: "img-src", Route: fmt.Sprint("/", i), Blocked: "here"}))
	}
	wantCount(t, w, 500, "kinds in a day", "SELECT count(*) FROM csp_reports")
	must(t, w.Clinic.ReportKeep(ctx, nobody, clinic.Report{Directive: "script-src-elem", Route: "/m/:token", Blocked: "inline"}))
	wantCount(t, w, 4, "one of before, still counted", "SELECT times FROM csp_reports WHERE route = '/m/:token'")
	wantCount(t, w, events, "events by nobody", "SELECT count(*) FROM audit_events WHERE deed = 'report.keep'")
	w.Clock.Add(31 * 24 * time.Hour)
	must(t, w.Clinic.ReportKeep(ctx, nobody, clinic.Report{Directive: "img-src", Route: "/", Blocked: "data"}))
	wantCount(t, w, 1, "kinds after a month", "SELECT count(*) FROM csp_reports")
	for name, a := range map[string]clinic.Actor{"staff": w.Staff, "worker": worker} {
		wantKind(t, w.Clinic.ReportKeep(ctx, a, clinic.Report{}), clinic.Forbidden, name)
	}
	if events != 0 {
		t.Errorf("%d events of nobody", events)
	}
}
