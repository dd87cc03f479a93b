package crash

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/worker"
)

// gone is a time that is over: what is closed with it is cut off.
var gone = func() context.Context { ctx, cancel := context.WithCancel(context.Background()); cancel(); return ctx }()

// house is a clinic on a database and a Redis database of its own, the played providers, and the settings for real web
// and worker processes on all of it.
type house struct {
	*clinictest.World
	t       testing.TB
	outside *outside
	redis   *redis.Client
	pool    *pgxpool.Pool // the test's own eyes
	queue   *worker.Queue
	nudged  bool // an approval by deed tells the queue at once, as web does
	base    string
	env     map[string]string
	cases   []*scene
}

// scene is one message that is to go out, and how its provider answers.
type scene struct {
	answer
	h        *house
	message  uuid.UUID
	delivery uuid.UUID
	provider *played
}

// Short times, in the same order as the real ones.
var times = map[string]string{"TIME_LEASE": "7s", "TIME_PROVIDER_TIMEOUT": "3s", "TIME_START_WINDOW": "3s", "TIME_REENQUEUE": "4s",
	"TIME_LOOKUP_GRACE": "8s", "TIME_RECONCILE_EVERY": "250ms", "TIME_RELAY_EVERY": "250ms",
	"TIME_BREAKER_PAUSE": "20ms"} // a house full of failing providers would keep its channels shut

type option func(*house)

// nudging: what is approved is put on the queue at once.
func nudging(h *house) { h.nudged = true }

func open(t *testing.T, options ...option) *house {
	t.Helper()
	t.Parallel()
	h := &house{t: t}
	for _, o := range options {
		o(h)
	}
	port := freePort(t)
	h.base = "http://localhost:" + port
	address := clinictest.Redis(t)
	settings, err := redis.ParseURL(address)
	must(t, err)
	h.redis = redis.NewClient(settings)
	t.Cleanup(func() { _ = h.redis.Close() })
	h.queue = worker.NewQueue(h.redis)
	h.World = clinictest.New(t, func(c *clinic.Config) {
		c.Now, c.BaseURL = time.Now, h.base
		c.Nudge = func(ctx context.Context, due clinic.Due) {
			if h.nudged {
				_ = h.queue.Enqueue(ctx, due)
			}
		}
	})
	h.pool, err = pgxpool.New(context.Background(), h.URL)
	must(t, err)
	t.Cleanup(h.pool.Close)
	h.outside = openOutside(t, h.base)
	must(t, h.Exec(t, "UPDATE staff SET issuer = $1, subject = lower(replace(replace(name, 'Dr ', ''), ' ', '-'))", h.outside.address))
	h.env = h.outside.settings()
	for key, value := range times {
		h.env[key] = value
	}
	for key, value := range map[string]string{"APP_ENV": "local", "HOST": "127.0.0.1", "PORT": port, "BASE_URL": h.base, "DATABASE_URL": h.URL,
		"REDIS_URL": address, "DATABASE_MAX_CONNS": "6", "KEYSET": h.Keyset, "LOG_LEVEL": "warn", "SENTRY_DSN": "", "SHUTDOWN_TIMEOUT": "5s"} {
		h.env[key] = value
	}
	return h
}

func listen(t testing.TB) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l, strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// given are the ports that this run has given away: nobody listens there before a process starts, and between two of them.
var given sync.Map

// freePort finds a port for web below those that the system gives to outgoing connections and to others' ":0", and those of local's
// servers, whose tests run at the same time.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(14000 + rand.N(6000))
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		if l, err := net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatal("no free port")
	return ""
}

// web starts a web process and waits until it serves.
func (h *house) web(orders string, settings ...string) *process {
	h.t.Helper()
	p := h.start("web", orders, settings...)
	await(h.t, "web to be ready", func() bool {
		resp, err := http.Get(h.base + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return p
}

// silent is for a worker that is to die over one message: it looks for no other that is due. The order for its point
// comes behind it.
const silent = "seed=relay;"

// submitted brings a message to the doctor's table whose provider will answer in this way.
func (h *house) submitted(a answer) *scene {
	h.t.Helper()
	n := 100 + len(h.cases)
	mrn := fmt.Sprint(20000 + n)
	mail, phone := "p"+mrn+"@mail.example", "+1415555"+mrn[1:]
	if a.phone != "" {
		phone = a.phone
	}
	patient, err := h.Clinic.PatientCreate(context.Background(), h.Staff, clinic.PatientForm{Name: "Rosa Delgado", BirthDate: "1967-05-30", MRN: mrn,
		Language: "en", DoctorID: h.Doctor.ID, Email: mail, Phone: phone})
	must(h.t, err)
	to := map[string]string{"email": mail, "sms": phone}[a.channel]
	s := &scene{answer: a, h: h, provider: h.outside.play(to, a)}
	s.message = h.Submitted(h.t, patient, a.channel)
	h.Answer(h.t, h.Doctor, s.message)
	h.cases = append(h.cases, s)
	return s
}

// approve signs by deed.
func (s *scene) approve() *scene {
	s.h.t.Helper()
	must(s.h.t, s.h.Clinic.ReviewApprove(context.Background(), s.h.Doctor, s.message, s.version(), nil))
	s.find()
	return s
}

// find learns the delivery's id.
func (s *scene) find() {
	s.h.t.Helper()
	s.delivery = one[uuid.UUID](s.h, "SELECT id FROM deliveries WHERE message_id = $1", s.message)
}

func (s *scene) version() int {
	return one[int](s.h, "SELECT version FROM messages WHERE id = $1", s.message)
}

func (s *scene) state() string {
	return one[string](s.h, "SELECT coalesce((SELECT state FROM deliveries WHERE message_id = $1), '')", s.message)
}

// tries counts the attempts, those aside that a busy machine gave up by the clock before anything went out.
func (s *scene) tries() int {
	return one[int](s.h, `SELECT attempt - (SELECT count(*)::int FROM delivery_attempts WHERE delivery_id = d.id AND outcome = 'not_sent'
		AND error_class IN ('before_headers', 'start_window')) FROM deliveries d WHERE id = $1`, s.delivery)
}

// again does the relay's work for a worker that has none: what was given up by the clock, or whose nudge took Redis too
// long, is handed over once more.
func (s *scene) again() {
	s.h.t.Helper()
	if n := one[int](s.h, "SELECT coalesce((SELECT attempt FROM deliveries WHERE id = $1 AND state = 'queued' AND next_attempt_at <= now()), -1)", s.delivery); n >= 0 {
		must(s.h.t, s.h.queue.Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: s.delivery, Dispatch: n}))
	}
}

// one reads one value with the test's own eyes.
func one[T any](h *house, sql string, args ...any) (v T) {
	h.t.Helper()
	must(h.t, h.pool.QueryRow(context.Background(), sql, args...).Scan(&v))
	return v
}

func all[T any](h *house, sql string, args ...any) []T {
	h.t.Helper()
	rows, err := h.pool.Query(context.Background(), sql, args...)
	must(h.t, err)
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[T])
	must(h.t, err)
	return out
}
