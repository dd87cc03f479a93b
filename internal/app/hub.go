package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/redis/go-redis/v9"
)

// channel is where every process says what changed: a JSON list of names, such as message-<id>, and never data.
const channel = "countersign:changed"

// Hub tells the open pages of this process what changed in any process. It is best effort by design: Redis pub/sub
// forgets, so after every break all subscribers are told to ask again, and while there is no connection Healthy is
// false and pages ask by themselves.
type Hub struct {
	redis   *redis.Client
	log     *slog.Logger
	healthy atomic.Bool

	mu     sync.Mutex
	closed bool
	subs   map[*subscription]bool
}

// NewHub prepares a hub; Run makes it listen. Publish works without Run.
func NewHub(rc *redis.Client, log *slog.Logger) *Hub {
	return &Hub{redis: rc, log: log, subs: map[*subscription]bool{}}
}

// Publish tells every process that these names changed.
func (h *Hub) Publish(ctx context.Context, names []string) error {
	message, err := json.Marshal(names)
	if err != nil {
		return err
	}
	return h.redis.Publish(ctx, channel, message).Err()
}

// Healthy is false while changes may be missed.
func (h *Hub) Healthy() bool { return h.healthy.Load() }

// Run listens until ctx ends, through every outage of Redis, and then ends all subscriptions.
func (h *Hub) Run(ctx context.Context) {
	defer h.close()
	pauses := backoff.NewExponentialBackOff()
	pauses.InitialInterval, pauses.MaxInterval = 100*time.Millisecond, 3*time.Second
	for ctx.Err() == nil {
		if h.listen(ctx) {
			pauses.Reset()
		}
		if h.healthy.Swap(false) && ctx.Err() == nil {
			h.log.WarnContext(ctx, "live updates are paused: Redis is away")
		}
		select {
		case <-time.After(pauses.NextBackOff()):
		case <-ctx.Done():
		}
	}
}

// listen is one connection's life; it says whether there was one.
func (h *Hub) listen(ctx context.Context) bool {
	pubsub := h.redis.Subscribe(ctx, channel)
	defer pubsub.Close()
	defer context.AfterFunc(ctx, func() { _ = pubsub.Close() })() // a wait for a message does not look at ctx
	confirm, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := pubsub.Receive(confirm); err != nil {
		return false
	}
	h.healthy.Store(true)
	h.tell(nil) // what was missed is not known: everybody asks again
	for {
		message, err := h.next(ctx, pubsub)
		if err != nil {
			return true
		}
		var names []string
		if message != nil && json.Unmarshal([]byte(message.Payload), &names) == nil && len(names) > 0 {
			h.tell(names)
		}
	}
}

// next waits for a message. When none has come for a while it asks the connection whether it still lives, so that a
// Redis that hangs is noticed.
func (h *Hub) next(ctx context.Context, pubsub *redis.PubSub) (*redis.Message, error) {
	for range 2 {
		received, err := pubsub.ReceiveTimeout(ctx, 5*time.Second)
		if err == nil {
			message, _ := received.(*redis.Message)
			return message, nil
		}
		if ctx.Err() != nil || !isTimeout(err) {
			return nil, err
		}
		if err := pubsub.Ping(ctx); err != nil {
			return nil, err
		}
	}
	return nil, context.DeadlineExceeded
}

func isTimeout(err error) bool {
	slow, ok := err.(interface{ Timeout() bool })
	return ok && slow.Timeout()
}

// Subscribe returns a channel of those of the names that changed and a function that ends the subscription. The
// channel is closed after that, and when the hub stops. A reader that is slow misses no name: a name that is already
// waiting for it is not queued twice.
func (h *Hub) Subscribe(names []string) (<-chan string, func()) {
	s := &subscription{names: slices.Clone(names), waiting: map[string]bool{}, out: make(chan string), wake: make(chan struct{}, 1), end: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		close(s.out)
		return s.out, func() {}
	}
	h.subs[s] = true
	go s.pump()
	return s.out, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.drop(s)
	}
}

func (h *Hub) drop(s *subscription) {
	if h.subs[s] {
		delete(h.subs, s)
		close(s.end)
	}
}

// tell passes names on to those who asked for them; nil means all names of everybody.
func (h *Hub) tell(names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		s.add(names)
	}
}

func (h *Hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.healthy.Store(false)
	for s := range h.subs {
		h.drop(s)
	}
}

// subscription is one open page's stream.
type subscription struct {
	names []string
	out   chan string
	wake  chan struct{}
	end   chan struct{}

	mu      sync.Mutex
	waiting map[string]bool
}

func (s *subscription) add(changed []string) {
	s.mu.Lock()
	for _, name := range s.names {
		if changed == nil || slices.Contains(changed, name) {
			s.waiting[name] = true
		}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *subscription) take() (name string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name = range s.waiting {
		delete(s.waiting, name)
		return name, true
	}
	return "", false
}

// pump is the only sender on out, and so the one that closes it.
func (s *subscription) pump() {
	defer close(s.out)
	for {
		select {
		case <-s.wake:
		case <-s.end:
			return
		}
		for name, ok := s.take(); ok; name, ok = s.take() {
			select {
			case s.out <- name:
			case <-s.end:
				return
			}
		}
	}
}
