package bench

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/worker"
)

// stage is a clinic with its servers, its programs and a provider, and the bench's own look at the database.
type stage struct {
	*clinictest.World
	b        *testing.B
	bin      string // folder of the programs
	env      map[string]string
	web      string // addresses without a slash at the end
	outside  string
	provider *program
	redisURL string
	redis    *redis.Client
	own      *pgxpool.Pool // the database's owner: looks, and puts rows back
	patients int           // made so far, for their record numbers
	logEnd   int64         // how much of the provider's log was read
	nudging  atomic.Bool   // whether an approval tells the queue at once
}

func open(b *testing.B) *stage {
	s := &stage{b: b, bin: build(b), redisURL: clinictest.Redis(b)}
	options, err := redis.ParseURL(s.redisURL)
	must(b, err)
	s.redis = redis.NewClient(options)
	b.Cleanup(func() { _ = s.redis.Close() })
	queue := worker.NewQueue(s.redis)
	webPort, outsidePort := freePort(b), freePort(b)
	s.web, s.outside = fmt.Sprintf("http://localhost:%d", webPort), fmt.Sprintf("http://localhost:%d", outsidePort)
	s.World = clinictest.New(b, func(c *clinic.Config) {
		c.Now, c.MaxConns, c.BaseURL = time.Now, 16, s.web
		c.Nudge = func(ctx context.Context, due clinic.Due) {
			if s.nudging.Load() {
				_ = queue.Enqueue(ctx, due)
			}
		}
		c.Announce = func(ctx context.Context, names []string) {
			_ = s.redis.Publish(ctx, "countersign-bench", strings.Join(names, " ")).Err()
		}
	})
	s.own, err = pgxpool.New(context.Background(), s.URL)
	must(b, err)
	b.Cleanup(s.own.Close)
	s.provider = s.start("countersign", []string{"sandbox"}, map[string]string{"SANDBOX_PORT": fmt.Sprint(outsidePort), "SANDBOX_DIR": b.TempDir(), "BASE_URL": s.web})
	s.awaitReady(s.outside + "/healthz")
	s.env = map[string]string{"APP_ENV": "local", "HOST": "localhost", "PORT": fmt.Sprint(webPort), "BASE_URL": s.web, "DATABASE_URL": s.URL,
		"REDIS_URL": s.redisURL, "KEYSET": s.Keyset, "METRICS_TOKEN": "a-token-for-the-bench", "SHUTDOWN_TIMEOUT": "5s",
		"LOG_LEVEL": "notice"} // as production has it
	for name, value := range settings(b, s.outside) {
		s.env[name] = value
	}
	s.env["SENTRY_DSN"] = ""
	s.quietProvider()
	return s
}

func settings(b *testing.B, outside string) map[string]string {
	resp, err := http.Get(outside + "/settings.env")
	must(b, err)
	defer resp.Body.Close()
	all := map[string]string{}
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), "=")
		all[name] = value
	}
	return all
}

func (s *stage) awaitReady(address string) {
	s.await("an answer of "+address, 30*time.Second, func() bool {
		resp, err := http.Get(address)
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// await asks until it is so, and fails with what it waited for.
func (s *stage) await(what string, most time.Duration, so func() bool) {
	s.b.Helper()
	for deadline := time.Now().Add(most); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.b.Fatalf("waited %s for %s", most, what)
		}
	}
}

// noReports is a provider that tells nothing: reports are a measure of their own.
const noReports = `{"kind":"silent","probability":1}`

// quietProvider lets the provider accept at once and tell nothing.
func (s *stage) quietProvider() {
	s.faults(`{"sendgrid":[` + noReports + `],"twilio":[` + noReports + `]}`)
}

func (s *stage) faults(body string) {
	resp, err := http.Post(s.outside+"/faults", "application/json", strings.NewReader(body))
	must(s.b, err)
	if _ = resp.Body.Close(); resp.StatusCode != http.StatusOK {
		s.b.Fatalf("the sandbox answers %d to %s", resp.StatusCode, body)
	}
}

func (s *stage) one(into any, sql string, args ...any) {
	s.b.Helper()
	must(s.b, s.own.QueryRow(context.Background(), sql, args...).Scan(into))
}

func freePort(b *testing.B) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func must(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
