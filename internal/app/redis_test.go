package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"countersign/internal/clinictest"
)

func redisAt(t *testing.T) *redis.Options {
	t.Helper()
	address := os.Getenv("TEST_REDIS_URL")
	if address == "" {
		t.Fatal("TEST_REDIS_URL is not set: run the tests with make test, which starts a Redis for them")
	}
	options, err := redisOptions(address)
	if err != nil {
		t.Fatal(err)
	}
	return options
}

// freeRedis is a client on a Redis database of this test alone.
func freeRedis(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redisOptions(clinictest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func listening(t *testing.T, rc *redis.Client) *Hub {
	t.Helper()
	h := NewHub(rc, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	eventually(t, "the hub listens", h.Healthy)
	return h
}

// What one process announces, the pages of another hear, and only those who asked for the name.
func TestHubTellsAcrossProcesses(t *testing.T) {
	t.Parallel()
	rc := freeRedis(t)
	here, there := listening(t, rc), NewHub(rc, slog.New(slog.DiscardHandler))
	mine, end := here.Subscribe([]string{"message-1", "worklist-9"})
	others, endOthers := here.Subscribe([]string{"message-2"})
	defer endOthers()
	if err := there.Publish(context.Background(), []string{"message-1", "worklist-9", "message-3"}); err != nil {
		t.Fatal(err)
	}
	got := []string{<-mine, <-mine}
	slices.Sort(got)
	if !slices.Equal(got, []string{"message-1", "worklist-9"}) {
		t.Errorf("heard %v", got)
	}
	if err := there.Publish(context.Background(), []string{"message-2"}); err != nil {
		t.Fatal(err)
	}
	if name := <-others; name != "message-2" {
		t.Errorf("heard %q", name)
	}
	end()
	end()
	if name, open := <-mine; open {
		t.Errorf("heard %q after the end", name)
	}
}

// A stop does not wait for the next message.
func TestHubStopsAtOnce(t *testing.T) {
	t.Parallel()
	h := NewHub(freeRedis(t), slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	eventually(t, "the hub listens", h.Healthy)
	began := time.Now()
	cancel()
	<-done
	if took := time.Since(began); took > 4*time.Second { // the wait for a message is five
		t.Errorf("it took %s", took)
	}
}

// A reader that is slow misses no name, and hears a name that changed a hundred times but once or twice.
func TestHubKeepsNamesForSlowReaders(t *testing.T) {
	t.Parallel()
	h := NewHub(nil, slog.New(slog.DiscardHandler))
	stream, end := h.Subscribe([]string{"a", "b"})
	defer end()
	for range 100 {
		h.tell([]string{"a"})
	}
	h.tell([]string{"b"})
	h.tell([]string{"c"})
	heard := map[string]int{}
	for heard["a"] == 0 || heard["b"] == 0 {
		heard[<-stream]++
	}
	if heard["a"] > 2 || heard["b"] > 1 {
		t.Errorf("heard %v", heard)
	}
}

// After a break of the connection everybody is told to ask again, because nobody knows what was missed.
func TestHubAfterABreak(t *testing.T) {
	t.Parallel()
	rc := freeRedis(t)
	h := listening(t, rc)
	stream, end := h.Subscribe([]string{"message-1"})
	defer end()
	ctx := context.Background()
	admin := redis.NewClient(redisAt(t))
	defer admin.Close()
	clients, err := admin.ClientList(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(clients) { // only this test's database, only its subscription
		if strings.Contains(line, fmt.Sprintf(" db=%d ", rc.Options().DB)) && strings.Contains(line, " sub=1 ") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			admin.ClientKillByFilter(ctx, "ID", id)
		}
	}
	eventually(t, "the subscriber is told to ask again", func() bool {
		select {
		case name := <-stream:
			return name == "message-1"
		default:
			return false
		}
	})
	eventually(t, "the hub is healthy again", h.Healthy)
}

// A hub without Redis says so, and ends its subscriptions when it stops.
func TestHubWithoutRedis(t *testing.T) {
	t.Parallel()
	options := redisAt(t)
	options.Addr = "127.0.0.1:1"
	rc := redis.NewClient(options)
	defer rc.Close()
	h := NewHub(rc, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.Run(ctx) }()
	stream, _ := h.Subscribe([]string{"a"})
	began := time.Now()
	short, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	defer stop()
	if err := h.Publish(short, []string{"a"}); err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("publishing took %s: %v", time.Since(began), err)
	}
	if h.Healthy() {
		t.Error("a hub without Redis says it is well")
	}
	cancel()
	<-done
	if _, open := <-stream; open {
		t.Error("a stream outlived the hub")
	}
	if late, _ := h.Subscribe([]string{"a"}); late != nil {
		if _, open := <-late; open {
			t.Error("a stopped hub told something")
		}
	}
}
