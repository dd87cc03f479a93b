package clinic_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// Each filter of the trail leaves what it means, the newest first; no other clinic's.
func TestAuditSearch(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	near := w.Neighbour(t)
	_, err := near.Clinic.PatientShow(ctx, near.Doctor, near.Patient)
	must(t, err)
	nurse := w.Staff
	nurse.IP = "192.0.2.7"
	_, err = w.Clinic.PatientShow(ctx, nurse, w.Patient)
	must(t, err)
	_, err = w.Clinic.PatientShow(ctx, w.Doctor2, w.Patient)
	wantKind(t, err, clinic.NotFound, "another team's doctor")
	today := w.Clock.Now().In(chicago(t)).Format(time.DateOnly)
	for name, tc := range map[string]struct {
		f    clinic.AuditFilter
		want func(clinic.AuditRow) bool
		n    int // 0: at least one
	}{
		"person":    {clinic.AuditFilter{Person: w.Staff.ID}, func(r clinic.AuditRow) bool { return r.ActorID == w.Staff.ID && r.Who == "Tom Reyes" }, 0},
		"patient":   {clinic.AuditFilter{Patient: w.Patient}, func(r clinic.AuditRow) bool { return r.PatientID == w.Patient }, 0},
		"record":    {clinic.AuditFilter{MRN: "20441"}, func(r clinic.AuditRow) bool { return r.PatientID == w.Patient }, 0},
		"deed":      {clinic.AuditFilter{Deed: clinic.PatientShow}, func(r clinic.AuditRow) bool { return r.Did == "patient.show" && r.Words == "looked at a patient" }, 2},
		"outcome":   {clinic.AuditFilter{Outcome: "refused"}, func(r clinic.AuditRow) bool { return r.Refused && r.Why == "not there, or not theirs to see" }, 1},
		"address":   {clinic.AuditFilter{Address: "192.0.2.7"}, func(r clinic.AuditRow) bool { return r.IP == "192.0.2.7" }, 1},
		"days":      {clinic.AuditFilter{From: today, To: today}, func(clinic.AuditRow) bool { return true }, 0},
		"all":       {clinic.AuditFilter{Person: w.Staff.ID, Patient: w.Patient, Deed: clinic.PatientShow, Outcome: "done", Address: "192.0.2.7", From: today}, func(r clinic.AuditRow) bool { return r.Did == "patient.show" }, 1},
		"next door": {clinic.AuditFilter{Patient: near.Patient}, func(clinic.AuditRow) bool { return false }, -1},
		"yesterday": {clinic.AuditFilter{To: w.Clock.Now().AddDate(0, 0, -2).Format(time.DateOnly)}, func(clinic.AuditRow) bool { return false }, -1},
	} {
		page, err := w.Clinic.AuditSearch(ctx, w.Auditor, tc.f)
		must(t, err)
		if n := len(page.Rows); tc.n == 0 && n == 0 || tc.n > 0 && n != tc.n || tc.n < 0 && n != 0 {
			t.Errorf("%s: %d events", name, n)
		}
		for i, r := range page.Rows {
			if !tc.want(r) {
				t.Errorf("%s: %+v", name, r)
			}
			if i > 0 && r.At.After(page.Rows[i-1].At) {
				t.Errorf("%s: not the newest first", name)
			}
			if r.Patient != "" {
				t.Errorf("%s: an auditor reads a patient's name", name)
			}
		}
	}
	page, err := w.Clinic.AuditSearch(ctx, w.Admin, clinic.AuditFilter{Patient: w.Patient})
	must(t, err)
	if page.Rows[0].Patient.Reveal() != "Rosa Delgado" || page.Patient.Reveal() != "Rosa Delgado" {
		t.Error("an administrator does not read the name")
	}
}

// What was asked for is on the trail: ids, codes and counts as they are, terms as HMACs only.
func TestAuditSearchOnTheTrail(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, err := w.Clinic.AuditSearch(ctx, w.Auditor, clinic.AuditFilter{MRN: "20441", Address: "192.0.2.77", Person: w.Staff.ID, Deed: clinic.PatientShow})
	must(t, err)
	raw := w.Strings(t, "SELECT detail::text || ' ' || patient_id::text FROM audit_events WHERE deed = 'audit.search' AND outcome = 'done' AND actor_id = $1", w.Auditor.ID)
	if len(raw) != 1 || strings.Contains(raw[0], "20441") || strings.Contains(raw[0], "192.0.2.77") {
		t.Fatalf("on the trail: %v", raw)
	}
	for _, words := range []string{`"term": "`, `"address": "`, `"hits": 0`, w.Staff.ID.String(), `"deed": "patient.show"`, w.Patient.String()} {
		if !strings.Contains(raw[0], words) {
			t.Errorf("the trail does not say %s: %s", words, raw[0])
		}
	}
	wantCount(t, w, 0, "a term in the bytes", "SELECT count(*) FROM audit_events WHERE convert_from(rec, 'UTF8') LIKE '%192.0.2.77%'")
}

// What is no filter is said beside its field.
func TestAuditSearchWrong(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for field, f := range map[string]clinic.AuditFilter{"from": {From: "25.11.2026"}, "to": {From: "2026-11-25", To: "2026-11-24"}, "address": {Address: "somewhere"},
		"mrn": {MRN: "99999"}, "deed": {Deed: "patient.eat"}, "outcome": {Outcome: "maybe"}} {
		_, err := w.Clinic.AuditSearch(ctx, w.Auditor, f)
		wantKind(t, err, clinic.Invalid, field)
		if clinic.Fields(err)[field] == "" {
			t.Errorf("%s: %v", field, clinic.Fields(err))
		}
	}
}

// Paging by key shows each event once, in order, also those of one moment.
func TestAuditSearchPages(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	w.Trail(t, 173, time.Hour)
	seen, after := map[uuid.UUID]bool{}, ""
	for range 10 {
		page, err := w.Clinic.AuditSearch(ctx, w.Auditor, clinic.AuditFilter{Deed: clinic.WorklistShow, After: after})
		must(t, err)
		for _, r := range page.Rows {
			if seen[r.ID] {
				t.Fatalf("%s is on two pages", r.ID)
			}
			seen[r.ID] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	wantCount(t, w, len(seen), "events", "SELECT count(*) FROM audit_events WHERE deed = 'worklist.show'")
}

// questions keeps what is asked of the trail.
type questions struct {
	mu      sync.Mutex
	all     []pgx.TraceQueryStartData
	planned int // how often it was said that the next question is to be planned for itself
}

func (q *questions) TraceQueryStart(ctx context.Context, _ *pgx.Conn, d pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(d.SQL, "-- name: AuditPlanEach ") {
		q.planned++
	}
	if strings.HasPrefix(d.SQL, "-- name: AuditFind ") {
		q.mu.Lock()
		q.all = append(q.all, d)
		q.mu.Unlock()
	}
	return ctx
}

func (q *questions) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// Among 200,000 events each filter reads by an index, and little: the plans are those of the questions that the search asks.
func TestAuditSearchPlans(t *testing.T) {
	t.Parallel()
	asked := &questions{}
	w := clinictest.New(t, func(c *clinic.Config) { c.Tracer = asked })
	w.Trail(t, 200_000, 50*24*time.Hour)
	day := func(ago int) string { return w.Clock.Now().AddDate(0, 0, -ago).Format(time.DateOnly) }
	for name, f := range map[string]clinic.AuditFilter{
		"nothing": {}, "person": {Person: w.Staff.ID}, "patient": {Patient: w.Patient}, "deed": {Deed: clinic.PatientShow}, "a rare deed": {Deed: clinic.DraftEdit},
		"a deed that never was": {Deed: clinic.KeysRotate}, "refused": {Outcome: "refused"}, "address": {Address: "198.51.1.7"}, "an address never seen": {Address: "203.0.113.9"},
		"days": {From: day(30), To: day(29)}, "long ago": {To: day(49)}, "person and deed": {Person: w.Staff.ID, Deed: clinic.PatientShow}, "person and rare deed": {Person: w.Staff.ID, Deed: clinic.DraftEdit},
		"person refused": {Person: w.Staff.ID, Outcome: "refused"}, "patient and deed": {Patient: w.Patient, Deed: clinic.MessageShow}, "address and deed": {Address: "198.51.1.7", Deed: clinic.PatientShow},
		"a stranger": {Person: uuid.MustParse("00000000-0000-4000-8000-000000000000")},
	} {
		_, err := w.Clinic.AuditSearch(ctx, w.Auditor, f)
		must(t, err)
		last := asked.all[len(asked.all)-1]
		plan := explained(t, w, last)
		if plan.whole != "" || plan.buffers > 800 {
			t.Errorf("%s: reads %d pages, and %q whole:\n%s", name, plan.buffers, plan.whole, plan.nodes)
		}
		t.Logf("%-22s %4d pages %6.2f ms", name, plan.buffers, plan.ms)
	}
}

// A question is planned for what it asks, also the tenth time on one connection.
func TestAuditSearchIsPlannedEachTime(t *testing.T) {
	t.Parallel()
	asked := &questions{}
	w := clinictest.New(t, func(c *clinic.Config) { c.Tracer, c.MaxConns = asked, 1 })
	for range 10 {
		_, err := w.Clinic.AuditSearch(ctx, w.Auditor, clinic.AuditFilter{Deed: clinic.KeysRotate})
		must(t, err)
	}
	if asked.planned != len(asked.all) || asked.planned != 10 {
		t.Errorf("%d of %d questions", asked.planned, len(asked.all))
	}
}

type plan struct {
	nodes   string // one a line, with its pages
	whole   string // a part of the trail that was read from end to end
	buffers int
	ms      float64
}

// node is a step of a plan.
type node struct {
	Type  string  `json:"Node Type"`
	Table string  `json:"Relation Name"`
	Index string  `json:"Index Name"`
	Rows  float64 `json:"Actual Rows"`
	Hit   int     `json:"Shared Hit Blocks"`
	Read  int     `json:"Shared Read Blocks"`
	Plans []node
}

// walk writes the steps down. A partition that is as good as empty may be read whole.
func (p *plan) walk(n node, depth int) {
	p.nodes += fmt.Sprintf("%*s%s %s %s %.0f rows, %d pages\n", 2*depth, "", n.Type, n.Table, n.Index, n.Rows, n.Hit+n.Read)
	if n.Type == "Seq Scan" && strings.HasPrefix(n.Table, "audit_events") && n.Hit+n.Read > 4 {
		p.whole = n.Table
	}
	for _, part := range n.Plans {
		p.walk(part, depth+1)
	}
}

// explained runs a question again, and says how it was answered.
func explained(t *testing.T, w *clinictest.World, q pgx.TraceQueryStartData) (p plan) {
	t.Helper()
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	var raw []byte
	_, sql, _ := strings.Cut(q.SQL, "\n")
	must(t, conn.QueryRow(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+sql, append([]any{pgx.QueryExecModeExec}, q.Args...)...).Scan(&raw))
	var said []struct {
		Plan node
		Took float64 `json:"Execution Time"`
	}
	must(t, json.Unmarshal(raw, &said))
	p.walk(said[0].Plan, 0)
	p.buffers, p.ms = said[0].Plan.Hit+said[0].Plan.Read, said[0].Took
	return p
}
