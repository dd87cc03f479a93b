package road

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/app"
	"countersign/internal/clinictest"
	"countersign/internal/config"
	"countersign/internal/sandbox"
	"countersign/internal/seal"
)

// house is everything that make run starts, in one process, so that the race detector sees it all.
type house struct {
	t        testing.TB
	app      *app.App
	sandbox  *sandbox.Sandbox
	web      string // addresses without a slash at the end
	outside  string
	database string
	redis    string
	config   *config.Config
	env      map[string]string
	stopWeb  func()
	stopWork func()
}

type option func(env map[string]string)

// open starts a seeded house and closes it with the test.
func open(t testing.TB, options ...option) *house {
	t.Helper()
	h := &house{t: t, database: clinictest.DB(t), redis: clinictest.Redis(t)}
	webListener, webPort := listen(t)
	h.web = fmt.Sprintf("http://localhost:%d", webPort)
	h.openSandbox(t)
	keyset, err := seal.NewKeyset()
	must(t, err)
	h.env = map[string]string{"APP_ENV": "local", "PORT": fmt.Sprint(webPort), "BASE_URL": h.web, "DATABASE_URL": h.database, "REDIS_URL": h.redis,
		"KEYSET": keyset, "LOG_LEVEL": "error", "METRICS_TOKEN": "a-token-for-tests-only", "SHUTDOWN_TIMEOUT": "5s"}
	for k, v := range h.sandbox.Settings() {
		h.env[k] = v
	}
	for _, o := range options {
		o(h.env)
	}
	if owner := h.env["MIGRATE_DATABASE_URL"]; owner != "" {
		h.database = owner
	}
	if h.env["SIGN_IN"] == "oidc" { // as make run has it
		delete(h.env, "ACCESS_ISSUER")
		delete(h.env, "ACCESS_AUD")
		maps.Copy(h.env, h.sandbox.SettingsOIDC())
	}
	h.config, err = config.Load(func(name string) string { return h.env[name] })
	must(t, err)
	h.app, err = app.Open(context.Background(), h.config)
	must(t, err)
	t.Cleanup(func() { _ = h.app.Close() })
	must(t, app.Seed(context.Background(), h.config, io.Discard))
	h.exec("UPDATE clinics SET undo_seconds = 0")
	h.stopWeb = run(t, "web", func(ctx context.Context) error { return h.app.WebOn(ctx, webListener) })
	h.stopWork = run(t, "worker", h.app.Worker)
	h.waitFor("readyz", 10*time.Second, func() bool { return h.status("/readyz") == http.StatusOK })
	return h
}

func (h *house) openSandbox(t testing.TB) {
	t.Helper()
	listener, port := listen(t)
	h.outside = fmt.Sprintf("http://localhost:%d", port)
	var err error
	h.sandbox, err = sandbox.Open(sandbox.Options{BaseURL: h.web, PublicURL: h.outside, Dir: t.TempDir(), ModelDelay: 2 * time.Millisecond, CallbackDelay: 50 * time.Millisecond})
	must(t, err)
	server := &http.Server{Handler: h.sandbox.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = h.sandbox.Close(ctx)
		_ = server.Close()
	})
}

func listen(t testing.TB) (net.Listener, int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	return l, l.Addr().(*net.TCPAddr).Port
}

// run starts a part of the house and returns what stops it and waits.
func run(t testing.TB, name string, part func(context.Context) error) func() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%s ended with %v", name, err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// exec changes a row behind the house's back: for settings that no screen has yet, and for looking.
func (h *house) exec(sql string, args ...any) {
	h.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, h.database)
	must(h.t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql, args...)
	must(h.t, err)
}

func (h *house) one(into any, sql string, args ...any) {
	h.t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, h.database)
	must(h.t, err)
	defer conn.Close(ctx)
	must(h.t, conn.QueryRow(ctx, sql, args...).Scan(into))
}

func (h *house) status(path string) int {
	resp, err := http.Get(h.web + path)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// waitFor asks until it is so, and fails with what it waited for.
func (h *house) waitFor(what string, most time.Duration, so func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(most); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("waited %s for %s", most, what)
		}
	}
}

// lastID is the id in the last part of an address such as /drafts/ID.
func lastID(t testing.TB, address string) uuid.UUID {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	for i := len(parts) - 1; i >= 0; i-- {
		if id, err := uuid.Parse(parts[i]); err == nil {
			return id
		}
	}
	t.Fatalf("no id in %s", u.Path)
	return uuid.Nil
}
