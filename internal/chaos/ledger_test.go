package chaos

import (
	"testing"

	"countersign/internal/clinic"
)

// I18 is broken by whatever the verification found, and by one that could not have found anything.
func TestJudgeOfTheLedger(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Ledger){
		"a finding":            func(l *Ledger) { l.Findings = []clinic.LedgerFinding{{Code: "event_gone", Words: "event 7 is gone"}} },
		"no report":            func(l *Ledger) { l.Failed = "it printed no report" },
		"no anchors":           func(l *Ledger) { l.Anchors = 0 },
		"none that agrees":     func(l *Ledger) { l.Anchored = 0 },
		"less than there is":   func(l *Ledger) { l.Events-- },
		"nothing was verified": func(l *Ledger) { *l = Ledger{} },
	} {
		r := clean()
		spoil(&r.Ledger)
		if names := Judge(&r.Evidence).Names(); len(names) != 1 || names[0] != "I18" {
			t.Errorf("%s: broken is %v", name, names)
		}
	}
}
