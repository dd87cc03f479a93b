package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
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

// route is how a deed's tasks are queued. The timeout is in whole seconds: asynq takes less than a second for half an
// hour. It is longer than the handler's own limits and only catches one that hangs.
var routes = map[clinic.Deed]struct {
	queue   string
	timeout time.Duration
}{
	clinic.DeliverySend: {deliverQueue, 80 * time.Second},
	clinic.DraftWrite:   {draftQueue, 110 * time.Second},
}

// maxRetry is for what could not be recorded. 0 would turn a crash into a silent archive.
const maxRetry = 3

type payload struct {
	Version int       `json:"v"`
	ID      uuid.UUID `json:"id"`
}

// Queue puts tasks on Redis. It is safe for concurrent use and shares its connections with whoever gave them.
type Queue struct{ client *asynq.Client }

// NewQueue queues on this Redis. It calls nobody.
func NewQueue(rc redis.UniversalClient) *Queue { return &Queue{asynq.NewClientFromRedisClient(rc)} }

// Enqueue asks a worker to look at the row. The same dispatch twice is one task and no error. It waits for Redis as
// long as ctx allows; its errors hold no payload.
func (q *Queue) Enqueue(ctx context.Context, due clinic.Due) error {
	way, ok := routes[due.Deed]
	if !ok {
		return fmt.Errorf("worker: %s is no task", due.Deed)
	}
	body, err := json.Marshal(payload{1, due.ID})
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

// PayloadID is what may be shown of a task's payload: the id of its row. Anything else shows as "-".
func PayloadID(body []byte) string {
	id, err := readPayload(body)
	if err != nil {
		return "-"
	}
	return id.String()
}

func readPayload(body []byte) (uuid.UUID, error) {
	var p payload
	if json.Unmarshal(body, &p) != nil || p.Version != 1 || p.ID == uuid.Nil {
		return uuid.Nil, fault("bad_payload")
	}
	return p.ID, nil
}

// retryDelay doubles from 2 s to 30 s, each with up to half as much again, so that tasks which failed together do not
// come back together.
func retryDelay(n int, _ error, _ *asynq.Task) time.Duration {
	wait := min(2*time.Second<<min(max(n, 0), 8), 30*time.Second)
	return wait + rand.N(wait/2)
}
