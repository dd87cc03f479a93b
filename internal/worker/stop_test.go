package worker

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
)

// A worker that is asked to stop takes no new task and lets those under way end, also while something else of it takes long: it may
// be half a minute until somebody has heard of an alert, and by then the platform has killed it, with what it took meanwhile.
func TestStopWaitsForNobodyBeforeTasksEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	begun, heard := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.config.Alerts = Alerts{Every: 100 * time.Millisecond, Tell: map[string]func(context.Context, clinic.AlertNotice) string{"webhook": func(context.Context, clinic.AlertNotice) string {
		once.Do(func() { close(begun) })
		<-heard
		return ""
	}}}
	seen, err := w.Clinic.InstanceSee(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop := w.start(t)
	if err := w.Clinic.InstanceHold(t.Context(), clinic.WorkerActor("fence"), seen, clinic.HeldBehind, 7); err != nil {
		t.Fatal(err)
	}
	<-begun
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	defer func() { close(heard); <-stopped }()
	queue := asynq.NewInspectorFromRedisClient(w.redis)
	eventually(t, "the worker has left the queue", func() bool {
		servers, err := queue.Servers()
		return err == nil && len(servers) == 0
	})
	select {
	case <-stopped:
		t.Error("it ended before the notice that it had begun")
	default:
	}
}
