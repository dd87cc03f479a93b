package bench

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// sample is what the servers hold at one moment of rest.
type sample struct {
	deliveries    int
	redisBytes    int64
	redisKeys     int64
	redisClients  int64
	postgresConns int
}

// flat has one worker process send `total` notices, n at a time, and looks at Redis and Postgres after each round.
// Whatever piled up with each delivery would show.
func (s *stage) flat(total, n int) (samples []sample) {
	c := s.crew(1, nil)
	defer c.stop()
	c.send(n) // every connection has been in use after it
	for sent := 0; sent < total; {
		c.send(n)
		s.await("the queue to be empty", time.Minute, func() bool { return len(s.redis.Keys(context.Background(), "asynq:*:t:*").Val()) == 0 })
		sent += n
		samples = append(samples, s.sample(sent))
	}
	return samples
}

func (s *stage) sample(deliveries int) sample {
	ctx := context.Background()
	figures := s.redis.Info(ctx, "memory", "clients").Val()
	one := sample{deliveries: deliveries, redisKeys: s.redis.DBSize(ctx).Val(), redisBytes: figure(figures, "used_memory"), redisClients: figure(figures, "connected_clients")}
	s.one(&one.postgresConns, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
	return one
}

// figure reads name:value of Redis's INFO.
func figure(text, name string) int64 {
	_, rest, _ := strings.Cut(text, "\n"+name+":")
	value, _, _ := strings.Cut(rest, "\r")
	n, _ := strconv.ParseInt(value, 10, 64)
	return n
}

// flatness compares the last sample with the most that the first fifth of them held.
func flatness(samples []sample) []row {
	first, last := samples[0], samples[len(samples)-1]
	for _, early := range samples[:max(1, len(samples)/5)] {
		first = sample{early.deliveries, max(first.redisBytes, early.redisBytes), max(first.redisKeys, early.redisKeys),
			max(first.redisClients, early.redisClients), max(first.postgresConns, early.postgresConns)}
	}
	over := fmt.Sprintf("after %s deliveries, and at most in the first %s", grouped(float64(last.deliveries)), grouped(float64(first.deliveries)))
	memory := float64(last.redisBytes) / float64(first.redisBytes)
	return []row{
		{what: "Redis memory " + over, figure: kilobytes(last.redisBytes), beside: "early " + kilobytes(first.redisBytes), ratio: fmt.Sprintf("%.2f", memory),
			goal: "at most 1.1", met: memory <= 1.1},
		{what: "Redis keys", figure: fmt.Sprint(last.redisKeys), beside: fmt.Sprintf("early %d", first.redisKeys), goal: "no more", met: last.redisKeys <= first.redisKeys},
		{what: "connections to Redis", figure: fmt.Sprint(last.redisClients), beside: fmt.Sprintf("early %d", first.redisClients),
			goal: "no more than 2 more", met: last.redisClients <= first.redisClients+2},
		{what: "connections to Postgres", figure: fmt.Sprint(last.postgresConns), beside: fmt.Sprintf("early %d", first.postgresConns),
			goal: "no more than 2 more", met: last.postgresConns <= first.postgresConns+2},
	}
}

func kilobytes(n int64) string { return grouped(float64(n)/1024) + " kB" }

// history is the samples as a table of its own, some twenty of them.
func history(samples []sample) (rows []row) {
	step := max(1, len(samples)/20)
	for i := 0; i < len(samples); i += step {
		p := samples[i]
		rows = append(rows, info(grouped(float64(p.deliveries))+" deliveries", kilobytes(p.redisBytes),
			fmt.Sprintf("%d keys, %d connections; Postgres %d connections", p.redisKeys, p.redisClients, p.postgresConns)))
	}
	return rows
}
