package clinic_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// counted is a sink that counts, looks at the memory that is in use, and may break after some events.
type counted struct {
	n, batches, most int
	breaks           int // after so many; 0: not at all
	began            clinic.AuditExported
	last             time.Time
	low, high        uint64
	disordered       bool
}

func (c *counted) Begin(of clinic.AuditExported) error { c.began = of; return nil }

func (c *counted) Rows(rows []clinic.AuditRow) error {
	c.n, c.batches, c.most = c.n+len(rows), c.batches+1, max(c.most, len(rows))
	for _, r := range rows {
		c.disordered = c.disordered || !c.last.IsZero() && r.At.After(c.last)
		c.last = r.At
	}
	if c.batches%20 == 5 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if c.low == 0 {
			c.low = m.HeapAlloc
		}
		c.high = max(c.high, m.HeapAlloc)
	}
	if c.breaks > 0 && c.n >= c.breaks {
		return errors.New("the browser has gone")
	}
	return nil
}

func (c *counted) End(int) (string, error) { return "abc", nil }

// 100,000 events leave a batch at a time, in order, each once, and memory stays as it is.
func TestAuditExportIsFlat(t *testing.T) {
	w := clinictest.New(t)
	w.Trail(t, 100_000, 20*24*time.Hour)
	w.Clock.Add(time.Second)
	before := w.Count(t, "SELECT count(*) FROM audit_events")
	sink := &counted{}
	must(t, w.Clinic.AuditExport(ctx, w.Auditor, clinic.AuditFilter{}, "csv", sink))
	if sink.n != before || sink.n < 100_000 || sink.disordered {
		t.Errorf("%d of %d events, out of order: %v", sink.n, before, sink.disordered)
	}
	if sink.most > 1000 || sink.high > sink.low+8<<20 {
		t.Errorf("%d events at once; from %d to %d bytes in use", sink.most, sink.low, sink.high)
	}
	t.Logf("%d batches, from %d to %d KiB in use", sink.batches, sink.low>>10, sink.high>>10)
}

// An export is on the trail before its first byte, and how it ended after its last: also when it broke.
func TestAuditExportOnTheTrail(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Trail(t, 2500, time.Hour)
	events := func(id uuid.UUID) string {
		return strings.Join(w.Strings(t, "SELECT detail->>'state' || ' ' || coalesce(detail->>'events', '-') || ' ' || coalesce(detail->>'sha256', '-') FROM audit_events WHERE subject_id = $1 AND deed = 'audit.export' ORDER BY at, id", id), ", ")
	}
	first := &watching{counted{}, func(id uuid.UUID) {
		if got := events(id); got != "begun - -" {
			t.Errorf("before the first byte the trail says %q", got)
		}
	}}
	must(t, w.Clinic.AuditExport(ctx, w.Auditor, clinic.AuditFilter{Deed: clinic.PatientShow, Address: "198.51.1.7"}, "json", first))
	if got := events(first.began.ID); !strings.HasPrefix(got, "begun - -, complete ") || !strings.HasSuffix(got, " abc") {
		t.Errorf("after the last byte the trail says %q", got)
	}
	broken := &counted{breaks: 1500}
	if err := w.Clinic.AuditExport(ctx, w.Auditor, clinic.AuditFilter{}, "csv", broken); err == nil {
		t.Error("a broken export is none")
	}
	if got := events(broken.began.ID); got != "begun - -, broken 1000 -" {
		t.Errorf("of a broken one the trail says %q", got)
	}
	wantCount(t, w, 0, "an address in plain words", "SELECT count(*) FROM audit_events WHERE deed = 'audit.export' AND detail::text LIKE '%198.51%'")
	err := w.Clinic.AuditExport(ctx, w.Auditor, clinic.AuditFilter{}, "pdf", &counted{})
	wantKind(t, err, clinic.Invalid, "another format")
}

type watching struct {
	counted
	at func(uuid.UUID)
}

func (s *watching) Begin(of clinic.AuditExported) error { s.at(of.ID); return s.counted.Begin(of) }

// An export says who saw a patient, and never by the patient's name.
func TestAuditExportHasNoNames(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	w.Clock.Add(time.Second)
	for _, r := range trailRows(t, w, w.Admin, clinic.AuditFilter{Patient: w.Patient}) {
		if r.Patient != "" || strings.Contains(string(r.Rec), "Delgado") {
			t.Errorf("an export names the patient: %+v", r)
		}
	}
}

type kept struct{ rows []clinic.AuditRow }

func (k *kept) Begin(clinic.AuditExported) error  { return nil }
func (k *kept) Rows(rows []clinic.AuditRow) error { k.rows = append(k.rows, rows...); return nil }
func (k *kept) End(int) (string, error)           { return "", nil }

func trailRows(t *testing.T, w *clinictest.World, a clinic.Actor, f clinic.AuditFilter) []clinic.AuditRow {
	t.Helper()
	var all kept
	must(t, w.Clinic.AuditExport(ctx, a, f, "json", &all))
	if len(all.rows) == 0 {
		t.Fatal("nothing was exported")
	}
	return all.rows
}
