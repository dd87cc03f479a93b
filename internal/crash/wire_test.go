package crash

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
)

// Row «request on the wire, no answer», the headers written and not yet the body: no provider takes half a request.
func TestHeadersWritten(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	h.each("wire/headers-written", []answer{answers[0], answers[11]}, held(t))
	h.start("worker", "")
	h.rest(func(s *scene) want { return s.needsPerson(0) })
}

// held: after the kill the row is held by its lease, or a report of the provider was faster.
func held(t *testing.T) func(*scene) {
	return func(s *scene) {
		if state := s.state(); state == "queued" || s.tries() != 1 {
			t.Errorf("%s: after the kill it is %s, attempt %d", s.name, state, s.tries())
		}
	}
}

// Row «request on the wire, no answer»: all of it was written, and the worker died before an answer.
func TestRequestWritten(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	h.each("wire/request-written", answers, held(t))
	h.start("worker", "")
	h.rest((*scene).unheard)
}

// Row «202 received, record not committed», first half: the answer has just come in, whatever it says.
func TestAnswered(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	spoken := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.silent })
	h.each("wire/answered", spoken, held(t))
	h.start("worker", "")
	h.rest((*scene).unheard)
}

// Row «202 received, record not committed», second half: written, and rolled back by the death.
func TestRecordNotCommitted(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	h.each("delivery.record/before-commit", answers, held(t))
	h.start("worker", "")
	h.rest((*scene).unheard)
}

// One task of several rows, and its worker dies while some are on the wire and the others wait for a place: each row has its own
// end, and those that did not begin go as if nothing had been.
func TestTaskOfSeveralRows(t *testing.T) {
	h := open(t)
	h.web("")
	var due []clinic.Due
	for range 8 {
		due = append(due, clinic.Due{Deed: clinic.DeliverySend, ID: h.submitted(answers[0]).approve().delivery})
	}
	must(t, h.queue.Enqueue(context.Background(), due[0], due[1:]...))
	h.start("worker", silent+"kill=wire/answered", "WORKER_CONCURRENCY=3").dies()
	begun := map[*scene]bool{}
	for _, s := range h.cases {
		if s.state() != "queued" {
			begun[s] = true
		}
	}
	if n := len(begun); n == 0 || n > 3 {
		t.Errorf("%d rows had begun, with three places", n)
	}
	h.start("worker", "")
	h.rest(func(s *scene) want {
		if begun[s] && len(s.provider.accepted(t)) == 0 {
			return s.needsPerson(0)
		}
		return s.heard()
	})
}

// Row «recorded, asynq's Done lost»: asynq runs each task again, and the claim finds nothing to do.
func TestDoneLost(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	h.each("delivery.record/committed", answers, func(s *scene) {
		if state := s.state(); state == "sending" || s.tries() != 1 {
			t.Errorf("%s: after the kill it is %s, attempt %d", s.name, state, s.tries())
		}
	})
	// asynq sees after a minute that nobody holds these tasks any more. Here the minute is over.
	ctx := context.Background()
	orphans, err := h.redis.ZRange(ctx, "asynq:{deliver}:lease", 0, -1).Result()
	must(t, err)
	if len(orphans) < len(answers)/2 { // on a machine so busy that the minute is really over, the first are seen to
		t.Fatalf("asynq holds %d tasks of the dead, not %d", len(orphans), len(answers))
	}
	for _, task := range orphans {
		must(t, h.redis.ZAdd(ctx, "asynq:{deliver}:lease", redis.Z{Score: 1, Member: task}).Err())
	}
	h.start("worker", "")
	board := asynq.NewInspectorFromRedisClient(h.redis)
	await(t, "asynq to run every task again", func() bool {
		tasks, err := board.ListRetryTasks("deliver", asynq.PageSize(100))
		must(t, err)
		again := 0
		for _, task := range tasks {
			if task.LastErr == asynq.ErrLeaseExpired.Error() {
				again++
			}
		}
		return again == len(orphans)
	})
	h.rest((*scene).heard)
	if info, err := board.GetQueueInfo("deliver"); err != nil || info.Active+info.Archived+info.Retry != 0 {
		t.Errorf("the queue is not done with: %+v %v", info, err)
	}
}

// Row «202 received, record not committed», while Postgres is away: the worker knows and cannot write it down, and is
// killed with what it knows.
func TestPostgresAwayWhileRecording(t *testing.T) {
	h := open(t)
	postgres := through(t, h.env, "DATABASE_URL")
	direct := "DATABASE_URL=" + h.URL
	h.web("", direct)
	mail := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.channel != "email" }) // as many as one worker takes at once
	for _, a := range mail {
		h.submitted(a).approve()
	}
	release := h.outside.hold()
	defer release()
	dying := h.start("worker", "", "LOG_LEVEL=info")
	await(t, "every request to be on the wire", func() bool {
		return !slices.ContainsFunc(h.cases, func(s *scene) bool { return h.outside.requests(s.provider) == 0 })
	})
	postgres.cut(true)
	release()
	await(t, "the worker to know every answer", func() bool { return strings.Count(dying.said.String(), "delivery attempt") == len(mail) })
	dying.end(kill)
	if n := one[int](h, "SELECT count(*) FROM delivery_attempts WHERE finished_at IS NOT NULL"); n != 0 {
		t.Errorf("%d attempts were written down without Postgres", n)
	}
	h.start("worker", "", direct)
	h.rest((*scene).unheard)
}
