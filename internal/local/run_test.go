package local

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// testProduct copies the small product in testdata to a folder of its own, and prepares to run it on free ports.
func testProduct(t *testing.T, environ ...string) (*Local, *transcript) {
	t.Helper()
	dir := testFolder(t)
	root := filepath.Join(dir, "checkout")
	if err := os.CopyFS(root, os.DirFS("testdata/product")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module product\n\ngo 1.26\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"PORT", "SANDBOX_PORT"} {
		port, err := LowPort()
		if err != nil {
			t.Fatal(err)
		}
		environ = append(environ, variable+"="+port)
	}
	for _, name := range []string{"PATH", "HOME", "GOPATH", "GOCACHE", "GOFLAGS", "GOTOOLCHAIN"} {
		if value := os.Getenv(name); value != "" {
			environ = append(environ, name+"="+value)
		}
	}
	said := &transcript{}
	l, err := New(root, environ, said)
	if err != nil {
		t.Fatal(err)
	}
	l.state = filepath.Join(dir, "state")
	return l, said
}

// runUntilUp runs the product and returns, once it stands, the way to stop it and the channel with its exit code.
func runUntilUp(t *testing.T, l *Local, said *transcript) (stop context.CancelCauseFunc, code <-chan int) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(context.Background())
	ended := make(chan int, 1)
	from := len(said.String())
	go func() { ended <- l.Run(ctx) }()
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(said.String()[from:], "Ctrl-C"); time.Sleep(20 * time.Millisecond) {
		if len(ended) > 0 || time.Now().After(deadline) {
			cancel(nil)
			t.Fatalf("it does not come up:\n%s", said)
		}
	}
	return cancel, ended
}

func TestRun(t *testing.T) {
	t.Parallel()
	l, said := testProduct(t, "OPENAI_API_KEY=mine")
	stop, code := runUntilUp(t, l, said)
	mustContain(t, said.String(), "release  | done\n", "seed     | done\n",
		"web      | APP_ENV is local\n", "web      | BASE_URL is http://localhost:"+l.env.Get("PORT")+"\n",
		"web      | KEYSET is a-keyset\n", "web      | OPENAI_MODEL is sandbox-model\n", "web      | OPENAI_API_KEY is mine\n",
		"web      | DATABASE_URL is set: true\n", "web      | MIGRATE_DATABASE_URL is set: true\n",
		"web      | REDIS_URL is set: true\n", "web      | BLOB_URL is file://"+filepath.Join(l.state, "run", "blob")+"\n", "web      | METRICS_TOKEN is set: true\n",
		"http://localhost:"+l.env.Get("SANDBOX_PORT")+"/sign-in", "Dr Amara Osei")
	if code := l.Reset(); code != 1 {
		t.Errorf("reset while running ends with %d, want 1", code)
	}
	stop(Interrupted{syscall.SIGTERM})
	if got := within(t, "the end", code); got != 0 {
		t.Errorf("exit code %d after being asked to stop, want 0", got)
	}
	text := said.String()
	mustContain(t, text, "stopping web, worker, sandbox, redis, postgres\n", "web      | stopped\n", "worker   | stopped\n", "sandbox  | stopped\n")

	t.Run("a child dies", func(t *testing.T) {
		_, code := runUntilUp(t, l, said)
		if response, err := http.Get("http://127.0.0.1:" + l.env.Get("PORT") + "/leave"); err == nil {
			_ = response.Body.Close()
		}
		if got := within(t, "the end", code); got != 1 {
			t.Errorf("exit code %d, want 1", got)
		}
		if got := strings.Count(said.String(), "local    | web ended by itself with exit code 3\n"); got != 1 {
			t.Errorf("the death is told %d times:\n%s", got, said)
		}
		if got := strings.Count(said.String(), "| stopping web, worker, sandbox, redis, postgres\n"); got != 2 {
			t.Errorf("the others are not stopped:\n%s", said)
		}
	})
	if code := l.Reset(); code != 0 {
		t.Errorf("reset ends with %d:\n%s", code, said)
	}
	if _, err := os.Stat(filepath.Join(l.state, "run")); !os.IsNotExist(err) {
		t.Errorf("reset leaves the data: %v", err)
	}
}
