package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/clinictest"
)

// kept is an audited clinic with the key that seals, five events of a month that is over, and anchors over two sizes.
type kept struct {
	*audited
	env    []string // of who may take months out and answer for restores
	before string   // the month that stays
	table  string   // of the month that may go
	sizes  [2]int64
}

func keep(t *testing.T) *kept {
	t.Helper()
	text, key, known := clinictest.LedgerKey(t)
	_, stranger, _ := clinictest.LedgerKey(t)
	k := &kept{audited: &audited{World: clinictest.New(t, clinictest.Sealing(key, known)), verifier: key.Verifier(), other: stranger.Verifier()}}
	folder := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(folder, "ledger"), 0o700))
	k.anchors = "file://" + folder
	month, back := k.LongAgo(t)
	k.before, k.table = month.AddDate(0, 1, 0).Format("2006-01"), "audit_events_"+month.Format("2006_01")
	k.Clock.Add(-back)
	k.see(t, 5)
	k.Clock.Add(back - 80*time.Minute)
	for i := range k.sizes {
		k.see(t, 2)
		done, err := k.Clinic.LedgerSeal(t.Context())
		must(t, err)
		k.sizes[i] = done.Head.Size
		must(t, os.WriteFile(filepath.Join(folder, "ledger", fmt.Sprint(done.Head.Size)+".txt"), []byte(done.Head.Note), 0o600))
	}
	k.event = k.Strings(t, "SELECT id::text FROM "+k.table+" LIMIT 1")[0]
	k.env = []string{"DATABASE_URL=" + k.URL, "MIGRATE_DATABASE_URL=" + k.URL, "LEDGER_KEY=" + text, "BLOB_URL=" + k.anchors}
	k.program = build(t)
	return k
}

func (k *kept) see(t *testing.T, n int) {
	t.Helper()
	for range n {
		_, err := k.Clinic.PatientShow(t.Context(), k.Staff, k.Patient)
		must(t, err)
		k.Clock.Add(16 * time.Minute)
	}
}

// without is the environment with one setting taken away, or another in its place.
func (k *kept) without(name, instead string) (env []string) {
	for _, setting := range k.env {
		if !strings.HasPrefix(setting, name+"=") {
			env = append(env, setting)
		}
	}
	if instead != "" {
		env = append(env, name+"="+instead)
	}
	return env
}

// exits runs each case, and holds its exit code to what it has to be.
type exits map[string]struct {
	env  []string
	args []string
	code int
}

func (all exits) run(t *testing.T, a *audited) {
	t.Helper()
	for name, c := range all {
		if code, out, said := a.runs(t, c.env, c.args...); code != c.code {
			t.Errorf("%s: %d, not %d\n%s%s", name, code, c.code, out, said)
		}
	}
}

const nowhere = "postgres://nobody@127.0.0.1:1/nothing"

// Whether a month was taken out, is not what was sealed, or could not be looked at, the exit code says.
func TestAuditArchiveExitCodes(t *testing.T) {
	t.Parallel()
	k := keep(t)
	text, _, _ := clinictest.LedgerKey(t)
	month := []string{"archive", "--before", k.before}
	exits{
		"nothing is six years old": {k.env, []string{"archive"}, 0},
		"no month":                 {k.env, []string{"archive", "--before", "x"}, 2},
		"no place":                 {k.without("BLOB_URL", ""), month, 2},
		"a place without anchors":  {k.without("BLOB_URL", "file://"+t.TempDir()), month, 2},
		"no key":                   {k.without("LEDGER_KEY", ""), month, 2},
		"another key":              {k.without("LEDGER_KEY", text), month, 2},
		"a database that is away":  {k.without("MIGRATE_DATABASE_URL", nowhere), month, 2},
	}.run(t, k.audited)
	flip := func() {
		for _, sql := range []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL", "UPDATE audit_events SET rec = set_bit(rec, 200, 1 - get_bit(rec, 200)) WHERE id::text = '" + k.event + "'", "ALTER TABLE audit_events ENABLE TRIGGER ALL"} {
			must(t, k.Exec(t, sql))
		}
	}
	flip()
	code, out, _ := k.runs(t, k.env, append(month, "--json")...)
	var report struct{ Findings []struct{ Event string } }
	if err := json.Unmarshal([]byte(out), &report); code != 1 || err != nil || len(report.Findings) == 0 || report.Findings[0].Event != k.event {
		t.Errorf("tampered: %d, %v\n%s", code, err, out)
	}
	if code, out, _ := k.runs(t, k.env, month...); code != 1 || !strings.Contains(out, k.event) {
		t.Errorf("tampered: %d\n%s", code, out)
	}
	if n := k.Count(t, "SELECT count(*) FROM "+k.table); n != 5 {
		t.Fatalf("%d events are left", n)
	}
	flip()
	code, out, said := k.runs(t, k.env, append(month, "--json")...)
	var done struct {
		Month, File string
		Events      int
	}
	if err := json.Unmarshal([]byte(out), &done); code != 0 || err != nil || done.Events != 5 || !strings.HasSuffix(done.File, done.Month+".gz") {
		t.Errorf("%d, %v\n%s%s", code, err, out, said)
	}
	if code, out, said := k.runs(t, k.env, "verify"); code != 0 || !strings.Contains(out, "5 of the events were read from archives") {
		t.Errorf("afterwards: %d\n%s%s", code, out, said)
	}
}

// Whether a restore was answered for, there was none, or the database is not what was sealed, the exit code says.
func TestAuditRestoredExitCodes(t *testing.T) {
	t.Parallel()
	k := keep(t)
	text, _, _ := clinictest.LedgerKey(t)
	told := []string{"restored"}
	if _, _, said := k.runs(t, k.env, told...); !strings.Contains(said, "every anchor agrees with this database: nothing was lost") {
		t.Errorf("where nothing was lost, it says\n%s", said)
	}
	exits{
		"nothing was lost":        {k.env, told, 2},
		"no place":                {k.without("BLOB_URL", ""), told, 2},
		"a place without anchors": {k.without("BLOB_URL", "file://"+t.TempDir()), told, 2},
		"no key":                  {k.without("LEDGER_KEY", ""), told, 2},
		"another key":             {k.without("LEDGER_KEY", text), told, 2},
		"a database that is away": {k.without("DATABASE_URL", nowhere), told, 2},
		"an option that is none":  {k.env, []string{"restored", "--nonsense"}, 2},
	}.run(t, k.audited)
	k.tables(t, "DISABLE")
	must(t, k.Exec(t, "DELETE FROM audit_events e USING ledger_leaves l WHERE l.event_id = e.id AND l.leaf >= $1", k.sizes[0]))
	must(t, k.Exec(t, "DELETE FROM ledger_leaves WHERE leaf >= $1", k.sizes[0]))
	must(t, k.Exec(t, "DELETE FROM ledger_checkpoints WHERE size > $1", k.sizes[0]))
	must(t, k.Exec(t, "UPDATE audit_events SET role = 'ops' WHERE id::text = $1", k.event))
	exits{"restored and tampered": {k.env, told, 1}}.run(t, k.audited)
	must(t, k.Exec(t, "UPDATE audit_events SET role = 'staff' WHERE id::text = $1", k.event))
	k.tables(t, "ENABLE")
	exits{"verify before it": {k.env, []string{"verify"}, 1}}.run(t, k.audited)
	code, out, said := k.runs(t, k.env, "restored", "--json")
	var signed struct {
		Name         string
		From, Before int64
	}
	if err := json.Unmarshal([]byte(out), &signed); code != 0 || err != nil || signed.From != k.sizes[0] || signed.Before != k.sizes[1] || !strings.HasPrefix(signed.Name, "ledger/restored-") {
		t.Errorf("%d, %v\n%s%s", code, err, out, said)
	}
	if code, out, _ := k.runs(t, k.env, "verify"); code != 0 || !strings.Contains(out, "RESTORED") {
		t.Errorf("afterwards: %d\n%s", code, out)
	}
}

func (k *kept) tables(t *testing.T, able string) {
	t.Helper()
	for _, table := range []string{"audit_events", "ledger_leaves", "ledger_checkpoints"} {
		must(t, k.Exec(t, "ALTER TABLE "+table+" "+able+" TRIGGER ALL"))
	}
}
