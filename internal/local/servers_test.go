package local

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// startServers starts both as a run does, and returns their addresses and processes.
func startServers(t *testing.T, home *Home) (*Runner, Databases, string) {
	t.Helper()
	r, _, _ := testRunner(t, home)
	var databases Databases
	var redis string
	err := together(t.Context(), func(ctx context.Context) (err error) {
		databases, _, err = startPostgres(ctx, r, Kept)
		return err
	}, func(ctx context.Context) (err error) {
		redis, _, err = startRedis(ctx, r, Kept)
		return err
	})
	if err != nil {
		t.Fatalf("%v (run the tests with «make test», which brings the servers)", err)
	}
	return r, databases, redis
}

func mustQuery(t *testing.T, address, sql string) {
	t.Helper()
	if err := query(t.Context(), address, sql); err != nil {
		t.Fatal(err)
	}
}

// redisSays sends one inline command and returns the last line of the answer.
func redisSays(t *testing.T, address, command string) string {
	t.Helper()
	parsed, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.DialTimeout("tcp", parsed.Host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	password, _ := parsed.User.Password()
	fmt.Fprintf(conn, "AUTH %q %s\r\n%s\r\nQUIT\r\n", parsed.User.Username(), password, command) // as redis-cli -u does
	var lines []string
	for scanner := bufio.NewScanner(conn); scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	if len(lines) < 3 {
		t.Fatalf("redis answers %q", lines)
	}
	return lines[len(lines)-2] // the last is QUIT's
}

// takesGoRedis fails unless the library that the product uses can log in at the same address.
func takesGoRedis(t *testing.T, address string) {
	t.Helper()
	options, err := redis.ParseURL(address)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	defer client.Close()
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Error(err)
	}
}

func TestServersKeepTheirData(t *testing.T) {
	t.Parallel()
	dir := testFolder(t)
	home := testHome(t, dir)
	r, databases, redis := startServers(t, home)
	mustQuery(t, databases.Owner, `CREATE TABLE kept (word text); INSERT INTO kept VALUES ('zażółć')`)
	if err := query(t.Context(), databases.App, `SELECT * FROM kept`); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("the app role has rights of its own: %v", err)
	}
	if err := query(t.Context(), strings.Replace(databases.App, "countersign_app:", "countersign_app:x", 1), `SELECT 1`); err == nil {
		t.Error("a wrong password is let in")
	}
	err := checkDatabase(t.Context(), "DATABASE_URL", databases.Owner, true)
	if err == nil || !strings.Contains(err.Error(), "ALTER ROLE countersign CREATEDB") {
		t.Errorf("error %v, want one that says what the role lacks", err)
	}
	if err := checkDatabase(t.Context(), "DATABASE_URL", databases.Superuser, true); err != nil {
		t.Error(err)
	}
	redisSays(t, redis, "SET word kept")
	takesGoRedis(t, redis)
	for setting, want := range map[string]string{"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"} {
		if got := redisSays(t, redis, "CONFIG GET "+setting); got != want {
			t.Errorf("redis has %s %s, want %s", setting, got, want)
		}
	}
	processes := append([]*Process{}, r.running...)
	r.Stop()
	for _, p := range processes {
		if processMark(p.PID) != "" || groupAlive(p.PID) {
			t.Errorf("%s still runs", p.Name)
		}
	}
	home.Close()

	_, databases, redis = startServers(t, testHome(t, dir))
	mustQuery(t, databases.Owner, `SELECT 1 / count(*) FROM kept WHERE upper(word) = 'ZAŻÓŁĆ'`)
	if got := redisSays(t, redis, "GET word"); got != "kept" {
		t.Errorf("redis kept %q", got)
	}
}

func TestServersComeBackAfterAKill(t *testing.T) {
	t.Parallel()
	dir := testFolder(t)
	home := testHome(t, dir)
	r, databases, _ := startServers(t, home)
	mustQuery(t, databases.Owner, `CREATE TABLE kept (word text)`)
	processes := append([]*Process{}, r.running...)
	r.Kill()
	for _, p := range processes {
		within(t, p.Name+"'s end", p.done)
	}
	home.Close()

	// The old number now belongs to somebody else of the same account; Postgres by itself would refuse to start.
	path := home.Path("postgres/postmaster.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(path, []byte(strconv.Itoa(os.Getpid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	again := testHome(t, dir)
	if err := again.Recover(NewConsole(&transcript{}, NewEnvironment(nil))); err != nil {
		t.Fatal(err)
	}
	_, databases, _ = startServers(t, again)
	mustQuery(t, databases.Owner, `SELECT * FROM kept`)
}

func TestOrphanServersAreStopped(t *testing.T) {
	t.Parallel()
	dir := testFolder(t)
	home := testHome(t, dir)
	r, _, _ := startServers(t, home)
	processes := append([]*Process{}, r.running...)
	if err := os.Remove(home.Path("processes")); err != nil { // as if we had been killed before writing it
		t.Fatal(err)
	}
	home.Close()

	said := &transcript{}
	again := testHome(t, dir)
	if err := again.Recover(NewConsole(said, NewEnvironment(nil))); err != nil {
		t.Fatal(err)
	}
	mustContain(t, said.String(), "stopping postgres (process ")
	for _, p := range processes {
		if p.Name == "postgres" {
			within(t, "the end of postgres", p.done)
			continue
		}
		p.stop(time.Now().Add(5 * time.Second))
	}
}

// withoutServers is one whose person gave no servers.
func withoutServers(t *testing.T, state string, said *transcript) *Local {
	t.Helper()
	l, err := New(".", os.Environ(), said)
	if err != nil {
		t.Fatal(err)
	}
	l.state = state
	for _, name := range []string{"TEST_DATABASE_URL", "TEST_REDIS_URL", "DATABASE_URL", "REDIS_URL"} {
		delete(l.env.values, name)
		delete(l.env.person, name)
	}
	return l
}

// Servers for measuring write as safely as real ones; those for tests do not, and are fast.
func TestExecDurability(t *testing.T) {
	t.Parallel()
	state, said := testFolder(t), &transcript{}
	l := withoutServers(t, state, said)
	script := `fsync=on; grep -q fsync=off ` + state + `/exec-*/postgres/postmaster.opts && fsync=off
		append=$(sed -n 's/^appendonly //p' ` + state + `/exec-*/redis.conf); test "$fsync $append" = "$0"`
	if code := l.Exec(t.Context(), "", Kept, []string{"sh", "-c", script, "on yes"}); code != 0 {
		t.Errorf("servers for measuring are throwaway ones:\n%s", said)
	}
	if code := l.Exec(t.Context(), "", Throwaway, []string{"sh", "-c", script, "off no"}); code != 0 {
		t.Errorf("servers for tests wait for the disk:\n%s", said)
	}
}

func TestExecReturnsTheCode(t *testing.T) {
	t.Parallel()
	state, said := testFolder(t), &transcript{}
	l := withoutServers(t, state, said)
	script := `case "$TEST_DATABASE_URL $TEST_REDIS_URL" in postgres://*\ redis://*) test -x "$CHROMIUM" && test -x "$PGBOUNCER" && exit 7;; esac; exit 1`
	if code := l.Exec(t.Context(), "", Throwaway, []string{"sh", "-c", script}); code != 7 {
		t.Errorf("code %d, want the command's own 7:\n%s", code, said)
	}
	if code := l.Exec(t.Context(), "", Throwaway, []string{"no-such-command"}); code != 127 {
		t.Errorf("code %d, want 127", code)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	marker := testFolder(t) + "/started"
	go func() {
		for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(marker); err == nil {
				cancel(Interrupted{syscall.SIGTERM})
			}
		}
	}()
	if code := l.Exec(ctx, "", Throwaway, []string{"sh", "-c", "touch " + marker + "; sleep 60"}); code != 143 {
		t.Errorf("code %d, want 143:\n%s", code, said)
	}
	cancel(nil)
	if left, _ := os.ReadDir(state); len(left) != 1 { // sweep.lock
		t.Errorf("left behind: %v", left)
	}
}
