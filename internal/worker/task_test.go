package worker

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// gate is a provider that takes each notice when it is told to, and knows how many it had in hand at once.
type gate struct {
	open chan struct{}

	mu         sync.Mutex
	taken      []uuid.UUID
	inHand     int
	most       int
	panicsOver uuid.UUID
}

func (*gate) Name() string { return "gate" }

func (g *gate) Send(_ context.Context, p *clinic.Parcel) clinic.Outcome {
	g.mu.Lock()
	g.taken, g.inHand = append(g.taken, p.DeliveryID), g.inHand+1
	g.most = max(g.most, g.inHand)
	g.mu.Unlock()
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inHand--
	if p.DeliveryID == g.panicsOver {
		panic("cannot send to " + p.To.Reveal())
	}
	return clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: p.DeliveryID.String()}
}

func (g *gate) began() []uuid.UUID {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.taken)
}

// handful is a world with n notices that are due, one task in the queue for all of them, and a worker that looks for no others.
func handful(t *testing.T, n, concurrency int) (*world, *gate, []uuid.UUID) {
	t.Helper()
	w, g := newWorld(t, func(c *clinic.Config) { c.Nudge = nil }), &gate{open: make(chan struct{})}
	w.config.Senders, w.config.Concurrency, w.config.RelayEvery = map[string]clinic.Sender{"email": g, "sms": g}, concurrency, time.Hour
	var ids []uuid.UUID
	var due []clinic.Due
	for range n {
		ids = append(ids, w.delivery(t, w.Approved(t, w.Patient, "email")))
		due = append(due, clinic.Due{Deed: clinic.DeliverySend, ID: ids[len(ids)-1], Dispatch: 1})
	}
	if err := w.Exec(t, "UPDATE deliveries SET enqueued_at = now() + interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	if err := NewQueue(w.redis).Enqueue(t.Context(), due[0], due[1:]...); err != nil {
		t.Fatal(err)
	}
	return w, g, ids
}

// A task's rows are under way side by side, but never more of them than the worker may have.
func TestTaskRowsSideBySide(t *testing.T) {
	t.Parallel()
	w, g, ids := handful(t, 5, 3)
	w.start(t)
	eventually(t, "three are under way", func() bool { return len(g.began()) == 3 })
	close(g.open)
	eventually(t, "all are accepted", func() bool {
		return w.Count(t, "SELECT count(*) FROM deliveries WHERE state = 'accepted' AND attempt = 1") == len(ids)
	})
	if g.most != 3 {
		t.Errorf("%d were under way at once", g.most)
	}
	eventually(t, "the queue is empty", func() bool { return w.waiting(t, deliverQueue) == 0 })
}

// One row's panic is nothing to the others, and the task is tried again for it alone.
func TestTaskRowFailsAlone(t *testing.T) {
	t.Parallel()
	w, g, ids := handful(t, 4, 8)
	g.panicsOver = ids[1]
	close(g.open)
	w.start(t)
	queue := asynq.NewInspectorFromRedisClient(w.redis)
	var task *asynq.TaskInfo
	eventually(t, "the task waits for its retry", func() bool {
		tasks, err := queue.ListRetryTasks(deliverQueue)
		if err == nil && len(tasks) == 1 {
			task = tasks[0]
		}
		return task != nil
	})
	if task.LastErr != "panic" || len(strings.Fields(PayloadIDs(task.Payload))) != len(ids) {
		t.Errorf("the board shows %s and %q", PayloadIDs(task.Payload), task.LastErr)
	}
	if n := w.Count(t, "SELECT count(*) FROM deliveries WHERE state = 'accepted'"); n != len(ids)-1 {
		t.Errorf("%d are accepted", n)
	}
	if err := queue.RunTask(deliverQueue, task.ID); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue is empty", func() bool { return w.waiting(t, deliverQueue) == 0 })
	if n := len(g.began()); n != len(ids) {
		t.Errorf("the provider was called %d times for %d rows", n, len(ids))
	}
}

// A worker that is asked to stop begins none of a task's rows that still wait for a place. The task goes back to the queue, which
// costs it none of its tries, and the next worker has them.
func TestStopLeavesRowsThatDidNotBegin(t *testing.T) {
	t.Parallel()
	w, g, ids := handful(t, 3, 1)
	stop := w.start(t)
	eventually(t, "one is under way", func() bool { return len(g.began()) == 1 })
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	time.AfterFunc(200*time.Millisecond, func() { g.open <- struct{}{} })
	<-stopped
	if n := len(g.began()); n != 1 || w.Count(t, "SELECT count(*) FROM deliveries WHERE state = 'accepted'") != 1 {
		t.Errorf("%d began", n)
	}
	tasks, err := asynq.NewInspectorFromRedisClient(w.redis).ListRetryTasks(deliverQueue)
	if err != nil || len(tasks) != 1 || tasks[0].Retried != 0 || tasks[0].LastErr != "stopping" {
		t.Fatalf("%v: %d tasks wait: %+v", err, len(tasks), tasks)
	}
	close(g.open)
	w.start(t)
	eventually(t, "all are accepted", func() bool {
		return w.Count(t, "SELECT count(*) FROM deliveries WHERE state = 'accepted' AND attempt = 1") == len(ids)
	})
}
