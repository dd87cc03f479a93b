package local

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func testCluster(t *testing.T, died func(error)) *Cluster {
	t.Helper()
	l, said := testProduct(t)
	c, err := l.StartCluster(t.Context(), died)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	t.Cleanup(c.Stop)
	return c
}

// What a killed server had been told is there when it comes back, at the same address; what Forget takes is not.
func TestClusterServersComeBack(t *testing.T) {
	t.Parallel()
	died := make(chan error, 10)
	c := testCluster(t, func(err error) { died <- err })
	mustQuery(t, c.Databases.Owner, `CREATE TABLE kept AS SELECT 'a word' AS word`)
	c.Postgres.Kill(syscall.SIGQUIT)
	if err := query(t.Context(), c.Databases.Owner, `SELECT 1`); err == nil {
		t.Error("a killed Postgres answers")
	}
	must(t, c.Postgres.Start(t.Context()))
	mustQuery(t, c.Databases.Owner, `SELECT 1 / count(*) FROM kept`)
	mustQuery(t, strings.Replace(c.Databases.Superuser, "/postgres?", "/countersign?", 1), `SELECT pg_xact_commit_timestamp(xmin) FROM kept`)

	redisSays(t, c.RedisAddress, "SET word kept")
	c.Redis.Kill(syscall.SIGKILL)
	must(t, c.Redis.Start(t.Context()))
	if got := redisSays(t, c.RedisAddress, "GET word"); got != "kept" {
		t.Errorf("after its death redis says %q", got)
	}
	must(t, c.FlushRedis(t.Context()))
	if got := redisSays(t, c.RedisAddress, "EXISTS word"); got != ":0" {
		t.Errorf("after FLUSHALL redis says %q", got)
	}
	redisSays(t, c.RedisAddress, "SET word again")
	c.Redis.Kill(syscall.SIGKILL)
	must(t, c.Redis.Forget())
	must(t, c.Redis.Start(t.Context()))
	if got := redisSays(t, c.RedisAddress, "EXISTS word"); got != ":0" {
		t.Errorf("without its data redis says %q", got)
	}
	if len(died) > 0 {
		t.Errorf("who was killed is reported: %v", <-died)
	}
	logged, err := os.ReadFile(c.home.Path("postgres.log"))
	if err != nil || strings.Count(string(logged), "ready to accept connections") != 2 {
		t.Errorf("the log should go on after the restart (%v):\n%s", err, logged)
	}
}

// A standby has what the primary had and gets what it writes, refuses to be written to, and goes on after its death.
func TestClusterStandby(t *testing.T) {
	t.Parallel()
	died := make(chan error, 10)
	c := testCluster(t, func(err error) { died <- err })
	mustQuery(t, c.Databases.Owner, `CREATE TABLE kept AS SELECT 1 AS n`)
	there, standby, err := c.StartStandby(t.Context(), "standby")
	must(t, err)
	has := func(rows string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			err := query(t.Context(), there.App, `SELECT 1 / (CASE WHEN (SELECT count(*) FROM pg_catalog.pg_class WHERE relname LIKE 'kept%') = `+rows+` THEN 1 ELSE 0 END)`)
			if err == nil {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the standby does not get there: %v", err)
			}
		}
	}
	has("1")
	if err := query(t.Context(), there.Owner, `CREATE TABLE kept_too AS SELECT 1 AS n`); err == nil {
		t.Error("a standby lets itself be written to")
	}
	mustQuery(t, c.Databases.Owner, `CREATE TABLE kept_more AS SELECT 1 AS n`)
	has("2")
	standby.Kill(syscall.SIGQUIT)
	mustQuery(t, c.Databases.Owner, `CREATE TABLE kept_meanwhile AS SELECT 1 AS n`)
	must(t, standby.Start(t.Context()))
	has("3")
	if len(died) > 0 {
		t.Errorf("who was killed is reported: %v", <-died)
	}
}

// A child can be frozen, let go and killed, and only one that ends by itself is reported.
func TestClusterChildren(t *testing.T) {
	t.Parallel()
	died := make(chan error, 10)
	c := testCluster(t, func(err error) { died <- err })
	ticks := &transcript{}
	ready := func(context.Context) error {
		if strings.Contains(ticks.String(), "tick") {
			return nil
		}
		return errSlow
	}
	p, err := c.Start(t.Context(), Spec{Name: "clock", Args: []string{"sh", "-c", "while :; do echo tick; sleep 0.02; done"}, Output: ticks}, 20*time.Second, ready)
	must(t, err)
	c.Freeze(p)
	before := -1
	for deadline := time.Now().Add(20 * time.Second); len(ticks.String()) != before; { // what it said before may be on its way
		if time.Now().After(deadline) {
			t.Fatal("a frozen child goes on")
		}
		before = len(ticks.String())
		time.Sleep(300 * time.Millisecond)
	}
	c.Thaw(p)
	for deadline := time.Now().Add(20 * time.Second); len(ticks.String()) == before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a child that was let go does not go on")
		}
	}
	c.Freeze(p)
	c.Kill(p)
	if !p.Gone() || groupAlive(p.PID) {
		t.Error("a killed child lives")
	}
	if len(died) > 0 {
		t.Errorf("who was killed is reported: %v", <-died)
	}
	_, err = c.Start(t.Context(), Spec{Name: "short", Args: []string{"sh", "-c", "echo tick; sleep 0.3; exit 7"}, Output: ticks}, 20*time.Second, ready)
	must(t, err)
	if err := within(t, "the word of a death", died); !errors.As(err, new(Died)) || !strings.Contains(err.Error(), "exit code 7") {
		t.Errorf("the word of a death is %v", err)
	}
	if _, err := c.Start(t.Context(), Spec{Name: "never", Args: []string{"sleep", "60"}}, 200*time.Millisecond, func(context.Context) error { return errSlow }); err == nil {
		t.Error("a child that never answers counts as started")
	}
	must(t, c.Run(t.Context(), Spec{Name: "fine", Args: []string{"true"}}))
	if err := c.Run(t.Context(), Spec{Name: "not", Args: []string{"false"}}); err == nil {
		t.Error("a child that fails counts as run")
	}
}

func TestLowPort(t *testing.T) {
	t.Parallel()
	port, err := LowPort()
	must(t, err)
	if port < "20000" || port >= "32000" || len(port) != 5 {
		t.Errorf("port %s is where outgoing connections come from", port)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
