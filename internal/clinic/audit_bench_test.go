package clinic_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// BenchmarkAuditSearch is how long a page of the trail takes among 1,000,000 events, the whole deed with its own event.
func BenchmarkAuditSearch(b *testing.B) {
	w := clinictest.New(b)
	trail(b, w, 1_000_000, 50*24*time.Hour)
	day := func(ago int) string { return w.Clock.Now().AddDate(0, 0, -ago).Format(time.DateOnly) }
	for _, x := range []struct {
		name string
		f    clinic.AuditFilter
	}{{"nothing", clinic.AuditFilter{}}, {"person", clinic.AuditFilter{Person: w.Staff.ID}}, {"patient", clinic.AuditFilter{Patient: w.Patient}},
		{"deed", clinic.AuditFilter{Deed: clinic.PatientShow}}, {"rare-deed", clinic.AuditFilter{Deed: clinic.DraftEdit}}, {"refused", clinic.AuditFilter{Outcome: "refused"}},
		{"address", clinic.AuditFilter{Address: "198.51.1.7"}}, {"long-ago", clinic.AuditFilter{To: day(49)}}, {"person-and-rare-deed", clinic.AuditFilter{Person: w.Staff.ID, Deed: clinic.DraftEdit}},
		{"person-refused", clinic.AuditFilter{Person: w.Staff.ID, Outcome: "refused"}}, {"address-and-rare-deed", clinic.AuditFilter{Address: "198.51.1.7", Deed: clinic.DraftEdit}},
		{"never-seen", clinic.AuditFilter{Person: uuid.MustParse("00000000-0000-4000-8000-000000000000"), Deed: clinic.PatientShow}}} {
		b.Run(x.name, func(b *testing.B) {
			var most time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := w.Clinic.AuditSearch(ctx, w.Auditor, x.f); err != nil {
					b.Fatal(err)
				}
				most = max(most, time.Since(began))
			}
			b.ReportMetric(float64(most.Microseconds())/1000, "ms-at-most")
		})
	}
}
