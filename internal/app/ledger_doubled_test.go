package app

import (
	"slices"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/ledger"
)

// That an event is on the trail twice is found, also where months that were taken out are verified by their leaves' hashes alone:
// what nobody could look at excuses nothing else.
func TestADoubledEventBesideAnArchive(t *testing.T) {
	t.Parallel()
	a := age(t)
	if err := a.archive(t); err != nil {
		t.Fatal(err)
	}
	known, err := ledger.ReadVerifiers(a.verifier)
	if err != nil {
		t.Fatal(err)
	}
	verify := func() clinic.LedgerReport {
		t.Helper()
		report, err := a.Clinic.LedgerVerify(t.Context(), clinic.LedgerCheck{Known: known})
		if err != nil || report.ByHash == 0 {
			t.Fatalf("%+v, %v", report, err)
		}
		return report
	}
	if report := verify(); len(report.Findings) != 0 {
		t.Fatalf("a clean ledger: %+v", report.Findings)
	}
	for _, sql := range []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL", "ALTER TABLE audit_events DROP CONSTRAINT audit_events_pkey",
		"INSERT INTO audit_events SELECT * FROM audit_events WHERE id = (SELECT event_id FROM ledger_leaves ORDER BY leaf DESC LIMIT 1)"} {
		if err := a.Exec(t, sql); err != nil {
			t.Fatal(err)
		}
	}
	if report := verify(); !slices.ContainsFunc(report.Findings, func(f clinic.LedgerFinding) bool { return f.Code == "event_doubled" && f.Event != nil }) {
		t.Errorf("with an event that is there twice: %+v", report.Findings)
	}
}
