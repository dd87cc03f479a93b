package worker

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/openai"
	"countersign/internal/sandbox"
	"countersign/internal/sendgrid"
	"countersign/internal/twilio"
)

// world is a clinic on a database of its own, a Redis database of its own, and a sandbox that plays the providers.
type world struct {
	*clinictest.World
	redis    *redis.Client
	address  string            // of the sandbox
	settings map[string]string // that the sandbox gives
	config   Config
}

// reenqueue is how soon a row that was handed to the queue is handed over again in these tests.
const reenqueue = 300 * time.Millisecond

func newWorld(t *testing.T, options ...clinictest.Option) *world {
	t.Helper()
	w := &world{redis: newRedis(t)}
	queue := NewQueue(w.redis)
	w.World = clinictest.New(t, append([]clinictest.Option{func(c *clinic.Config) {
		c.Now = time.Now
		c.Times.Reenqueue = reenqueue
		c.Nudge = func(ctx context.Context, due clinic.Due) { _ = queue.Enqueue(ctx, due) }
	}}, options...)...)
	settings := w.play(t)
	w.settings = settings
	mail, err := sendgrid.New(sendgrid.Config{BaseURL: settings["SENDGRID_BASE_URL"], APIKey: settings["SENDGRID_API_KEY"], From: settings["MAIL_FROM"]})
	if err != nil {
		t.Fatal(err)
	}
	text, err := twilio.New(twilio.Config{BaseURL: settings["TWILIO_BASE_URL"], AccountSID: settings["TWILIO_ACCOUNT_SID"],
		AuthToken: settings["TWILIO_AUTH_TOKEN"], From: settings["TWILIO_FROM"]})
	if err != nil {
		t.Fatal(err)
	}
	model, err := openai.New(openai.Config{BaseURL: settings["OPENAI_BASE_URL"], APIKey: settings["OPENAI_API_KEY"], Model: "gpt-4.1-mini-2025-04-14"})
	if err != nil {
		t.Fatal(err)
	}
	w.config = Config{Clinic: w.Clinic, Redis: w.redis, Model: model, Senders: map[string]clinic.Sender{"email": mail, "sms": text},
		Shutdown: 5 * time.Second, RelayEvery: 50 * time.Millisecond, SweepEvery: 50 * time.Millisecond}
	return w
}

// play starts a sandbox whose webhooks go nowhere: these tests look at what the worker itself records.
func (w *world) play(t *testing.T) map[string]string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = "http://" + listener.Addr().String()
	s, err := sandbox.Open(sandbox.Options{BaseURL: "http://127.0.0.1:9", PublicURL: w.address, Dir: t.TempDir(), ModelDelay: time.Millisecond, CallbackDelay: time.Hour, ActivityDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.Handler()}
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Close()
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(gone)
	})
	return s.Settings()
}

func (w *world) faults(t *testing.T, body string) {
	t.Helper()
	resp, err := http.Post(w.address+"/faults", "application/json", strings.NewReader(body))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal("faults were not taken:", err)
	}
	resp.Body.Close()
}

// start runs a worker until the returned function has stopped it; a test that forgets is stopped at its end.
func (w *world) start(t *testing.T) (stop func()) {
	t.Helper()
	one, err := New(w.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- one.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error("the worker ended by", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

// state is a delivery's state, for the message it belongs to.
func (w *world) state(t *testing.T, message uuid.UUID, state string) bool {
	t.Helper()
	return w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND state = $2", message, state) == 1
}

// sent counts what the sandbox's provider accepted.
func (w *world) sent(t *testing.T) int {
	t.Helper()
	log, err := http.Get(w.address + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Body.Close()
	all, err := io.ReadAll(log.Body)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(all, []byte(`"provider":"sendgrid"`)) + bytes.Count(all, []byte(`"provider":"twilio"`))
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

// newRedis is a client on a Redis database of this test alone.
func newRedis(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(clinictest.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}
