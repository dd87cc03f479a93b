package road

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/app"
	"countersign/internal/clinictest"
)

// fenced gives the house a place outside its database, and short times.
func fenced(t testing.TB) option {
	folder := filepath.Join(t.TempDir(), "blob")
	return func(env map[string]string) {
		env["BLOB_URL"], env["TIME_FENCE_EVERY"] = "file://"+folder, "200ms"
		env["TIME_RECONCILE_EVERY"], env["TIME_LOOKUP_GRACE"], env["TIME_REENQUEUE"] = "200ms", "5s", "1s"
		env["TIME_PROVIDER_TIMEOUT"] = "1s" // also how soon a row is looked up again
	}
}

// build compiles one of the product's commands.
func build(t testing.TB, name string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), name)
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "countersign/cmd/"+name).CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// command runs the operator's tool with the house's settings and returns what it said and its exit code.
func (h *house) command(binary string, args ...string) (string, int) {
	h.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range h.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		h.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// stop ends web, worker and everything they hold.
func (h *house) stop() {
	h.t.Helper()
	h.stopWeb()
	h.stopWork()
	must(h.t, h.app.Close())
}

// startAgain is a new process of each, with the same settings and at the same address.
func (h *house) startAgain() {
	h.t.Helper()
	u, err := url.Parse(h.web)
	must(h.t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:"+u.Port())
	must(h.t, err)
	h.app, err = app.Open(context.Background(), h.config)
	must(h.t, err)
	again := h.app
	h.t.Cleanup(func() { _ = again.Close() })
	h.stopWeb = run(h.t, "web", func(ctx context.Context) error { return again.WebOn(ctx, listener) })
	h.stopWork = run(h.t, "worker", again.Worker)
}

// approved is a message that a doctor signs over the web, with so many seconds to undo.
func (h *house) approved(doctor *client, patient uuid.UUID, name, channel string, undo int) uuid.UUID {
	h.t.Helper()
	id := h.submitted(patient, name, channel)
	h.exec("UPDATE clinics SET undo_seconds = $1", undo)
	h.sign(doctor, id)
	return id
}

func (h *house) sign(doctor *client, id uuid.UUID) {
	h.t.Helper()
	if status, body := doctor.post("/reviews/"+id.String()+"/approve", url.Values{"version": {h.version(id)}}); status != http.StatusOK {
		h.t.Fatalf("approve answered %d: %.500s", status, body)
	}
}

// says presses a button of the sandbox's inbox for every notice of a delivery.
func (h *house) says(delivery uuid.UUID, act string) {
	h.t.Helper()
	for _, e := range h.accepted() {
		if e.Delivery == delivery.String() {
			resp, err := http.PostForm(h.outside+"/messages/"+e.ID+"/"+act, nil)
			must(h.t, err)
			_ = resp.Body.Close()
		}
	}
}

// due moves the time of queued notices.
func (h *house) due(in time.Duration, messages ...uuid.UUID) {
	h.t.Helper()
	h.exec("UPDATE deliveries SET next_attempt_at = now() + make_interval(secs => $1) WHERE message_id = ANY($2) AND state = 'queued'", in.Seconds(), messages)
}

func (h *house) delivery(message uuid.UUID) (id uuid.UUID) {
	h.t.Helper()
	h.one(&id, "SELECT id FROM deliveries WHERE message_id = $1 ORDER BY round DESC LIMIT 1", message)
	return id
}

func (h *house) held() (held bool) {
	h.t.Helper()
	h.one(&held, "SELECT held_at IS NOT NULL FROM instance")
	return held
}

// lostTime is what happens to a clinic around the moment that its database is restored to.
type lostTime struct {
	patient                  uuid.UUID
	doctor                   *client
	before                   uuid.UUID // delivered before it
	text, mail, unsent, gone uuid.UUID // sent after it; not sent; approved after it, so that no row is left
	goneDelivery             uuid.UUID
	taken                    int // notices that the providers have taken by then
}

// lose sends, copies the database, sends on, stops everything and puts the copy in its place.
func (h *house) lose() (l lostTime) {
	h.t.Helper()
	l.patient = h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+14155550142")
	l.doctor = h.as("amara-osei")
	approved := func(channel string, undo int) uuid.UUID {
		return h.approved(l.doctor, l.patient, "Ada Winter", channel, undo)
	}
	l.before = approved("email", 0)
	h.waitFor("delivery", 30*time.Second, func() bool { return h.state(l.before) == "delivered" })
	l.gone = h.submitted(l.patient, "Ada Winter", "email")
	l.text, l.mail, l.unsent = approved("sms", 120), approved("email", 120), approved("sms", 120)
	copied := clinictest.Snapshot(h.t, h.database)
	h.exec("UPDATE clinics SET undo_seconds = 0")
	h.due(0, l.text, l.mail)
	h.waitFor("the doctor's page after the copy", 20*time.Second, func() bool { status, _ := l.doctor.get("/"); return status == http.StatusOK })
	h.sign(l.doctor, l.gone)
	for _, id := range []uuid.UUID{l.text, l.mail, l.gone} {
		h.waitFor("delivery in the time that will be lost", 60*time.Second, func() bool { return h.state(id) == "delivered" })
	}
	l.goneDelivery = h.delivery(l.gone)
	h.stop()
	clinictest.Restore(h.t, h.database, copied)
	h.due(0, l.text, l.mail, l.unsent)
	l.taken = len(h.accepted())
	return l
}

// The database is restored to a moment before some notices went out, under processes that then start. They send nothing
// and say so on every page; what an operator reconciles is settled; what is approved meanwhile goes out afterwards; and
// the outside's own log shows that nobody got anything twice.
func TestRestore(t *testing.T) {
	t.Parallel()
	tool := build(t, "countersign")
	h := open(t, fenced(t))
	if out, code := h.command(tool, "reconcile"); code != 3 {
		t.Errorf("with nothing to lift: %d %s", code, out)
	}
	l := h.lose()
	h.startAgain()
	h.saysStopped(l)
	meanwhile := h.approved(l.doctor, l.patient, "Ada Winter", "email", 0)
	h.says(l.goneDelivery, "delivered") // the provider repeats what it said in the lost time
	h.dryRun(tool, l.taken)
	out, code := h.command(tool, "reconcile")
	t.Log("reconcile says:\n" + out)
	for _, want := range []string{"behind what BLOB_URL", "1 reports speak of notices that this database does not know", "Sending is allowed again"} {
		if !strings.Contains(out, want) {
			t.Errorf("reconcile does not say %q", want)
		}
	}
	if code != 0 || h.held() {
		t.Fatalf("reconcile ends with %d", code)
	}
	h.settled(l, meanwhile)
	for id, want := range map[uuid.UUID]int{l.before: 1, l.text: 1, l.mail: 1, l.unsent: 0, meanwhile: 1} {
		if n := h.acceptedFor(id); n != want {
			t.Errorf("what is %s was taken %d times, want %d", h.state(id), n, want)
		}
	}
	times := map[string]int{}
	for _, e := range h.accepted() {
		if times[e.Delivery]++; times[e.Delivery] > 1 {
			t.Errorf("delivery %s was taken %d times", e.Delivery, times[e.Delivery])
		}
	}
	if out, code := h.command(tool, "reconcile"); code != 3 {
		t.Errorf("a second time: %d %s", code, out)
	}
}

// saysStopped waits until both processes are stopped, and looks at what people see.
func (h *house) saysStopped(l lostTime) {
	h.t.Helper()
	h.waitFor("sending to be stopped", 20*time.Second, h.held)
	h.waitFor("the web to say so", 20*time.Second, func() bool {
		status, body := h.client().get("/readyz")
		return status == http.StatusOK && strings.Contains(body, `"fence":"held"`)
	})
	for _, path := range []string{"/", "/patients", "/messages/" + l.mail.String()} {
		if _, body := l.doctor.get(path); !strings.Contains(body, "Sending is stopped.") {
			h.t.Errorf("%s does not say that sending is stopped", path)
		}
	}
	var status string
	h.one(&status, "SELECT status FROM messages WHERE id = $1", l.gone)
	if status != "in_review" {
		h.t.Errorf("the message of the lost time is %s", status)
	}
}

// dryRun looks and changes nothing; nor does a moment that cannot be meant.
func (h *house) dryRun(tool string, taken int) {
	h.t.Helper()
	for _, args := range [][]string{{"--since=yesterday"}, {"--since=0s"}, {"--since=2999-01-01T00:00:00Z"}, {"--surprise"}} {
		if out, code := h.command(tool, append([]string{"reconcile"}, args...)...); code != 2 {
			h.t.Errorf("reconcile %v: %d %s", args, code, out)
		}
	}
	out, code := h.command(tool, "reconcile", "--dry-run")
	for _, want := range []string{" email 1 ", " sms 2 ", "Nothing was changed"} {
		if code != 0 || !strings.Contains(strings.Join(strings.Fields(out), " "), want) {
			h.t.Errorf("the dry run ends with %d and lacks %q:\n%s", code, want, out)
		}
	}
	if !h.held() || len(h.accepted()) != taken {
		h.t.Errorf("held %v, and %d notices were taken since the restore", h.held(), len(h.accepted())-taken)
	}
}

// settled waits until what was in doubt is: found at Twilio, or with a person, whom a late report relieves.
func (h *house) settled(l lostTime, meanwhile uuid.UUID) {
	h.t.Helper()
	h.waitFor("the text to be found", 20*time.Second, func() bool {
		return h.state(l.text) == "delivered" || h.state(l.text) == "accepted" || h.state(l.text) == "sent"
	})
	h.waitFor("what was approved meanwhile to be delivered", 30*time.Second, func() bool { return h.state(meanwhile) == "delivered" })
	for _, id := range []uuid.UUID{l.mail, l.unsent} {
		h.waitFor("a person to be asked", 30*time.Second, func() bool { return h.state(id) == "needs_person" })
	}
	if _, body := h.as("tom-reyes").get("/messages/" + l.mail.String()); !strings.Contains(body, "Send again") || strings.Contains(body, "Sending is stopped.") {
		h.t.Error("the page does not ask what to do")
	}
	h.says(h.delivery(l.mail), "delivered")
	h.waitFor("the late report", 20*time.Second, func() bool { return h.state(l.mail) == "delivered" })
}

// The database is exchanged beneath running processes. Not one of the due notices goes out before somebody notices, nor
// afterwards.
func TestRestoreBeneath(t *testing.T) {
	t.Parallel()
	h := open(t, fenced(t))
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+14155550142")
	doctor := h.as("amara-osei")
	var sent []uuid.UUID
	for i := range 4 {
		sent = append(sent, h.approved(doctor, ada, "Ada Winter", []string{"sms", "email"}[i%2], 120))
	}
	h.due(10*time.Second, sent...)
	copied := clinictest.Snapshot(t, h.database)
	for _, id := range sent {
		h.waitFor("delivery in the time that will be lost", 60*time.Second, func() bool { return h.state(id) == "delivered" })
	}
	var generation, restored int64
	h.one(&generation, "SELECT generation FROM instance")
	clinictest.Restore(t, h.database, copied)
	h.waitFor("a running process to notice", 20*time.Second, h.held)
	h.one(&restored, "SELECT generation FROM instance")
	var witnessed int64
	h.one(&witnessed, "SELECT witnessed FROM instance")
	if restored >= generation || witnessed < generation {
		t.Errorf("the database was at %d, is at %d, and has been told of %d", generation, restored, witnessed)
	}
	var out strings.Builder
	must(t, app.Reconcile(context.Background(), h.config, app.Reconciling{}, &out))
	if !strings.Contains(out.String(), "Sending is allowed again") {
		t.Errorf("reconcile says %s", out.String())
	}
	fresh := h.approved(doctor, ada, "Ada Winter", "email", 0)
	h.waitFor("sending to go on", 30*time.Second, func() bool { return h.state(fresh) == "delivered" })
	for _, id := range append(sent, fresh) {
		if n := h.acceptedFor(id); n != 1 {
			t.Errorf("a notice that is %s was taken %d times", h.state(id), n)
		}
	}
}
