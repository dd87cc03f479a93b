package road

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// given are the ports that this run has given away: nobody listens there before a server starts, and after it was killed.
var given sync.Map

// freePort is a port that nobody has at the moment, below those that the system gives to outgoing connections and to others' ":0",
// and below those of crash and of local's servers, whose tests run at the same time.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.N(4000)
		if _, before := given.LoadOrStore(port, true); before {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			must(t, l.Close())
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}

// server runs a program until the test ends, and kills it when asked. As root it is nobody: PgBouncer refuses root.
func server(t testing.TB, folder, program string, args ...string) (kill func()) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = folder, []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	must(t, err)
	cmd.Stdout, cmd.Stderr = log, log
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	must(t, cmd.Start())
	dead := false
	kill = func() {
		if !dead {
			dead = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		kill()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s says:\n%.4000s", filepath.Base(program), text)
		}
	})
	return kill
}

// folderOf is a folder that a server may write in, with these files.
func folderOf(t testing.TB, files map[string]string) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "countersign-road-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	if os.Geteuid() == 0 {
		must(t, os.Chown(folder, 65534, 65534))
		for name := range files {
			must(t, os.Chown(filepath.Join(folder, name), 65534, 65534))
		}
	}
	return folder
}

// answers waits until somebody listens.
func answers(t testing.TB, port int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nobody listens on %d", port)
		}
	}
}

func programOf(t testing.TB, variable string, names ...string) string {
	t.Helper()
	if path := os.Getenv(variable); path != "" {
		return path
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if _, err := os.Stat("/usr/sbin/" + name); err == nil {
			return "/usr/sbin/" + name
		}
	}
	t.Fatalf("%v is not here: run the tests with make test, which installs it", names)
	return ""
}

// pooled puts a real PgBouncer in transaction mode between the house and its database. It has fewer connections than the
// house's processes open, so that no two transactions of one client can count on the same.
func pooled(t testing.TB) option {
	return func(env map[string]string) {
		u, err := url.Parse(env["DATABASE_URL"])
		must(t, err)
		password, _ := u.User.Password()
		port := freePort(t)
		folder := folderOf(t, map[string]string{
			"users.txt": fmt.Sprintf("%q %q\n", u.User.Username(), password),
			"pgbouncer.ini": fmt.Sprintf("[databases]\n* = host=127.0.0.1 port=%s\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\n"+
				"auth_type=scram-sha-256\nauth_file=users.txt\npool_mode=transaction\ndefault_pool_size=6\nmax_client_conn=400\n", u.Port(), port),
		})
		server(t, folder, programOf(t, "PGBOUNCER", "pgbouncer"), "pgbouncer.ini")
		answers(t, port)
		env["MIGRATE_DATABASE_URL"] = env["DATABASE_URL"] // what owns the schema goes past the pooler
		u.Host = fmt.Sprintf("127.0.0.1:%d", port)
		u.RawQuery = "sslmode=disable&default_query_exec_mode=cache_describe"
		env["DATABASE_URL"] = u.String()
	}
}

// redisServer starts a Redis with these settings beside the usual ones.
func redisServer(t testing.TB, files map[string]string, port int, settings string, args ...string) (kill func()) {
	t.Helper()
	all := map[string]string{"redis.conf": "bind 127.0.0.1\ndir ./\nsave \"\"\nappendonly no\nmaxmemory-policy noeviction\n" + settings}
	for name, text := range files {
		all[name] = text
	}
	kill = server(t, folderOf(t, all), programOf(t, "REDIS_SERVER", "redis-server", "valkey-server"), append([]string{"redis.conf"}, args...)...)
	answers(t, port)
	return kill
}

// watched is a Redis with a replica and a sentinel over both. kill ends the one that is written to.
func watched(t testing.TB) (address option, kill func(), master func() string) {
	first, second, sentinel := freePort(t), freePort(t), freePort(t)
	const secret = "a-password-for-tests-only"
	keys := fmt.Sprintf("requirepass %s\nmasterauth %s\n", secret, secret)
	kill = redisServer(t, nil, first, fmt.Sprintf("port %d\n%s", first, keys))
	redisServer(t, nil, second, fmt.Sprintf("port %d\n%sreplicaof 127.0.0.1 %d\n", second, keys, first))
	folder := folderOf(t, map[string]string{"sentinel.conf": fmt.Sprintf("bind 127.0.0.1\nport %d\ndir ./\nsentinel monitor house 127.0.0.1 %d 1\nsentinel auth-pass house %s\n"+
		"sentinel down-after-milliseconds house 700\nsentinel failover-timeout house 3000\n", sentinel, first, secret)})
	server(t, folder, programOf(t, "REDIS_SERVER", "redis-server", "valkey-server"), "sentinel.conf", "--sentinel")
	answers(t, sentinel)
	ask := redis.NewSentinelClient(&redis.Options{Addr: fmt.Sprintf("127.0.0.1:%d", sentinel)})
	t.Cleanup(func() { _ = ask.Close() })
	replicas := func() int {
		all, _ := ask.Replicas(context.Background(), "house").Result()
		n := 0
		for _, r := range all {
			if r["master-link-status"] == "ok" {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); replicas() != 1; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the sentinel never saw the replica")
		}
	}
	return func(env map[string]string) {
			env["REDIS_URL"] = fmt.Sprintf("redis://127.0.0.1:%d/0?master_name=house&password=%s", sentinel, secret)
		}, kill, func() string {
			at, _ := ask.GetMasterAddrByName(context.Background(), "house").Result()
			return fmt.Sprint(at)
		}
}
