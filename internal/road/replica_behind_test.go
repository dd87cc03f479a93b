package road

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// names is the patients' list of an actor.
func (p *process) names(a clinic.Actor) string {
	p.m.t.Helper()
	page, err := p.PatientList(context.Background(), a, "")
	must(p.m.t, err)
	var all []string
	for _, r := range page.Rows {
		all = append(all, r.Name.Reveal())
	}
	return strings.Join(all, ", ")
}

// shows fails unless the list has the name or lacks it, is of the server that is named, and its view is on the trail.
func (p *process) shows(what string, a func() clinic.Actor, name string, has, byStandby bool) {
	p.m.t.Helper()
	if byStandby {
		p.warm()
	}
	p.seen.take()
	before := p.m.events(clinic.PatientList)
	if got := p.names(a()); strings.Contains(got, name) != has {
		p.m.t.Errorf("%s: %q is to be in the list: %v. It shows %s", what, name, has, got)
	}
	p.answers(what, byStandby)
	if n := p.m.events(clinic.PatientList) - before; n != 1 {
		p.m.t.Errorf("%s: %d events on the trail", what, n)
	}
}

// A standby that is behind, away, or has cancelled a list is nobody's concern: the primary answers, with the newest row and the
// event, and as soon as the standby is there again, it does.
func TestReplicaFallsBack(t *testing.T) {
	t.Parallel()
	m := mirrored(t)
	p := m.process(m.there.App)
	doctor := func() func() clinic.Actor { return p.arrives("amara-osei") } // a session of its own, so that each view is an event
	m.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "")
	p.shows("at rest", doctor(), "Ada Winter", true, true)
	first := doctor()
	m.pause()
	m.patient("Bela Winter", "1950-01-02", "77002", "bela@mail.example", "")
	p.shows("with its replay paused", first, "Bela Winter", true, false)
	if p.count("primary behind") == 0 {
		t.Errorf("nobody is told that the standby is behind: %v", p.said)
	}
	m.resume()
	p.shows("with its replay resumed", doctor(), "Bela Winter", true, true)

	m.standby.Kill(syscall.SIGQUIT)
	m.patient("Carl Winter", "1950-01-02", "77003", "carl@mail.example", "")
	p.shows("without the standby", doctor(), "Carl Winter", true, false)
	must(t, m.standby.Start(context.Background()))
	p.shows("with the standby again", doctor(), "Carl Winter", true, true)

	m.conflict(p, doctor())
	p.shows("after the conflict", doctor(), "Carl Winter", true, true)

	m.at(m.there.Superuser, "SELECT pg_promote()")
	p.names(doctor()())
	p.shows("with the standby promoted", doctor(), "Carl Winter", true, false)
	if p.count("primary stranger") == 0 || p.count("primary away") == 0 || p.count("primary cancelled") == 0 {
		t.Errorf("why the primary answered: %v", p.said)
	}
}

// conflict has the standby cancel a list in its middle, because what it replays needs the table.
func (m *mirror) conflict(p *process, a func() clinic.Actor) {
	m.t.Helper()
	m.set("max_standby_streaming_delay = 0")
	p.warm()
	before, met := p.count("primary cancelled"), false
	p.seen.stepIn(func(there bool, name string) {
		if there && name == "PatientNames" && !met {
			met = true
			m.at(m.cluster.Databases.Owner, "BEGIN; LOCK TABLE patients IN ACCESS EXCLUSIVE MODE; COMMIT")
			m.replayed()
		}
	})
	p.shows("cancelled by a conflict", a, "Carl Winter", true, false)
	p.seen.stepIn(nil)
	if !met || p.count("primary cancelled") != before+1 {
		m.t.Errorf("the list met the conflict: %v; %v", met, p.said)
	}
}

// Nobody misses what was committed before their request began, gains what was taken from them, or sees what is not on the trail.
func TestReplicaPromises(t *testing.T) {
	t.Parallel()
	m := mirrored(t)
	p := m.process(m.there.App)
	ctx := context.Background()
	doctor, another, staff := p.arrives("amara-osei"), p.arrives("jonas-lindqvist"), p.arrives("tom-reyes")

	t.Run("what it waits for it sees", func(t *testing.T) {
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
	})

	t.Run("who has written", func(t *testing.T) {
		p.warm()
		me := staff()
		m.pause()
		defer m.resume()
		_, err := p.PatientCreate(ctx, me, clinic.PatientForm{Name: "Emil Winter", BirthDate: "1950-01-02", MRN: "77005", Language: "en", Email: "emil@mail.example", DoctorID: m.actor("amara-osei").ID})
		must(t, err)
		if got := p.names(me); !strings.Contains(got, "Emil Winter") {
			t.Errorf("whose request made a patient sees %s", got)
		}
		if p.count("primary wrote") != 1 {
			t.Errorf("why the primary answered: %v", p.said)
		}
	})

	t.Run("a standby that is late", func(t *testing.T) {
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
		must(t, m.app.Clinic().TeamJoin(ctx, m.operator(), fay, other))
		has := func() bool {
			var n int
			m.at(m.there.Superuser, "SELECT count(*) FROM care_team WHERE patient_id = '"+fay.String()+"' AND staff_id = '"+other.String()+"'", &n)
			return n == 1
		}
		m.waitFor("the standby to have the doctor on the team", 10*time.Second, has)
		must(t, m.app.Clinic().TeamLeave(ctx, m.operator(), fay, other))
		if got := p.names(another()); strings.Contains(got, "Fay Winter") || !has() {
			t.Errorf("a moment after a doctor left the care team, they see %s", got)
		}
	})

	t.Run("an export has what was there when it began", func(t *testing.T) {
		p.warm()
		auditor, everything := p.arrives("victor-sandoval")(), &sink{}
		m.pause()
		defer m.resume()
		m.patient("Hal Winter", "1950-01-02", "77008", "hal@mail.example", "")
		must(t, p.AuditExport(ctx, auditor, clinic.AuditFilter{Deed: clinic.PatientCreate}, "csv", everything))
		if n := m.events(clinic.PatientCreate); len(everything.All) != n {
			t.Errorf("%d of %d events are in it", len(everything.All), n)
		}
	})

	t.Run("commits that wait for no disk", func(t *testing.T) {
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
	})

	t.Run("without the event nothing is shown", func(t *testing.T) {
		doctor := p.arrives("amara-osei")
		p.warm()
		who, before := doctor(), m.events(clinic.PatientList)
		m.at(m.cluster.Databases.Owner, "REVOKE INSERT ON audit_events FROM countersign_app")
		page, err := p.PatientList(ctx, who, "")
		if err == nil {
			t.Errorf("the list is shown (%d rows) although its event was refused", len(page.Rows))
		}
		p.answers("without the event", true)
		m.at(m.cluster.Databases.Owner, "GRANT INSERT ON audit_events TO countersign_app")
		if n := m.events(clinic.PatientList); n != before {
			t.Errorf("%d events", n-before)
		}
	})

	t.Run("whom no session brings", func(t *testing.T) {
		p.warm()
		p.names(m.actor("amara-osei"))
		p.answers("an actor without a session", false)
	})

	t.Run("what is not theirs", func(t *testing.T) {
		gus, who := m.patient("Gus Winter", "1950-01-02", "77007", "gus@mail.example", ""), p.arrives("jonas-lindqvist")
		p.warm()
		_, err := p.AuditOfPatient(ctx, who(), gus, "")
		p.answers("another doctor's patient", true)
		if clinic.KindOf(err) != clinic.NotFound {
			t.Errorf("another doctor's patient: %v", err)
		}
		var refused int
		m.one(&refused, "SELECT count(*) FROM audit_events WHERE deed = 'audit.of-patient' AND outcome = 'refused'")
		if refused != 1 {
			t.Errorf("%d refusals on the trail", refused)
		}
	})
}

// Two webs behind a front without affinity, and a standby that is late: what was done at one web is in the list of the other.
// Without the standby both go on, and are ready.
func TestReplicaOfTwoWebs(t *testing.T) {
	t.Parallel()
	m := mirrored(t)
	taken := m.many(2, 1)
	doctor, ops := m.as("amara-osei"), m.as("kenji-watts")
	m.waitFor("a list that is read from the standby", 30*time.Second, func() bool {
		for range 2 { // one at each web
			if status, body := doctor.get("/patients"); status != http.StatusOK || !strings.Contains(body, "Rosa Delgado") {
				t.Fatalf("the patients: %d %.300s", status, body)
			}
		}
		n := m.series(`countersign_lists_total{by="replica",reason=""}`)
		return n != "" && n != "0"
	})
	m.waitFor("the status page to tell of the replica", 30*time.Second, func() bool {
		_, page := ops.get("/status")
		return strings.Contains(page, "Lists are read from a replica, ")
	})
	m.set("recovery_min_apply_delay = '300ms'")
	for i := range 6 {
		name := "Ida Winter" + string(rune('a'+i))
		form := url.Values{"name": {name}, "birth_date": {"1950-01-02"}, "mrn": {fmt.Sprint(77100 + i)}, "language": {"en"}, "email": {fmt.Sprintf("ida%d@mail.example", i)},
			"doctor_id": {m.actor("amara-osei").ID.String()}, "id": {uuid.NewString()}}
		if status, body := doctor.post("/patients/new", form); status != http.StatusOK || !strings.Contains(body, name) {
			t.Fatalf("adding a patient: %d %.2000s", status, body)
		}
		if _, body := doctor.get("/patients"); !strings.Contains(body, name) {
			t.Errorf("%s is not in the list of the next web", name)
		}
	}
	m.standby.Kill(syscall.SIGQUIT)
	for range 4 {
		if _, body := doctor.get("/patients"); !strings.Contains(body, "Ida Winterf") {
			t.Error("without the standby the list is not whole")
		}
		if status := m.status("/readyz"); status != http.StatusOK {
			t.Errorf("without the standby a web says that it is not ready: %d", status)
		}
	}
	m.waitFor("the status page to tell that the replica is away", 30*time.Second, func() bool { // once it is no longer said to be late
		doctor.get("/patients")
		_, page := ops.get("/status")
		return strings.Contains(page, "Lists are read from the primary: the replica cannot be reached.")
	})
	if taken[0].Load() < 10 || taken[1].Load() < 10 {
		t.Error("one web had nearly nothing to do")
	}
}

// operator is whoever holds the command line, for the demo clinic.
func (m *mirror) operator() clinic.Actor {
	a := clinic.OperatorActor("test")
	a.ClinicID = m.actor("amara-osei").ClinicID
	return a
}
