package worker

import (
	"context"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
)

// However many are handed over at once, the urgent are in the queue before the next ones begin.
func TestEnqueueAllKeepsPriorities(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	worker, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	seen := &handOver{priority: map[string]int{}, left: map[int]int{}}
	var due []clinic.Due
	for _, priority := range []int{3, 1, 0} {
		for range 3 * relayHands {
			due = append(due, clinic.Due{Deed: clinic.DeliverySend, ID: uuid.Must(uuid.NewV7()), Priority: priority})
			seen.priority[due[len(due)-1].ID.String()+":0"] = priority
			seen.left[priority]++
		}
	}
	w.redis.AddHook(seen)
	if err := worker.enqueueAll(context.Background(), due); err != nil {
		t.Fatal(err)
	}
	if n := w.waiting(t, deliverQueue); n != len(due) || seen.early > 0 {
		t.Errorf("%d of %d are in the queue, %d began before what is more urgent", n, len(due), seen.early)
	}
}

// handOver watches what is put into the queue.
type handOver struct {
	mu       sync.Mutex
	priority map[string]int // by task
	left     map[int]int    // how many of a priority are not in yet
	early    int            // began while a more urgent one was not in
}

func (h *handOver) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *handOver) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *handOver) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		for _, arg := range cmd.Args() {
			id, _ := arg.(string)
			if priority, ours := h.priority[id]; ours {
				h.begin(priority)
				defer h.end(priority)
			}
		}
		return next(ctx, cmd)
	}
}

func (h *handOver) begin(priority int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for other, left := range h.left {
		if other > priority && left > 0 {
			h.early++
		}
	}
}

func (h *handOver) end(priority int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.left[priority]--
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
