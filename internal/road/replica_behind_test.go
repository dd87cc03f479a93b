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
	name := newTap(t, hostOf(t, m.there.App))
	p := m.process(strings.Replace(m.there.App, hostOf(t, m.there.App), name.listen.Addr().String(), 1))
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
	next, _, err := m.cluster.StartStandby(context.Background(), "next")
	must(t, err)
	name.lead(hostOf(t, next.App))
	m.there = next
	p.shows("with another standby in its place", doctor(), "Carl Winter", true, true)
}

func hostOf(t testing.TB, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	return u.Host
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
