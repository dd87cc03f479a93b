package crash

import (
	"context"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// Row «before the approve commit»: the browser sees a broken connection and nothing is there. The same click on a web
// that lives is the first.
func TestBeforeApproveCommit(t *testing.T) {
	h := open(t)
	h.start("worker", "")
	dying := h.web("kill=review.approve/before-commit")
	s := h.submitted(answers[0])
	doctor, version := h.as("amara-osei"), strconv.Itoa(s.version())
	status, _, err := doctor.post("/reviews/"+s.message.String()+"/approve", version)
	dying.dies()
	if err == nil {
		t.Errorf("the browser of a web that died is answered %d", status)
	}
	if n := one[int](h, `SELECT count(*) FROM messages WHERE id = $1 AND (status <> 'in_review' OR version::text <> $2 OR final_mac IS NOT NULL)`, s.message, version) +
		one[int](h, "SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM pages) + (SELECT count(*) FROM audit_events WHERE deed = 'review.approve')"); n != 0 {
		t.Errorf("an approval that was not committed left %d traces", n)
	}
	h.web("")
	if status, body, err := doctor.post("/reviews/"+s.message.String()+"/approve", version); err != nil || status != http.StatusOK {
		t.Fatalf("the second click is answered %d %v: %.300s", status, err, body)
	}
	s.find()
	h.rest((*scene).heard)
}

// Row «commit, before enqueue»: the browser sees a broken connection, and the relay sends within three seconds.
func TestApprovedNotEnqueued(t *testing.T) {
	h := open(t)
	h.web("").end(kill)
	doctor := (*person)(nil)
	for _, a := range answers {
		s := h.submitted(a)
		dying := h.web("kill=review.approve/committed")
		if doctor == nil {
			doctor = h.as("amara-osei")
		}
		if status, _, err := doctor.post("/reviews/"+s.message.String()+"/approve", strconv.Itoa(s.version())); err == nil {
			t.Errorf("%s: the browser of a web that died is answered %d", a.name, status)
		}
		dying.dies()
		s.find()
		if h.waiting() != 0 || s.state() != "queued" {
			t.Errorf("%s: %d tasks, and it is %s", a.name, h.waiting(), s.state())
		}
	}
	h.web("")
	up := h.start("worker", "", "LOG_LEVEL=info")
	up.says("worker is up")
	begun := time.Now()
	await(t, "every first attempt", func() bool {
		return one[int](h, "SELECT count(*) FROM delivery_attempts WHERE attempt = 1") == len(answers)
	})
	took := time.Since(begun).Round(time.Millisecond)
	if t.Logf("the relay and %d claims took %s", len(answers), took); took > 10*time.Second { // 3 s at rest, but others' tests run beside this one
		t.Errorf("the relay took %s", took)
	}
	h.rest((*scene).heard)
}

// lose makes Redis forget everything, as a FLUSHALL or a lost disk does.
func (h *house) lose() {
	h.t.Helper()
	must(h.t, h.redis.FlushDB(context.Background()).Err()) // the database that this test has claimed
}

// Row «enqueue, then FLUSHALL or Redis lost»: once before anybody had marked the rows, and once after the relay had.
func TestRedisLost(t *testing.T) {
	for name, marked := range map[string]bool{"nudged": false, "relayed": true} {
		t.Run(name, func(t *testing.T) {
			h := open(t, nudging)
			h.nudged = !marked
			h.web("")
			for _, a := range answers {
				h.submitted(a).approve()
			}
			if marked {
				_, err := h.redis.SAdd(context.Background(), "asynq:queues", "deliver").Result() // a queue that has had tasks
				must(t, err)
				must(t, asynq.NewInspectorFromRedisClient(h.redis).PauseQueue("deliver")) // the dying worker only relays
				h.start("worker", "kill=relay/enqueued").dies()
			}
			marks := one[int](h, "SELECT count(*) FROM deliveries WHERE enqueued_at IS NOT NULL AND dispatch = 1")
			if n := h.waiting(); n != len(answers) || (marks == len(answers)) != marked {
				t.Errorf("%d tasks, %d rows are marked", n, marks)
			}
			h.lose()
			h.start("worker", "")
			h.rest((*scene).heard)
		})
	}
}

// Row «relay marked, not enqueued»: the relay finds the rows again when the mark is old.
func TestRelayMarkedNotEnqueued(t *testing.T) {
	h := open(t)
	h.web("")
	for _, a := range answers {
		h.submitted(a).approve()
	}
	h.start("worker", "kill=relay/marked").dies()
	if n := one[int](h, "SELECT count(*) FROM deliveries WHERE enqueued_at IS NOT NULL AND dispatch = 1 AND state = 'queued'"); n != len(answers) || h.waiting() != 0 {
		t.Errorf("%d rows are marked, and %d tasks are there", n, h.waiting())
	}
	h.start("worker", "")
	h.rest((*scene).heard)
	if n := one[int](h, "SELECT count(*) FROM deliveries WHERE dispatch < 2"); n != 0 {
		t.Errorf("%d rows were never marked again", n)
	}
}

// Row «enqueued twice»: three tasks for each row before anybody works, two workers, and the relay beside them.
func TestEnqueuedTwice(t *testing.T) {
	h := open(t)
	h.web("")
	for _, a := range answers {
		s := h.submitted(a).approve()
		for n := range 3 {
			must(t, h.queue.Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: s.delivery, Dispatch: 1000 + n}))
		}
	}
	if n := h.waiting(); n != 3*len(answers) {
		t.Errorf("%d tasks, want three for each row", n)
	}
	h.start("worker", "")
	h.start("worker", "")
	h.rest((*scene).heard)
}

// each lets a worker die over one message after the other.
func (h *house) each(point string, which []answer, then func(*scene)) {
	h.t.Helper()
	for _, a := range which {
		s := h.submitted(a)
		dying := h.start("worker", silent+"kill="+point)
		s.approve()
		await(h.t, dying.name+" to die", func() bool { s.again(); return dying.isOver() })
		dying.dies()
		then(s)
	}
}

// Beside the row «claim committed»: a claim that was not committed never was.
func TestClaimNotCommitted(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	h.each("delivery.claim/before-commit", answers[:1], func(s *scene) {
		if s.state() != "queued" || s.tries() != 0 {
			t.Errorf("%s: after the kill it is %s, attempt %d", s.name, s.state(), s.tries())
		}
	})
	h.start("worker", "")
	h.rest((*scene).heard)
}

// Row «claim committed, before the first byte»: nobody knows that nothing went out, so a person is asked; and when they
// have it sent again, the provider answers in each way.
func TestClaimCommitted(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	h.each("delivery.claim/committed", answers, func(s *scene) {
		if s.state() != "sending" || s.tries() != 1 {
			t.Errorf("%s: after the kill it is %s, attempt %d", s.name, s.state(), s.tries())
		}
	})
	h.start("worker", "")
	h.rest(func(s *scene) want { return s.needsPerson(0) })
	staff := h.as("tom-reyes")
	for _, s := range h.cases {
		if h.outside.requests(s.provider) != 0 {
			t.Errorf("%s: a byte went out", s.name)
		}
		rev := one[int](h, "SELECT rev FROM deliveries WHERE id = $1", s.delivery)
		if status, body, err := staff.post("/deliveries/"+s.delivery.String()+"/resend", strconv.Itoa(rev)); err != nil || status != http.StatusOK {
			t.Errorf("%s: send again is answered %d %v: %.200s", s.name, status, err, body)
		}
	}
	h.rest(func(s *scene) want { return s.heard().after(1) })
}
