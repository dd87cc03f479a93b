package crash

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// A worker that is asked to stop does not wait longer than SHUTDOWN_TIMEOUT for a provider. What that cuts off is
// recovered by its lease, and is not sent again.
func TestStopCutsOff(t *testing.T) {
	h := open(t)
	for name, value := range map[string]string{"SHUTDOWN_TIMEOUT": "1s", "TIME_PROVIDER_TIMEOUT": "4s", "TIME_LEASE": "8s"} {
		h.env[name] = value
	}
	h.web("")
	mute := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return !strings.Contains(a.fault, "timeout") })
	for _, a := range mute {
		h.submitted(a).approve()
	}
	stopping := h.start("worker", "")
	await(t, "every request to be on the wire", func() bool {
		return !slices.ContainsFunc(h.cases, func(s *scene) bool { return h.outside.requests(s.provider) == 0 })
	})
	begun := time.Now()
	stopping.end(syscall.SIGTERM)
	if took := time.Since(begun); stopping.cmd.ProcessState.ExitCode() != 0 || took < time.Second {
		t.Errorf("the worker stopped after %s: %s", took, stopping.cmd.ProcessState)
	}
	for _, s := range h.cases {
		if s.state() != "sending" {
			t.Errorf("%s: after the stop it is %s", s.name, s.state())
		}
	}
	if n := h.waiting(); n != len(h.cases) {
		t.Errorf("asynq put %d tasks back, not %d", n, len(h.cases))
	}
	h.start("worker", "")
	h.rest((*scene).unheard)
	for _, s := range h.cases {
		if h.outside.requests(s.provider) != 1 {
			t.Errorf("%s: it was sent again", s.name)
		}
	}
}

// asynq's own retries and its archive are for what could not be recorded: with Postgres away a task is tried again three
// times and then lies in the archive, where the board shows it with codes only. The message goes all the same.
func TestQueueBoardWithPostgresAway(t *testing.T) {
	h := open(t)
	postgres := through(t, h.env, "DATABASE_URL")
	h.web("", "DATABASE_URL="+h.URL)
	s := h.submitted(answers[0]).approve()
	postgres.cut(true)
	must(t, h.queue.Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: s.delivery}))
	h.start("worker", "")
	board := asynq.NewInspectorFromRedisClient(h.redis)
	for tried := 1; tried <= 3; tried++ {
		var task *asynq.TaskInfo
		await(t, "the task to wait for another try", func() bool {
			waiting, err := board.ListRetryTasks("deliver")
			if err == nil && len(waiting) == 1 {
				task = waiting[0]
			}
			return task != nil && task.Retried == tried
		})
		codesOnly(t, s, task)
		must(t, board.RunTask("deliver", task.ID)) // as the board's button does, and as its time would
	}
	await(t, "the task to be archived", func() bool {
		archived, err := board.ListArchivedTasks("deliver")
		if err != nil || len(archived) != 1 {
			return false
		}
		codesOnly(t, s, archived[0])
		return archived[0].Retried == 3 && archived[0].MaxRetry == 3
	})
	if s.state() != "queued" || s.tries() != 0 {
		t.Errorf("without Postgres it is %s, attempt %d", s.state(), s.tries())
	}
	postgres.cut(false)
	h.rest((*scene).heard)
}

var code = regexp.MustCompile(`^[a-z_]+$`)

func codesOnly(t *testing.T, s *scene, task *asynq.TaskInfo) {
	t.Helper()
	if want := `{"v":1,"id":"` + s.delivery.String() + `"}`; string(task.Payload) != want || task.LastErr != "database_away" || !code.MatchString(task.LastErr) {
		t.Errorf("the board shows %q and %q", task.Payload, task.LastErr)
	}
}
