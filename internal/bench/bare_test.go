package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// bare is how many transactions a second the same Postgres ends on so many connections when each is BEGIN, one UPDATE of
// one narrow row, COMMIT, and nothing else happens: no index beyond the key, no trigger, no second row.
func (s *stage) bare(connections int, d time.Duration) float64 {
	return s.loop(connections, d, func(ctx context.Context, pool *pgxpool.Pool, n int) error {
		return pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "UPDATE bare SET n = n + 1 WHERE id = $1", n)
			return err
		})
	})
}

// barer is the same in one round trip: the UPDATE alone, which commits by itself.
func (s *stage) barer(connections int, d time.Duration) float64 {
	return s.loop(connections, d, func(ctx context.Context, pool *pgxpool.Pool, n int) error {
		_, err := pool.Exec(ctx, "UPDATE bare SET n = n + 1 WHERE id = $1", n)
		return err
	})
}

func (s *stage) loop(connections int, d time.Duration, do func(context.Context, *pgxpool.Pool, int) error) float64 {
	ctx := context.Background()
	_, err := s.own.Exec(ctx, "CREATE TABLE IF NOT EXISTS bare (id int PRIMARY KEY, n bigint NOT NULL)")
	must(s.b, err)
	_, err = s.own.Exec(ctx, "INSERT INTO bare SELECT i, 0 FROM generate_series(1, 1000) i ON CONFLICT DO NOTHING")
	must(s.b, err)
	cfg, err := pgxpool.ParseConfig(s.URL)
	must(s.b, err)
	cfg.MaxConns = int32(connections)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	must(s.b, err)
	defer pool.Close()
	var done atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for n := range connections {
		all.Go(func() {
			for i := 0; time.Since(begun) < d; i++ {
				if err := do(ctx, pool, 1+(n+i*connections)%1000); err != nil {
					s.b.Errorf("the bare loop: %v", err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	return float64(done.Load()) / time.Since(begun).Seconds()
}

// emptyTasks is how many tasks a second asynq carries that do nothing, on the same Redis and with the worker's own
// settings for queue, task and server; one goroutine enqueues them, as the relay does.
func (s *stage) emptyTasks(n, concurrency int) float64 {
	const queue = "empty"
	var done atomic.Int64
	all := make(chan struct{})
	server := asynq.NewServerFromRedisClient(s.redis, asynq.Config{Concurrency: concurrency, Queues: map[string]int{queue: 1},
		TaskCheckInterval: 250 * time.Millisecond, LogLevel: asynq.ErrorLevel})
	handle := func(context.Context, *asynq.Task) error {
		if int(done.Add(1)) == n {
			close(all)
		}
		return nil
	}
	must(s.b, server.Start(asynq.HandlerFunc(handle)))
	defer server.Shutdown()
	client := asynq.NewClientFromRedisClient(s.redis)
	begun := time.Now()
	for range n {
		id := uuid.Must(uuid.NewV7())
		_, err := client.Enqueue(asynq.NewTask("empty", fmt.Appendf(nil, `{"v":1,"id":%q}`, id)), asynq.TaskID(id.String()+":1"), asynq.Queue(queue),
			asynq.MaxRetry(3), asynq.Timeout(80*time.Second))
		must(s.b, err)
	}
	select {
	case <-all:
	case <-time.After(time.Minute):
		s.b.Fatal("asynq did not end its empty tasks in a minute")
	}
	return float64(n) / time.Since(begun).Seconds()
}
