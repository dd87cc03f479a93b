// Package worker carries out what Postgres says is due: it relays due rows to the queue, sends notices and has drafts
// written.
//
// It knows asynq and the order of claim, act and record. It decides nothing: the claim in Postgres says whether there
// is anything to do, and the queue only says "look at row X now". Redis may forget, repeat or delay every task without
// a message being lost, doubled or late by more than a minute. It knows no provider, only clinic.Sender and
// clinic.Model, and no database.
//
// A task's payload is the ids of the rows to look at and its errors are codes, because both can be read in Redis, in logs and
// on the queue board.
package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/semaphore"

	"countersign/internal/clinic"
	"countersign/internal/metrics"
)

// Config is what a worker needs. Clinic, Redis, Model and both senders are required.
type Config struct {
	Clinic  *clinic.Clinic
	Redis   redis.UniversalClient
	Senders map[string]clinic.Sender // by channel: email and sms; one that is a clinic.Finder is asked about what is unknown
	Model   clinic.Model

	ProviderTime time.Duration // of one attempt at a provider; 20 s unless set
	Shutdown     time.Duration // how long tasks may finish once the worker is asked to stop; 25 s unless set

	// Between two looks of a job; unless set, what clinic.Jobs says.
	RelayEvery   time.Duration // at what is due
	SweepEvery   time.Duration // for leases that ran out, at what is unknown, and at what people are to be told
	SealEvery    time.Duration // for what is new on the audit trail
	AnchorEvery  time.Duration // between two checkpoints that go outside
	RemindEvery  time.Duration // at messages that nobody has opened
	NightlyEvery time.Duration // whether the night's work is due; 1 min unless set
	JobsEvery    time.Duration // whether somebody asked for a job to run now

	Concurrency int // rows under way at once; 64 unless set
	Alerts      Alerts

	// Anchor writes a checkpoint outside the database; the same one again is no error. It may be nil.
	Anchor func(ctx context.Context, c clinic.Checkpoint) error
	// Anchors reads all of them, for a verification. It may be nil.
	Anchors func(ctx context.Context) ([]clinic.Anchor, error)

	Metrics *metrics.Metrics // may be nil
	Log     *slog.Logger     // discards unless set
	// Report hears of errors that nobody foresaw, Recover of panics, in the deferred call itself. Both may be nil.
	Report  func(ctx context.Context, err error)
	Recover func(ctx context.Context, v any)
	// Tag gives the context of Report and Recover the task's kind (task) and the error's code (code). It may be nil.
	Tag func(ctx context.Context, tags map[string]string) context.Context
	// Trace begins a trace of an operation; done ends it under a name, or drops it without one. It may be nil.
	Trace func(ctx context.Context, op string) (_ context.Context, done func(name string, status, queries int))
	// CheckIn tells who watches scheduled jobs of each run of one that is Watched. It may be nil.
	CheckIn func(job string, every, took time.Duration, ok bool)
}

// Worker runs until its context ends. Make one by New.
type Worker struct {
	cfg      Config
	queue    *Queue
	outcomes *prometheus.CounterVec
	stopping context.Context     // ends when the worker is asked to stop
	underWay *semaphore.Weighted // a place for each row, Config.Concurrency in all
	relaying atomic.Int64        // when the relay last looked, in Unix milliseconds
	jobs     jobs
}

// New checks the configuration and calls nobody.
func New(cfg Config) (*Worker, error) {
	if cfg.Clinic == nil || cfg.Redis == nil || cfg.Model == nil || cfg.Senders["email"] == nil || cfg.Senders["sms"] == nil {
		return nil, errors.New("worker: a clinic, Redis, a model and senders for email and sms are required")
	}
	standard := func(job string) time.Duration { return clinic.JobOf(job).Every }
	defaults := map[*time.Duration]time.Duration{&cfg.ProviderTime: 20 * time.Second, &cfg.Shutdown: 25 * time.Second, &cfg.NightlyEvery: time.Minute,
		&cfg.RelayEvery: standard("relay"), &cfg.SweepEvery: standard("sweep"), &cfg.SealEvery: standard("ledger"), &cfg.AnchorEvery: standard(anchorsJob),
		&cfg.JobsEvery: standard("jobs"), &cfg.RemindEvery: standard(clinic.JobRemindersName), &cfg.Alerts.Every: standard("alerts")}
	for setting, usual := range defaults {
		if *setting <= 0 {
			*setting = usual
		}
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = 64
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Report == nil {
		cfg.Report = func(context.Context, error) {}
	}
	if cfg.Recover == nil {
		cfg.Recover = func(context.Context, any) {}
	}
	if cfg.Alerts.Repeat <= 0 {
		cfg.Alerts.Repeat = 4 * time.Hour
	}
	if cfg.Trace == nil {
		cfg.Trace = func(ctx context.Context, _ string) (context.Context, func(string, int, int)) {
			return ctx, func(string, int, int) {}
		}
	}
	if cfg.CheckIn == nil {
		cfg.CheckIn = func(string, time.Duration, time.Duration, bool) {}
	}
	if cfg.Tag == nil {
		cfg.Tag = func(ctx context.Context, _ map[string]string) context.Context { return ctx }
	}
	w := &Worker{cfg: cfg, queue: NewQueue(cfg.Redis), stopping: context.Background(), underWay: semaphore.NewWeighted(int64(cfg.Concurrency)), outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "countersign_delivery_attempts_total", Help: "Attempts at a provider by what they came to."}, []string{"provider", "class"})}
	if cfg.Metrics != nil {
		for _, figures := range []prometheus.Collector{w.outcomes, newCounts(cfg.Clinic)} {
			if err := cfg.Metrics.Registry().Register(figures); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// Run works until ctx ends, then takes no new task, lets those under way finish for Config.Shutdown, and returns nil.
// What is cut off is recovered by its lease. Redis or Postgres being away is no error: Run goes on and tries again.
func (w *Worker) Run(ctx context.Context) error {
	w.stopping = ctx
	server := asynq.NewServerFromRedisClient(w.cfg.Redis, asynq.Config{
		Concurrency:              w.cfg.Concurrency,
		Queues:                   weights,
		TaskCheckInterval:        250 * time.Millisecond,
		DelayedTaskCheckInterval: 2 * time.Second,
		ShutdownTimeout:          w.cfg.Shutdown,
		RetryDelayFunc:           retryDelay,
		IsFailure:                isFailure,
		ErrorHandler:             asynq.ErrorHandlerFunc(w.failed),
		Logger:                   asynqLog{w.cfg.Log},
		LogLevel:                 asynq.WarnLevel,
	})
	if err := server.Start(w.mux()); err != nil {
		return err
	}
	var loops sync.WaitGroup
	rounds := w.rounds()
	for _, job := range clinic.Jobs {
		if r, ours := rounds[job.Name]; ours {
			loops.Go(func() { w.every(ctx, job.Name, r) })
		}
	}
	<-ctx.Done()
	server.Stop() // before waiting for anything: a loop may take half a minute to end
	w.cfg.Log.Log(ctx, notice, "worker takes no new tasks")
	server.Shutdown()
	loops.Wait()
	return nil
}

// mux gives each deed its method.
func (w *Worker) mux() *asynq.ServeMux {
	mux := asynq.NewServeMux()
	mux.HandleFunc(string(clinic.DeliverySend), w.task(w.deliverySend))
	mux.HandleFunc(string(clinic.DraftWrite), w.task(w.draftWrite))
	return mux
}

// Ready says whether the worker can work: Postgres and Redis answer, and the relay has looked in the last half minute.
func (w *Worker) Ready(ctx context.Context) error {
	if err := w.cfg.Clinic.Ready(ctx); err != nil {
		return fault("postgres")
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := w.cfg.Redis.Ping(ctx).Err(); err != nil {
		return fault("redis")
	}
	if last := time.UnixMilli(w.relaying.Load()); time.Since(last) > 30*time.Second {
		return fault("relay")
	}
	return nil
}
