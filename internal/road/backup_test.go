package road

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/local"
	"countersign/internal/seal"
)

// sealed gives the house a ledger and its worker an address.
func sealed(t testing.TB) option {
	key, _, _ := clinictest.LedgerKey(t)
	l, port := listen(t)
	must(t, l.Close())
	return func(env map[string]string) {
		env["LEDGER_KEY"], env["TIME_SEAL_EVERY"], env["TIME_ANCHOR_EVERY"], env["WORKER_PORT"] = key, "100ms", "200ms", fmt.Sprint(port)
	}
}

// elsewhere is a Postgres cluster of its own, with nothing in it but roles and an empty database.
func elsewhere(t testing.TB) *local.Cluster {
	t.Helper()
	l, err := local.New("../..", os.Environ(), io.Discard)
	must(t, err)
	c, err := l.StartCluster(context.Background(), func(err error) { t.Errorf("a server ended: %v", err) })
	must(t, err)
	t.Cleanup(c.Stop)
	return c
}

// The whole disaster. A backup is made while everything runs; a notice goes out after it; the cluster is gone. In an empty
// cluster the backup is restored: both processes start, the patient's page opens, nothing is sent. What had gone out is
// found at its provider and not sent again; what had not, goes out once the stop is lifted.
func TestBackupIntoAnEmptyCluster(t *testing.T) {
	t.Parallel()
	tool, there := build(t, "countersign"), elsewhere(t)
	h := open(t, fenced(t), sealed(t))
	identity := h.backupKey(tool)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+14155550142")
	doctor := h.as("amara-osei")
	before := h.approved(doctor, ada, "Ada Winter", "email", 0)
	h.waitFor("delivery", 30*time.Second, func() bool { return h.state(before) == "delivered" })
	after := h.approved(doctor, ada, "Ada Winter", "sms", 120)
	said, code := h.command(tool, "backup", "create")
	if code != 0 || !strings.Contains(said, "It needs the wrapping keys") {
		t.Fatalf("create: %d %s", code, said)
	}
	h.exec("UPDATE clinics SET undo_seconds = 0")
	h.due(0, after)
	h.waitFor("delivery in the time that will be lost", 30*time.Second, func() bool { return h.state(after) == "delivered" })
	h.stop()
	h.moved(tool, identity, there)
	h.waitFor("sending to be stopped", 10*time.Second, h.held)
	h.bothReady()
	h.due(0, after) // as it was when it went out
	doctor = h.as("amara-osei")
	if status, body := doctor.get("/patients/" + ada.String()); status != http.StatusOK || !strings.Contains(body, "Ada Winter") || !strings.Contains(body, "Sending is stopped.") {
		t.Errorf("the patient's page: %d %.300s", status, body)
	}
	meanwhile := h.approved(doctor, ada, "Ada Winter", "email", 0)
	said, code = h.command(tool, "reconcile")
	if code != 0 || !strings.Contains(said, "the database was restored from a backup") || !strings.Contains(said, "Sending is allowed again") {
		t.Fatalf("reconcile: %d %s", code, said)
	}
	h.waitFor("what was approved meanwhile to be delivered", 30*time.Second, func() bool { return h.state(meanwhile) == "delivered" })
	h.waitFor("the text to be found", 20*time.Second, func() bool { return h.state(after) != "unknown" && h.state(after) != "queued" })
	for _, id := range []uuid.UUID{before, after, meanwhile} {
		if n := h.acceptedFor(id); n != 1 {
			t.Errorf("what is %s was taken %d times", h.state(id), n)
		}
	}
}

// backupKey makes a key by command and sets its recipient.
func (h *house) backupKey(tool string) (file string) {
	h.t.Helper()
	said, code := h.command(tool, "backup", "key")
	key, recipient := regexp.MustCompile(`AGE-SECRET-KEY-\S+`).FindString(said), regexp.MustCompile(`age1\S+`).FindString(said)
	if code != 0 || key == "" || recipient == "" {
		h.t.Fatalf("backup key: %d", code)
	}
	h.env["BACKUP_RECIPIENTS"] = recipient
	file = filepath.Join(h.t.TempDir(), "backup-key")
	must(h.t, os.WriteFile(file, []byte(key), 0o600))
	return file
}

// moved restores the newest backup into the other cluster, as the printed steps say, and starts both processes on it.
func (h *house) moved(tool, identity string, there *local.Cluster) {
	h.t.Helper()
	keyset := h.env["KEYSET"]
	stranger, err := seal.NewKeyset()
	must(h.t, err)
	h.env["RESTORE_DATABASE_URL"], h.env["KEYSET"] = there.Databases.Owner, stranger
	if said, code := h.command(tool, "backup", "restore", "--identity", identity); code != 3 || !strings.Contains(said, "not the KEYSET of the installation") {
		h.t.Errorf("with a stranger's KEYSET: %d %s", code, said)
	}
	h.env["KEYSET"] = keyset
	said, code := h.command(tool, "backup", "restore", "--identity", identity)
	h.t.Log("restore says:\n" + said)
	if code != 0 || !strings.Contains(said, "ok: root") || !strings.Contains(said, "Lost: the anchors outside") {
		h.t.Fatalf("restore ends with %d", code)
	}
	delete(h.env, "RESTORE_DATABASE_URL")
	if said, code := h.command(tool, "backup", "restore", "--into", there.Databases.Owner); code != 2 || !strings.Contains(said, "--into holds a password") {
		h.t.Errorf("a password among the arguments: %d %s", code, said)
	}
	h.env["MIGRATE_DATABASE_URL"], h.env["DATABASE_URL"] = there.Databases.Owner, there.Databases.App
	if said, code := h.command(tool, "migrate"); code != 0 {
		h.t.Fatalf("migrate: %d %s", code, said)
	}
	h.database = there.Databases.Owner
	h.config, err = config.Load(func(name string) string { return h.env[name] })
	must(h.t, err)
	h.startAgain()
}

// bothReady asks both processes, which are ready and say that nothing is sent.
func (h *house) bothReady() {
	h.t.Helper()
	for _, address := range []string{h.web, "http://127.0.0.1:" + h.env["WORKER_PORT"]} {
		h.waitFor(address+" to be ready, and held", 20*time.Second, func() bool {
			resp, err := http.Get(address + "/readyz")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			return resp.StatusCode == http.StatusOK && strings.Contains(string(body), `"fence":"held"`)
		})
	}
}

// A backup that is killed in the middle leaves nothing that is taken for one, and the next is as good as ever.
func TestBackupIsKilled(t *testing.T) {
	t.Parallel()
	tool := build(t, "countersign")
	h := open(t, fenced(t))
	identity := h.backupKey(tool)
	h.env["PG_BIN"] = halfway(t)
	cmd := exec.Command(tool, "backup", "create")
	for name, value := range h.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	folder := filepath.Join(strings.TrimPrefix(h.env["BLOB_URL"], "file://"), "backups")
	h.waitFor("a half archive", 30*time.Second, func() bool {
		files, _ := filepath.Glob(filepath.Join(folder, "*"))
		if len(files) == 0 {
			return false
		}
		info, err := os.Stat(files[0])
		return err == nil && info.Size() > 1<<16
	})
	must(t, syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL))
	_ = cmd.Wait()
	if said, code := h.command(tool, "backup", "verify"); code != 2 || !strings.Contains(said, "there is no backup in that place") {
		t.Errorf("after the kill: %d %s", code, said)
	}
	var rows int
	h.one(&rows, "SELECT (SELECT count(*) FROM backups) + (SELECT count(*) FROM audit_events WHERE deed = 'backup.create')")
	if rows != 0 {
		t.Error("a backup that is not one is on the record")
	}
	delete(h.env, "PG_BIN")
	for _, args := range [][]string{{"create", "--keep=3"}, {"verify", "--identity", identity}, {"list"}} {
		if said, code := h.command(tool, append([]string{"backup"}, args...)...); code != 0 {
			t.Errorf("%v: %d %s", args, code, said)
		}
	}
}

// halfway is a folder with Postgres' programs, of which pg_dump writes a part and then hangs.
func halfway(t testing.TB) string {
	t.Helper()
	folder := t.TempDir()
	path := func(name string) string {
		found, err := exec.LookPath(name)
		must(t, err)
		return found
	}
	dump := path("pg_dump")
	script := "#!/bin/sh\n[ \"$1\" = --version ] && exec " + dump + " --version\n" + dump + " \"$@\" | head -c 90000\nhead -c 90000 /dev/zero\nexec sleep 600\n"
	must(t, os.WriteFile(filepath.Join(folder, "pg_dump"), []byte(script), 0o700))
	must(t, os.Symlink(path("pg_restore"), filepath.Join(folder, "pg_restore")))
	return folder
}
