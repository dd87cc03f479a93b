package road

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// looks are the lists, each by somebody who may have it, as JSON.
func (m *mirror) looks(p *process, patient uuid.UUID) map[clinic.Deed]func() (string, error) {
	ctx := context.Background()
	doctor, admin, auditor := p.arrives("amara-osei"), p.arrives("ruth-ebbing"), p.arrives("victor-sandoval")
	return map[clinic.Deed]func() (string, error){
		clinic.WorklistShow:  look(func() (any, error) { return p.WorklistShow(ctx, doctor(), "") }),
		clinic.ReviewList:    look(func() (any, error) { return p.ReviewList(ctx, doctor(), "") }),
		clinic.PatientList:   look(func() (any, error) { return p.PatientList(ctx, doctor(), "") }),
		clinic.PatientSearch: look(func() (any, error) { return p.PatientSearch(ctx, doctor(), "Ada", true) }),
		clinic.DeliveryList:  look(func() (any, error) { return p.DeliveryList(ctx, doctor(), clinic.DeliveryFilter{Show: "arrived"}) }),
		clinic.TeamList:      look(func() (any, error) { return p.TeamList(ctx, admin(), "") }),
		clinic.TeamSearch:    look(func() (any, error) { return p.TeamSearch(ctx, admin(), "77001") }),
		clinic.UsageShow:     look(func() (any, error) { return p.UsageShow(ctx, admin(), "") }),
		clinic.PromptList:    look(func() (any, error) { return p.PromptList(ctx, admin()) }),
		clinic.AuditSearch: look(func() (any, error) {
			return p.AuditSearch(ctx, auditor(), clinic.AuditFilter{Deed: clinic.ReviewSubmit})
		}),
		clinic.AuditOfPatient:   look(func() (any, error) { return p.AuditOfPatient(ctx, doctor(), patient, "") }),
		clinic.AuditDisclosures: look(func() (any, error) { a, err := p.AuditDisclosures(ctx, doctor(), patient); return a.Rows, err }),
		clinic.AuditExport: look(func() (any, error) {
			s := &sink{}
			return s, p.AuditExport(ctx, auditor(), clinic.AuditFilter{Deed: clinic.ReviewSubmit}, "csv", s)
		}),
	}
}

func look(what func() (any, error)) func() (string, error) {
	return func() (string, error) {
		shown, err := what()
		raw, _ := json.Marshal(shown)
		return string(raw), err
	}
}

// sink keeps what an export gives it.
type sink struct{ All []clinic.AuditRow }

func (s *sink) Begin(clinic.AuditExported) error  { return nil }
func (s *sink) Rows(rows []clinic.AuditRow) error { s.All = append(s.All, rows...); return nil }
func (s *sink) End(int) (string, error)           { return "hash", nil }

// Every list that may be is read on the standby, in the same words as without one, and leaves the same events. Wherever the
// reading breaks, the primary does it again, and what is shown is whole and not doubled.
func TestReplicaLists(t *testing.T) {
	t.Parallel()
	m := mirrored(t)
	p, plain := m.process(m.there.App), m.process("")
	ada := m.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+14155550142")
	m.submitted(ada, "Ada Winter", "email")
	sent := m.approved(m.as("amara-osei"), ada, "Ada Winter", "sms", 0)
	m.waitFor("delivery", 30*time.Second, func() bool { return m.state(sent) == "delivered" })
	m.stopWork() // so that nothing moves while lists are held against each other
	looks, same := m.looks(p, ada), m.looks(plain, ada)
	if all := slices.Sorted(maps.Keys(looks)); !slices.Equal(all, clinic.OnReplica()) {
		t.Fatalf("the lists are %v, and here are %v", clinic.OnReplica(), all)
	}
	for _, d := range clinic.OnReplica() {
		p.warm()
		began := time.Now()
		read, err := looks[d]()
		must(t, err)
		if d == clinic.AuditExport { // that it began is written where it is read
			p.answers(string(d), true, "ClinicGet", "AuditPlanEach", "AuditPeople")
		} else {
			p.answers(string(d), true)
		}
		left := m.trail(d, began)
		began = time.Now()
		if _, err := same[d](); err != nil || left == "" || left != m.trail(d, began) {
			t.Errorf("%s (%v): on the trail is\n%s\nand without a standby\n%s", d, err, left, m.trail(d, began))
		}
		if read == "null" || len(read) < 20 {
			t.Errorf("%s shows nothing: %s", d, read)
		}
		if read, err = same[d](); err != nil { // now that its own events are on the trail
			t.Fatal(err)
		}
		m.broken(p, d, looks[d], read)
	}
	if p.count("replica") < len(looks) {
		t.Errorf("the standby is said to have answered %d lists", p.count("replica"))
	}
}

// broken has a list break off before each of its queries in turn.
func (m *mirror) broken(p *process, d clinic.Deed, look func() (string, error), whole string) {
	m.t.Helper()
	for n, done := 0, false; !done; n++ {
		asked := 0
		p.seen.mu.Lock()
		p.seen.before = func(ctx context.Context, there bool, name string) context.Context {
			if !there || name == "begin" || name == "rollback" {
				return ctx
			}
			if asked++; asked-1 != n {
				return ctx
			}
			gone, cancel := context.WithCancel(ctx)
			cancel()
			return gone
		}
		p.seen.mu.Unlock()
		again, err := look()
		if done = asked <= n; err != nil || again != whole {
			m.t.Errorf("%s, broken off at its query %d (%v), shows\n%s\nand not\n%s", d, n, err, again, whole)
		}
		if done && p.count("replica") == 0 {
			m.t.Errorf("%s, whole, is of the primary", d)
		}
	}
	p.seen.mu.Lock()
	p.seen.before = nil
	p.seen.mu.Unlock()
}
