package chaos

import (
	"context"
	"encoding/json"
	"strings"

	"countersign/internal/clinic"
)

// Ledger is the report of countersign audit verify, against the anchors of the run. Failed: there is none, and why.
type Ledger struct {
	clinic.LedgerReport
	Failed string
}

// verify asks the product's own command, as an auditor does. That it ends with 1 is told by what it found.
func (s *stage) verify(ctx context.Context) (l Ledger) {
	var said strings.Builder
	spec := s.spec("verify", "countersign", s.settings(), "audit", "verify", "--json", "--anchors", s.env["BLOB_URL"])
	spec.Errors, spec.Output = spec.Output, &said
	err := s.cluster.Run(ctx, spec)
	if json.Unmarshal([]byte(said.String()), &l.LedgerReport) != nil {
		l.Failed = "it printed no report"
		if err != nil {
			l.Failed = err.Error()
		}
	}
	return l
}
