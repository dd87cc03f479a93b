package clinic_test

import (
	"fmt"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// BenchmarkMessageBytes tells what a message costs for good in Postgres, table by table, indexes included: written by hand,
// signed, accepted, two reports, sealed in the ledger. docs/SCALING.md has its figures: make bench PKG=./internal/clinic
// RUN=MessageBytes, with -benchtime=600x by hand for the same number.
func BenchmarkMessageBytes(b *testing.B) {
	_, key, known := clinictest.LedgerKey(b)
	w := clinictest.New(b, clinictest.Sealing(key, known))
	before := bytesByTable(b, w)
	n := 0
	for b.Loop() {
		n++
		id := fmt.Sprint("x", n)
		sent(b, w, "email", id)
		for _, state := range []string{"processed", "delivered"} {
			must(b, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt(fmt.Sprint(state, n), id, state, w.Clock.Now())}))
		}
	}
	for more := true; more; {
		_, err := w.Clinic.LedgerSeal(ctx)
		must(b, err)
		more = w.Count(b, "SELECT count(*) FROM audit_pending") > 0
	}
	var total int64
	for table, size := range bytesByTable(b, w) {
		if grown := size - before[table]; grown > 0 {
			total += grown
			b.ReportMetric(float64(grown)/float64(n), table+"-B/message")
		}
	}
	b.ReportMetric(float64(total)/float64(n), "B/message")
	b.ReportMetric(float64(w.Count(b, "SELECT count(*) FROM audit_events"))/float64(n), "events/message")
}

// bytesByTable is the size of each table with its indexes, packed as tight as it goes.
func bytesByTable(t testing.TB, w *clinictest.World) map[string]int64 {
	t.Helper()
	must(t, w.Exec(t, "VACUUM FULL"))
	sizes := map[string]int64{}
	for _, row := range w.Strings(t, "SELECT relname || ' ' || pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace") {
		var table string
		var size int64
		_, err := fmt.Sscan(row, &table, &size)
		must(t, err)
		sizes[table] = size
	}
	return sizes
}
