package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
)

// The queues.
const (
	deliverQueue = "deliver"
	draftQueue   = "draft"
)

// weights are how many of ten looks begin at a queue; one that finds it empty costs a trip to Redis. A draft is under way for
// seconds and a notice for a moment, so when both wait, drafts get tasks enough.
var weights = map[string]int{deliverQueue: 9, draftQueue: 1}

// routes are how each deed's tasks are queued.
var routes = map[clinic.Deed]route{
	clinic.DeliverySend: {queue: deliverQueue, rows: 8, timeout: 80 * time.Second},
	clinic.DraftWrite:   {queue: draftQueue, rows: 1, timeout: 110 * time.Second},
}

type route struct {
	queue string
	rows  int // that one task may ask to look at
	// In whole seconds: asynq takes less than a second for half an hour. It is longer than the handler's own limits and only
	// catches one that hangs.
	timeout time.Duration
}

// maxRetry is for what could not be recorded. 0 would turn a crash into a silent archive.
const maxRetry = 3

// payload is all that a task says. A worker from before More looks at ID alone; the relay finds the others after a minute.
type payload struct {
	Version int         `json:"v"`
	ID      uuid.UUID   `json:"id"`
	More    []uuid.UUID `json:"more,omitempty"` // rows to look at as well
}

// Queue puts tasks on Redis. It is safe for concurrent use and shares its connections with whoever gave them.
type Queue struct{ client *asynq.Client }

// NewQueue queues on this Redis. It calls nobody.
func NewQueue(rc redis.UniversalClient) *Queue { return &Queue{asynq.NewClientFromRedisClient(rc)} }

// Enqueue asks a worker to look at a row, and at more of the same deed along with it. The task has the first row's name: the
// same dispatch of that one twice is one task and no error. It waits for Redis as long as ctx allows; its errors hold no
// payload.
func (q *Queue) Enqueue(ctx context.Context, due clinic.Due, more ...clinic.Due) error {
	way, ok := routes[due.Deed]
	if !ok {
		return fmt.Errorf("worker: %s is no task", due.Deed)
	}
	say := payload{Version: 1, ID: due.ID}
	for _, row := range more {
		say.More = append(say.More, row.ID)
	}
	body, err := json.Marshal(say)
	if err != nil {
		return err
	}
	_, err = q.client.EnqueueContext(ctx, asynq.NewTask(string(due.Deed), body),
		asynq.TaskID(fmt.Sprintf("%s:%d", due.ID, due.Dispatch)), asynq.Queue(way.queue),
		asynq.MaxRetry(maxRetry), asynq.Timeout(way.timeout))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

// PayloadIDs is what may be shown of a task's payload: the ids of its rows. Anything else shows as "-".
func PayloadIDs(body []byte) string {
	ids, err := readPayload(body)
	if err != nil {
		return "-"
	}
	var words []string
	for _, id := range ids {
		words = append(words, id.String())
	}
	return strings.Join(words, " ")
}

func readPayload(body []byte) ([]uuid.UUID, error) {
	var p payload
	if json.Unmarshal(body, &p) != nil || p.Version != 1 || p.ID == uuid.Nil {
		return nil, fault("bad_payload")
	}
	return append([]uuid.UUID{p.ID}, p.More...), nil
}

// retryDelay doubles from 2 s to 30 s, each with up to half as much again, so that tasks which failed together do not
// come back together.
func retryDelay(n int, _ error, _ *asynq.Task) time.Duration {
	wait := min(2*time.Second<<min(max(n, 0), 8), 30*time.Second)
	return wait + rand.N(wait/2)
}
