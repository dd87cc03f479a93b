package clinictest

import (
	"testing"
	"time"
)

// Trail puts n made-up events on the trail, over some time: of 40 persons, 2,000 patients, all deeds, 300 addresses; three of
// each moment. The triggers are off meanwhile, as the database's owner can do it: what is not sealed is not looked at here.
func (w *World) Trail(t testing.TB, n int, over time.Duration) {
	t.Helper()
	err := w.Exec(t, `WITH off AS (SELECT set_config('session_replication_role', 'replica', true) AS x)
		INSERT INTO audit_events (id, at, clinic_id, actor_kind, actor_id, role, deed, subject_kind, subject_id, patient_id, outcome, reason, detail, ip, agent, request_id, rec)
		SELECT ('019000000000' || '7' || lpad(to_hex(i % 4096), 3, '0') || '8' || lpad(to_hex(i), 15, '0'))::uuid, $1::timestamptz - $2::interval * ((i / 3)::float8 / greatest($3 / 3, 1)), $4, 'person',
		       CASE WHEN i % 7 = 0 THEN $5::uuid ELSE ('00000000-0000-7000-8000-' || lpad(to_hex(i % 40), 12, '0'))::uuid END, 'staff',
		       (ARRAY['worklist.show', 'patient.show', 'patient.list', 'message.show', 'draft.show', 'draft.edit', 'delivery.record', 'patient.search'])[CASE WHEN i % 5000 = 1 THEN 6 WHEN i % 8 = 5 THEN 1 ELSE i % 8 + 1 END],
		       'patient', NULL, CASE WHEN i % 1000 = 0 THEN $6::uuid WHEN i % 3 = 0 THEN ('00000000-0000-7000-9000-' || lpad(to_hex(i % 2000), 12, '0'))::uuid END,
		       CASE WHEN i % 500 = 0 THEN 'refused' ELSE 'done' END, CASE WHEN i % 500 = 0 THEN 'role' ELSE '' END, '{}', '198.51.' || i % 2 || '.' || i % 150, 'a test', '', convert_to('{"n":' || i || '}', 'UTF8')
		FROM off, generate_series(1, $3) i`, w.Clock.Now(), over, n, w.ClinicID, w.Staff.ID, w.Patient)
	w.must(t, err)
	w.must(t, w.Exec(t, "ANALYZE audit_events"))
}

// LongAgo makes the trail's table of the month before last, which is over whatever day it is today, and says how long ago the middle
// of that month was.
func (w *World) LongAgo(t testing.TB) (month time.Time, back time.Duration) {
	t.Helper()
	now := w.Clock.Now().UTC()
	month = time.Date(now.Year(), now.Month()-2, 1, 0, 0, 0, 0, time.UTC)
	w.must(t, w.Exec(t, "SELECT audit_partitions($1::date, 1)", month))
	return month, now.Sub(month.AddDate(0, 0, 14))
}
