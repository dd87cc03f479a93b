package worker

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
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
	each := routes[clinic.DeliverySend].rows
	for _, priority := range []int{3, 1, 0} {
		for n := range 3*relayHands*each - 1 { // the last task of a priority is not full
			due = append(due, clinic.Due{Deed: clinic.DeliverySend, ID: uuid.Must(uuid.NewV7()), Priority: priority})
			if n%each == 0 {
				seen.priority[due[len(due)-1].ID.String()+":0"] = priority
				seen.left[priority]++
			}
		}
	}
	w.redis.AddHook(seen)
	if err := worker.enqueueAll(context.Background(), due); err != nil {
		t.Fatal(err)
	}
	if n := w.waiting(t, deliverQueue); n != len(seen.priority) || seen.early > 0 || seen.left[0] > 0 {
		t.Errorf("%d tasks are in the queue for %d, %d began before what is more urgent", n, len(seen.priority), seen.early)
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

// Tasks take several deliveries and one draft each, never both, and fewer where the worker has few under way.
func TestRowsOfATask(t *testing.T) {
	t.Parallel()
	for concurrency, want := range map[int]string{64: "8 8 4 1 1 1", 16: "2 2 2 2 2 2 2 2 2 2 1 1 1", 4: strings.Repeat("1 ", 23)} {
		w := newWorld(t)
		w.config.Concurrency = concurrency
		worker, err := New(w.config)
		if err != nil {
			t.Fatal(err)
		}
		var due []clinic.Due
		for n := range 23 {
			deed := clinic.DeliverySend
			if n >= 20 {
				deed = clinic.DraftWrite
			}
			due = append(due, clinic.Due{Deed: deed, ID: uuid.Must(uuid.NewV7())})
		}
		if err := worker.enqueueAll(context.Background(), due); err != nil {
			t.Fatal(err)
		}
		var sizes []string
		var rows int
		for _, queue := range []string{deliverQueue, draftQueue} {
			tasks, err := asynq.NewInspectorFromRedisClient(w.redis).ListPendingTasks(queue, asynq.PageSize(100))
			if err != nil {
				t.Fatal(err)
			}
			of := len(sizes)
			for _, task := range tasks {
				ids := strings.Fields(PayloadIDs(task.Payload))
				rows += len(ids)
				sizes = append(sizes, fmt.Sprint(len(ids)))
			}
			slices.SortFunc(sizes[of:], func(a, b string) int { return cmp.Compare(b, a) })
		}
		if got := strings.Join(sizes, " "); got != strings.TrimSpace(want) || rows != len(due) {
			t.Errorf("with %d under way tasks take %s, %d rows in all", concurrency, got, rows)
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
