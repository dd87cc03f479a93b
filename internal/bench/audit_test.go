package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

const (
	trailEvents = 1_000_000
	trailOver   = 50 * 24 * time.Hour
	trailAsks   = 40 // of each question
	trailGoal   = 50 * time.Millisecond
)

// BenchmarkAuditSearch is how long a page of the trail takes among 1,000,000 events, the whole deed with its own event.
func BenchmarkAuditSearch(b *testing.B) {
	w := clinictest.New(b, func(c *clinic.Config) { c.MaxConns = 4 })
	w.Trail(b, trailEvents, trailOver)
	before := func(days int) string { return w.Clock.Now().AddDate(0, 0, -days).Format(time.DateOnly) }
	nobody := uuid.MustParse("00000000-0000-4000-8000-000000000000")
	var table []row
	for _, x := range []struct {
		name string
		f    clinic.AuditFilter
	}{
		{"all of it", clinic.AuditFilter{}},
		{"a person", clinic.AuditFilter{Person: w.Staff.ID}},
		{"a patient", clinic.AuditFilter{Patient: w.Patient}},
		{"a deed", clinic.AuditFilter{Deed: clinic.PatientShow}},
		{"a rare deed", clinic.AuditFilter{Deed: clinic.DraftEdit}},
		{"what was refused", clinic.AuditFilter{Outcome: "refused"}},
		{"an address", clinic.AuditFilter{Address: "198.51.1.7"}},
		{"long ago", clinic.AuditFilter{To: before(49)}},
		{"a person's rare deed", clinic.AuditFilter{Person: w.Staff.ID, Deed: clinic.DraftEdit}},
		{"what a person was refused", clinic.AuditFilter{Person: w.Staff.ID, Outcome: "refused"}},
		{"a rare deed of an address", clinic.AuditFilter{Address: "198.51.1.7", Deed: clinic.DraftEdit}},
		{"a person who was never there", clinic.AuditFilter{Person: nobody, Deed: clinic.PatientShow}},
	} {
		took := make([]time.Duration, trailAsks)
		for i := range took {
			began := time.Now()
			_, err := w.Clinic.AuditSearch(context.Background(), w.Auditor, x.f)
			must(b, err)
			took[i] = time.Since(began)
		}
		slices.Sort(took)
		p95 := took[trailAsks*95/100]
		table = append(table, row{what: x.name + ", p95", figure: milliseconds(p95), beside: "p50 " + milliseconds(took[trailAsks/2]), goal: "under " + milliseconds(trailGoal), met: p95 < trailGoal})
	}
	printTable(os.Stdout, fmt.Sprintf("Countersign, a page of the trail, of %s events", grouped(trailEvents)), table)
}
