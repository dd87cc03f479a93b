package road

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// Nobody misses what was committed before their request began, gains what was taken from them, or sees what is not on the trail.
func TestReplicaPromises(t *testing.T) {
	t.Parallel()
	m := mirrored(t)
	p := m.process(m.there.App)
	for _, promise := range []struct {
		name string
		kept func(*testing.T, *mirror, *process)
	}{
		{"what it waits for it sees", waitedFor},
		{"who has written", whoHasWritten},
		{"a standby that is late", late},
		{"an export has what was there when it began", exported},
		{"commits that wait for no disk", unflushed},
		{"without the event nothing is shown", withoutEvent},
		{"whom no session brings", withoutSession},
		{"what is not theirs", notTheirs},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.kept(t, m, p) })
	}
}

func waitedFor(t *testing.T, m *mirror, p *process) {
	doctor := p.arrives("amara-osei")
	p.warm()
	m.pause()
	m.patient("Dora Winter", "1950-01-02", "77004", "dora@mail.example", "")
	looked := false
	p.seen.stepIn(func(there bool, name string) { // while the list waits for it, the standby gets there
		if there && name == "ReplicaState" && !looked {
			looked = true
			m.resume()
		}
	})
	p.seen.take()
	if got := p.names(doctor()); !looked || !strings.Contains(got, "Dora Winter") {
		t.Errorf("the list shows %s", got)
	}
	p.answers("after a wait", true)
	p.seen.stepIn(nil)
}

func whoHasWritten(t *testing.T, m *mirror, p *process) {
	staff := p.arrives("tom-reyes")
	p.warm()
	me := staff()
	m.replayed()
	m.pause()
	defer m.resume()
	_, err := p.PatientCreate(context.Background(), me, clinic.PatientForm{Name: "Emil Winter", BirthDate: "1950-01-02", MRN: "77005", Language: "en", Email: "emil@mail.example", DoctorID: m.actor("amara-osei").ID})
	must(t, err)
	if got := p.names(me); !strings.Contains(got, "Emil Winter") {
		t.Errorf("whose request made a patient sees %s", got)
	}
	if p.count("primary wrote") != 1 {
		t.Errorf("why the primary answered: %v", p.said)
	}
}

func late(t *testing.T, m *mirror, p *process) {
	doctor := p.arrives("amara-osei")
	another := p.arrives("jonas-lindqvist")
	m.set("recovery_min_apply_delay = '700ms'")
	defer func() { m.set("recovery_min_apply_delay = 0"); m.replayed() }()
	fay := m.patient("Fay Winter", "1950-01-02", "77006", "fay@mail.example", "")
	if got := p.names(doctor()); !strings.Contains(got, "Fay Winter") {
		t.Errorf("a moment after it was made, a patient is not in %s", got)
	}
	m.waitFor("the standby to have her", 10*time.Second, func() bool {
		var n int
		m.at(m.there.Superuser, "SELECT count(*) FROM patients WHERE id = '"+fay.String()+"'", &n)
		return n == 1
	})
	other := m.actor("jonas-lindqvist").ID
	must(t, m.app.Clinic().TeamJoin(context.Background(), m.operator(), fay, other))
	has := func() bool {
		var n int
		m.at(m.there.Superuser, "SELECT count(*) FROM care_team WHERE patient_id = '"+fay.String()+"' AND staff_id = '"+other.String()+"'", &n)
		return n == 1
	}
	m.waitFor("the standby to have the doctor on the team", 10*time.Second, has)
	must(t, m.app.Clinic().TeamLeave(context.Background(), m.operator(), fay, other))
	if got := p.names(another()); strings.Contains(got, "Fay Winter") || !has() {
		t.Errorf("a moment after a doctor left the care team, they see %s", got)
	}
}

func exported(t *testing.T, m *mirror, p *process) {
	p.warm()
	auditor, everything := p.arrives("victor-sandoval")(), &sink{}
	m.replayed()
	m.pause()
	defer m.resume()
	m.patient("Hal Winter", "1950-01-02", "77008", "hal@mail.example", "")
	must(t, p.AuditExport(context.Background(), auditor, clinic.AuditFilter{Deed: clinic.PatientCreate}, "csv", everything))
	if n := m.events(clinic.PatientCreate); len(everything.All) != n {
		t.Errorf("%d of %d events are in it", len(everything.All), n)
	}
}

func unflushed(t *testing.T, m *mirror, p *process) {
	doctor := p.arrives("amara-osei")
	for _, setting := range []string{"synchronous_commit = off", "wal_writer_delay = '10s'"} {
		m.at(m.cluster.Databases.Superuser, "ALTER SYSTEM SET "+setting)
	}
	m.at(m.cluster.Databases.Superuser, "SELECT pg_reload_conf()")
	m.replayed()
	for i := range 5 {
		name := fmt.Sprintf("Ivo Winter%c", 'a'+i)
		m.patient(name, "1950-01-02", fmt.Sprint(77010+i), fmt.Sprintf("ivo%d@mail.example", i), "")
		if got := p.names(doctor()); !strings.Contains(got, name) {
			t.Errorf("%s is not in %s", name, got)
		}
	}
	for _, setting := range []string{"synchronous_commit", "wal_writer_delay"} {
		m.at(m.cluster.Databases.Superuser, "ALTER SYSTEM RESET "+setting)
	}
	m.at(m.cluster.Databases.Superuser, "SELECT pg_reload_conf()")
}

func withoutEvent(t *testing.T, m *mirror, p *process) {
	doctor := p.arrives("amara-osei")
	p.warm()
	who, before := doctor(), m.events(clinic.PatientList)
	m.at(m.cluster.Databases.Owner, "REVOKE INSERT ON audit_events FROM countersign_app")
	page, err := p.PatientList(context.Background(), who, "")
	if err == nil {
		t.Errorf("the list is shown (%d rows) although its event was refused", len(page.Rows))
	}
	p.answers("without the event", true)
	m.at(m.cluster.Databases.Owner, "GRANT INSERT ON audit_events TO countersign_app")
	if n := m.events(clinic.PatientList); n != before {
		t.Errorf("%d events", n-before)
	}
}

func withoutSession(t *testing.T, m *mirror, p *process) {
	p.warm()
	p.names(m.actor("amara-osei"))
	p.answers("an actor without a session", false)
}

func notTheirs(t *testing.T, m *mirror, p *process) {
	gus, who := m.patient("Gus Winter", "1950-01-02", "77007", "gus@mail.example", ""), p.arrives("jonas-lindqvist")
	p.warm()
	_, err := p.AuditOfPatient(context.Background(), who(), gus, "")
	p.answers("another doctor's patient", true)
	if clinic.KindOf(err) != clinic.NotFound {
		t.Errorf("another doctor's patient: %v", err)
	}
	var refused int
	m.one(&refused, "SELECT count(*) FROM audit_events WHERE deed = 'audit.of-patient' AND outcome = 'refused'")
	if refused != 1 {
		t.Errorf("%d refusals on the trail", refused)
	}
}

// operator is whoever holds the command line, for the demo clinic.
func (m *mirror) operator() clinic.Actor {
	a := clinic.OperatorActor("test")
	a.ClinicID = m.actor("amara-osei").ClinicID
	return a
}
