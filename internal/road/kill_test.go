package road

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// The worker is killed in the middle of a draft and Redis forgets everything: the draft is written all the same, by the
// next worker, and both attempts are on the record.
func TestKillMidDraft(t *testing.T) {
	t.Parallel()
	short := func(env map[string]string) {
		env["TIME_DRAFT_LEASE"], env["TIME_REENQUEUE"] = "8s", "1s" // long enough for a slow machine under the race detector
	}
	h := open(t, short)
	h.stopWork() // the worker of this test is a process of its own
	h.faults(`{"openai":[{"kind":"slow","probability":1,"ms":1500}]}`)
	binary := build(t, "worker")
	staff := h.actor("tom-reyes")
	id, err := h.app.Clinic().BriefCreate(context.Background(), staff, h.brief(h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", ""), "email"))
	must(t, err)
	must(t, h.app.Clinic().DraftRequest(context.Background(), staff, id, ""))
	first := h.worker(t, binary)
	state := func() (s string) {
		h.one(&s, "SELECT state FROM draft_requests WHERE message_id = $1", id)
		return s
	}
	h.waitFor("the first worker to write", 60*time.Second, func() bool { return state() == "writing" })
	must(t, first.Process.Kill())
	_ = first.Wait()
	options, err := redis.ParseURL(h.redis)
	must(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	must(t, client.FlushDB(context.Background()).Err())
	h.faults(`{"openai":[]}`)
	h.worker(t, binary)
	h.waitFor("the draft by the second worker", 90*time.Second, func() bool { return state() == "ready" })
	var attempts, drafts int
	h.one(&attempts, "SELECT attempt FROM draft_requests WHERE message_id = $1", id)
	h.one(&drafts, "SELECT count(*) FROM drafts WHERE message_id = $1", id)
	if attempts != 2 || drafts != 1 {
		t.Errorf("%d attempts and %d drafts; two and one are due", attempts, drafts)
	}
}

// worker starts a worker process and stops it with the test.
func (h *house) worker(t *testing.T, binary string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(binary)
	cmd.Env = append([]string{}, "PATH="+os.Getenv("PATH"))
	for name, value := range h.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}
