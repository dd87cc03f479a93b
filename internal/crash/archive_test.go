package crash

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinictest"
)

// aged is a clinic with five events of a month that is over, sealed and anchored, and the settings of a countersign that may take them out.
type aged struct {
	*clinictest.World
	t      *testing.T
	env    []string
	before string // the month that stays
	table  string
}

func age(t *testing.T) *aged {
	t.Helper()
	text, key, known := clinictest.LedgerKey(t)
	a := &aged{World: clinictest.New(t, clinictest.Sealing(key, known)), t: t}
	folder := t.TempDir()
	month, back := a.LongAgo(t)
	a.before, a.table = month.AddDate(0, 1, 0).Format("2006-01"), "audit_events_"+month.Format("2006_01")
	a.Clock.Add(-back)
	for range 5 {
		_, err := a.Clinic.PatientShow(t.Context(), a.Staff, a.Patient)
		must(t, err)
		a.Clock.Add(16 * time.Minute)
	}
	a.Clock.Add(back)
	done, err := a.Clinic.LedgerSeal(t.Context())
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(folder, "ledger"), 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "ledger", "1.txt"), []byte(done.Head.Note), 0o600))
	a.env = []string{"APP_ENV=local", "DATABASE_URL=" + a.URL, "MIGRATE_DATABASE_URL=" + a.URL, "LEDGER_KEY=" + text, "BLOB_URL=file://" + folder}
	return a
}

func (a *aged) run(orders string, args ...string) *process {
	a.t.Helper()
	return countersign(a.t, orders, a.env, append([]string{"audit"}, args...)...)
}

// countersign runs the tool with orders for its fault points.
func countersign(t *testing.T, orders string, env []string, args ...string) *process {
	t.Helper()
	from, err := built()
	must(t, err)
	p := &process{t: t, name: "countersign " + orders, cmd: exec.Command(filepath.Join(from, "countersign"), args...), said: &lines{}, ended: make(chan struct{})}
	p.cmd.Env = append([]string{"FAULTPOINTS=" + orders}, env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	must(t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	return p
}

// archiveReport is what a verification says of a month that was taken out.
type archiveReport struct {
	Events, Archived, Waiting int
	ByHash                    int `json:"by_hash"`
}

// verified is what the program says of the ledger and its archives; it has to be clean.
func (a *aged) verified() (report archiveReport) {
	a.t.Helper()
	p := a.run("", "verify", "--json")
	p.awaitEnd()
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		a.t.Fatalf("verify: %d\n%s", code, p.said)
	}
	_, last, _ := strings.Cut(p.said.String(), "{") // before it is how far a slow one was
	must(a.t, json.Unmarshal([]byte("{"+last), &report))
	return report
}

// Whoever takes a month out and dies at any step has it in the database or outside, whole, never in neither; and to begin again
// ends it.
func TestArchiveDies(t *testing.T) {
	t.Parallel()
	a := age(t)
	events := a.Count(t, "SELECT count(*) FROM audit_events")
	for _, moment := range []string{"archive/exported", "archive/written", "archive/read-back", "archive/detached", "archive/listed", "audit.archive/before-commit", "audit.archive/committed"} {
		a.run("kill="+moment, "archive", "--before", a.before).dies()
		in, out := 5, 0
		if moment == "audit.archive/committed" {
			in, out = 0, 5
		}
		if n := a.Count(t, "SELECT count(*) FROM audit_events WHERE tableoid::regclass::text = $1", a.table); n != in {
			t.Errorf("%s: %d events of the month are in the database, want %d", moment, n, in)
		}
		if r := a.verified(); r.Events-r.Waiting != events || r.Archived != out || r.ByHash != 0 {
			t.Errorf("%s: of %d events: %+v", moment, events, r)
		}
	}
	p := a.run("", "archive", "--before", a.before)
	if p.awaitEnd(); p.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("after all that: %s", p.said)
	}
}

// What broke off before it was done is done by the next try.
func TestArchiveIsGoneOnWith(t *testing.T) {
	t.Parallel()
	a := age(t)
	a.run("kill=archive/listed", "archive", "--before", a.before).dies()
	p := a.run("", "archive", "--before", a.before)
	if p.awaitEnd(); p.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("the second try: %s", p.said)
	}
	if r := a.verified(); r.Archived != 5 {
		t.Errorf("%+v", r)
	}
}
