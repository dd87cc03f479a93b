package crash

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// checkpoints are those that a worker has written as lines of its log.
func checkpoints(t *testing.T, said string, read func(string) (clinic.Checkpoint, error)) (all []clinic.Checkpoint) {
	t.Helper()
	for line := range strings.Lines(said) {
		var entry struct{ Msg, Checkpoint string }
		if json.Unmarshal([]byte(line), &entry) != nil || entry.Checkpoint == "" {
			continue
		}
		c, err := read(entry.Checkpoint)
		must(t, err)
		if entry.Msg != "ledger checkpoint" {
			t.Errorf("a checkpoint is called %q", entry.Msg)
		}
		all = append(all, c)
	}
	return all
}

// A worker without any bucket says each head on its log, signed; and with nothing but those lines a tail that was cut off, with its
// checkpoints, is found.
func TestTheLogAloneFindsACutTail(t *testing.T) {
	h := open(t)
	key, _, known := clinictest.LedgerKey(t)
	settings := []string{"LEDGER_KEY=" + key, "BLOB_URL=", "LOG_LEVEL=error", "TIME_SEAL_EVERY=50ms", "TIME_ANCHOR_EVERY=100ms"}
	w := h.start("worker", "", settings...)
	for round := range 3 {
		_, err := h.Clinic.PatientShow(t.Context(), h.Staff, h.Patient)
		must(t, err)
		events := one[int64](h, "SELECT count(*) FROM audit_events")
		await(t, "the head to be a line of the log", func() bool {
			said := checkpoints(t, w.said.String(), known.Read)
			return len(said) > round && said[len(said)-1].Size >= events
		})
	}
	w.end(syscall.SIGTERM)
	said := checkpoints(t, w.said.String(), known.Read)
	last := said[len(said)-1]
	if head := one[string](h, "SELECT note FROM ledger_checkpoints ORDER BY size DESC LIMIT 1"); head != last.Note {
		t.Errorf("the log's last checkpoint is over %d, and the head is\n%s", last.Size, head)
	}
	log := filepath.Join(t.TempDir(), "worker.log")
	var lines strings.Builder // as a platform keeps them
	for line := range strings.Lines(w.said.String()) {
		lines.WriteString("2026-11-02T10:00:00Z worker.1 | " + line)
	}
	must(t, os.WriteFile(log, []byte(lines.String()), 0o600))
	verify := func(code int, words string, args ...string) {
		t.Helper()
		p := countersign(t, "", []string{"DATABASE_URL=" + h.URL, "LEDGER_KEY=" + key}, append([]string{"audit", "verify"}, args...)...)
		if p.awaitEnd(); p.cmd.ProcessState.ExitCode() != code || !strings.Contains(p.said.String(), words) {
			t.Errorf("verify %v: %d\n%s", args, p.cmd.ProcessState.ExitCode(), p.said)
		}
	}
	verify(0, "under an anchor from outside", "--anchors", log)
	for _, sql := range []string{"ALTER TABLE audit_events DISABLE TRIGGER ALL", "ALTER TABLE ledger_leaves DISABLE TRIGGER ALL", "ALTER TABLE ledger_checkpoints DISABLE TRIGGER ALL"} {
		must(t, h.Exec(t, sql))
	}
	before := said[len(said)-2].Size
	must(t, h.Exec(t, "DELETE FROM audit_events e USING ledger_leaves l WHERE l.event_id = e.id AND l.leaf >= $1", before))
	must(t, h.Exec(t, "DELETE FROM ledger_leaves WHERE leaf >= $1", before))
	must(t, h.Exec(t, "DELETE FROM ledger_checkpoints WHERE size > $1", before))
	verify(0, "could not be seen")
	verify(1, "tail_cut", "--anchors", log)
	must(t, os.WriteFile(log, []byte("nothing of that\n"), 0o600))
	verify(2, "no anchors", "--anchors", log)
}
