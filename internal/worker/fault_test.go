package worker

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"

	"countersign/internal/clinic"
	"countersign/internal/metrics"
)

// broken is a provider whose library panics with what it was given.
type broken struct{ called int }

func (*broken) Name() string { return "broken" }

func (b *broken) Send(_ context.Context, p *clinic.Parcel) clinic.Outcome {
	b.called++
	panic("cannot send to " + p.To.Reveal())
}

// A panic in a handler is caught and reported, its text never reaches Redis, and the task is kept for another try.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.Senders = map[string]clinic.Sender{"email": &broken{}, "sms": &broken{}}
	recovered, tagged := make(chan any, 4), make(chan map[string]string, 4)
	w.config.Recover = func(ctx context.Context, v any) { tagged <- tagsOf(ctx); recovered <- v }
	w.config.Tag = tag
	w.start(t)
	id := w.Approved(t, w.Patient, "email")
	if v := <-recovered; v == nil {
		t.Error("the panic was not reported")
	}
	if got := <-tagged; got["task"] != string(clinic.DeliverySend) || got["code"] != "panic" {
		t.Errorf("the report is tagged %v", got)
	}
	eventually(t, "the task waits for its retry", func() bool {
		tasks, err := asynq.NewInspectorFromRedisClient(w.redis).ListRetryTasks(deliverQueue)
		return err == nil && len(tasks) == 1 && tasks[0].LastErr == "panic" && tasks[0].MaxRetry == 3
	})
	w.redisHoldsNothingOf(t, "mail.example", "cannot send")
	if !w.state(t, id, "sending") {
		t.Error("an attempt that may have gone out is not held by its lease")
	}
}

type tagsKey struct{}

// tag keeps what a report would carry.
func tag(ctx context.Context, tags map[string]string) context.Context {
	all := maps.Clone(tags)
	for key, value := range tagsOf(ctx) {
		if all[key] == "" {
			all[key] = value
		}
	}
	return context.WithValue(ctx, tagsKey{}, all)
}

func tagsOf(ctx context.Context) map[string]string {
	tags, _ := ctx.Value(tagsKey{}).(map[string]string)
	return tags
}

// An error that nobody foresaw is reported with the task's kind and the code, by the handlers and by the loops.
func TestReportsAreTagged(t *testing.T) {
	t.Parallel()
	reported := make(chan map[string]string, 1)
	w := newWorld(t)
	w.config.Tag = tag
	w.config.Report = func(ctx context.Context, _ error) { reported <- tagsOf(ctx) }
	one, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	unforeseen := errors.New("unforeseen")
	task := asynq.NewTask(string(clinic.DraftWrite), []byte(`{"v":1,"id":"`+uuid.Must(uuid.NewV7()).String()+`"}`))
	if err := one.task(func(context.Context, uuid.UUID) error { return unforeseen })(context.Background(), task); err == nil || err.Error() != "internal" {
		t.Errorf("the task ended by %v", err)
	}
	if got := <-reported; got["task"] != string(clinic.DraftWrite) || got["code"] != "internal" {
		t.Errorf("the task's report is tagged %v", got)
	}
	ctx, stop := context.WithCancel(context.Background())
	one.every(ctx, "relay", round{step: func(context.Context) error { stop(); return unforeseen }, every: time.Hour})
	if got := <-reported; got["task"] != "relay" || got["code"] != "internal" {
		t.Errorf("the relay's report is tagged %v", got)
	}
}

// A task that fails for good is archived, with a code, where the board shows it.
func TestArchive(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := asynq.NewClientFromRedisClient(w.redis)
	if _, err := client.Enqueue(asynq.NewTask(string(clinic.DeliverySend), []byte(`{"v":2,"text":"cough"}`)), asynq.TaskID("x:1"),
		asynq.Queue(deliverQueue), asynq.MaxRetry(0)); err != nil {
		t.Fatal(err)
	}
	w.start(t)
	eventually(t, "the task is archived", func() bool {
		tasks, err := asynq.NewInspectorFromRedisClient(w.redis).ListArchivedTasks(deliverQueue)
		return err == nil && len(tasks) == 1 && tasks[0].LastErr == "bad_payload"
	})
}

// A worker that was frozen past the start window does not call the provider.
func TestStartWindow(t *testing.T) {
	t.Parallel()
	w, sender := newWorld(t), &broken{}
	w.config.Senders = map[string]clinic.Sender{"email": sender, "sms": sender}
	one, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	provider, out := one.attempt(context.Background(), &clinic.Parcel{Channel: "email", StartBy: time.Now().Add(-time.Millisecond)})
	if out.Class != clinic.OutcomeNotSent || out.Code != "start_window" || provider != "broken" || sender.called != 0 {
		t.Errorf("%s: %+v after %d calls", provider, out, sender.called)
	}
	if _, out := one.attempt(context.Background(), &clinic.Parcel{Channel: "pigeon"}); out.Class != clinic.OutcomeNotSent || out.Code != "no_provider" {
		t.Errorf("an unknown channel is %+v", out)
	}
}

// Readiness follows Redis and the relay, and is a code.
func TestReady(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.config.Metrics = metrics.New()
	one, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Ready(context.Background()); err == nil || err.Error() != "relay" {
		t.Errorf("a worker that has not begun is %v", err)
	}
	if err := one.relay(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := one.Ready(context.Background()); err != nil {
		t.Errorf("a worker that works is %v", err)
	}
	gone := w.redis.WithTimeout(time.Millisecond)
	gone.Close()
	if _, err := New(w.config); err == nil {
		t.Error("two workers share one registry of figures")
	}
}

func TestPayload(t *testing.T) {
	t.Parallel()
	id, other := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	for body, want := range map[string]string{
		`{"v":1,"id":"` + id.String() + `"}`:                                   id.String(),
		`{"v":1,"id":"` + id.String() + `","more":["` + other.String() + `"]}`: id.String() + " " + other.String(),
		`{"v":1,"id":"` + id.String() + `","more":["Rosa"]}`:                   "-", `{"v":1,"more":["` + id.String() + `"]}`: "-",
		`{"v":2,"id":"` + id.String() + `"}`: "-", `{"v":1}`: "-", `{"v":1,"id":"Rosa"}`: "-", `Rosa Delgado`: "-", ``: "-",
	} {
		if got := PayloadIDs([]byte(body)); got != want {
			t.Errorf("%q shows as %q", body, got)
		}
	}
}

func TestRetryDelay(t *testing.T) {
	t.Parallel()
	for n, least := range map[int]time.Duration{-1: 2 * time.Second, 0: 2 * time.Second, 1: 4 * time.Second, 3: 16 * time.Second, 4: 30 * time.Second, 1000: 30 * time.Second} {
		for range 100 {
			if got := retryDelay(n, nil, nil); got < least || got >= least+least/2 {
				t.Errorf("retry %d waits %s", n, got)
			}
		}
	}
}

func TestNewAsksForWhatItNeeds(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{}); err == nil {
		t.Error("a worker of nothing was made")
	}
	err := fault("panic")
	var known fault
	if !errors.As(error(err), &known) || err.SafeError() != "panic" {
		t.Error("a code is not itself")
	}
}
