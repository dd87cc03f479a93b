package worker

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// However many are handed over at once, the urgent are in the queue before the next ones.
func TestEnqueueAllKeepsPriorities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	var due []clinic.Due
	for _, priority := range []int{3, 1, 0} {
		for range 3 * relayHands {
			due = append(due, clinic.Due{Deed: clinic.DeliverySend, ID: uuid.Must(uuid.NewV7()), Priority: priority})
		}
	}
	if err := worker.enqueueAll(context.Background(), due); err != nil {
		t.Fatal(err)
	}
	waiting, err := asynq.NewInspectorFromRedisClient(w.redis).ListPendingTasks(deliverQueue, asynq.PageSize(len(due)))
	if err != nil || len(waiting) != len(due) {
		t.Fatalf("%d of %d are in the queue: %v", len(waiting), len(due), err)
	}
	priority := map[string]int{}
	for _, d := range due {
		priority[d.ID.String()] = d.Priority
	}
	for i, task := range waiting {
		if got := priority[PayloadID(task.Payload)]; got != due[i].Priority {
			t.Fatalf("place %d of the queue has priority %d, not %d", i, got, due[i].Priority)
		}
	}
}

// A row that cannot be queued is told: the relay stops, and finds it again.
func TestEnqueueAllTellsFailure(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	due := []clinic.Due{{Deed: clinic.DeliverySend, ID: uuid.Must(uuid.NewV7())}, {Deed: "no.task", ID: uuid.Must(uuid.NewV7())}}
	if err := worker.enqueueAll(context.Background(), due); err == nil {
		t.Error("a row that no task takes was queued")
	}
}
