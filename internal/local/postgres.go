package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Databases are the addresses of one private cluster. All three roles share a password, which is in each of them.
type Databases struct {
	Superuser string // database postgres; may create databases
	Owner     string // owns the database countersign, and nothing else
	App       string // may log in; what it may see is for migrations to grant
}

// Durability says what a server's data is worth.
type Durability int

const (
	Kept      Durability = iota // survives a power cut
	Throwaway                   // fast, and gone with the run
	Tried                       // gone with the run, but survives the death of its server, which is killed on purpose
)

// postgresSettings: what a server that is only killed has handed to the system is not lost, so fsync is for power cuts.
func (d Durability) postgresSettings() []string {
	if d == Kept {
		return []string{"max_connections=100"}
	}
	settings := []string{"max_connections=800", "fsync=off", "full_page_writes=off", "shared_buffers=256MB", "max_wal_size=4GB"}
	if d == Tried {
		settings = append(settings, "track_commit_timestamp=on", // so that somebody can tell afterwards what came before what
			"autovacuum_naptime=1s") // or it never lives the minute until its tables are looked at, and plans as if they were empty
	}
	return settings
}

// startPostgres makes the home's cluster if there is none yet, and starts it on a free loopback port.
func startPostgres(ctx context.Context, r *Runner, durability Durability) (Databases, *Server, error) {
	password, err := r.home.Secret("postgres.password")
	if err != nil {
		return Databases{}, nil, err
	}
	bin, err := ensureCluster(ctx, r, password)
	if err != nil {
		return Databases{}, nil, err
	}
	for attempt := 1; ; attempt++ {
		port, err := durability.port()
		if err != nil {
			return Databases{}, nil, err
		}
		at := func(role, database string) string {
			return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%s/%s?sslmode=disable", role, password, port, database)
		}
		urls := Databases{at("postgres", "postgres"), at("countersign", "countersign"), at("countersign_app", "countersign")}
		server := &Server{runner: r, launch: func(ctx context.Context) (*Process, error) {
			return launchPostgres(ctx, r, instance{"postgres", bin, port, urls.Superuser, durability})
		}}
		err = server.Start(ctx)
		// A port can be lost to another program between the asking and the using, and the memory of a killed predecessor takes a
		// moment to be given back. Both pass.
		if died := (Died{}); errors.As(err, &died) && attempt < 3 && ctx.Err() == nil {
			time.Sleep(300 * time.Millisecond)
			continue
		}
		if err != nil {
			return Databases{}, nil, fmt.Errorf("%w\n%s", err, tailOf(r.home.Path("postgres.log")))
		}
		return urls, server, ensureRoles(ctx, urls.Superuser, password)
	}
}

// ensureCluster returns the folder of the binaries that fit the home's cluster, which it makes if need be.
func ensureCluster(ctx context.Context, r *Runner, password string) (bin string, err error) {
	version, err := os.ReadFile(r.home.Path("postgres/PG_VERSION"))
	if major := strings.TrimSpace(string(version)); err == nil {
		if bin = findPostgres(major); bin == "" {
			return "", fmt.Errorf("the data in %s was made by Postgres %s, which is not installed any more; install it, or forget the data with: make reset", r.home.Dir, major)
		}
		return bin, nil
	}
	if bin = findPostgres(""); bin == "" {
		return "", errors.New("no Postgres found, not even after installing it")
	}
	// Made beside its place and then moved there, so that a half-made cluster is never mistaken for one.
	making := r.home.Path("postgres.new")
	if err := os.RemoveAll(making); err != nil {
		return "", err
	}
	if _, err := r.home.Private("postgres.new"); err != nil {
		return "", err
	}
	secret := r.home.Path("initdb.password")
	defer os.Remove(secret)
	if err := r.home.WritePrivate(secret, password+"\n"); err != nil {
		return "", err
	}
	locale := "C"
	if runtime.GOOS == "linux" {
		locale = "C.UTF-8"
	}
	var said strings.Builder
	err = r.MustFinish(ctx, Spec{
		Name: "initdb", Dir: r.home.Dir, Env: serverEnvironment(), Owner: r.home.Owner, Output: &said,
		Args: []string{bin + "/initdb", "--pgdata=" + making, "--username=postgres", "--pwfile=" + secret, "--no-sync",
			"--auth=scram-sha-256", "--encoding=UTF8", "--locale=" + locale},
	})
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, said.String())
	}
	return bin, os.Rename(making, r.home.Path("postgres"))
}

// instance is one Postgres to be started: its name is that of its folder and its log.
type instance struct {
	name, bin, port, url string
	durability           Durability
}

func launchPostgres(ctx context.Context, r *Runner, i instance) (*Process, error) {
	log, err := r.log(i.name + ".log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{i.bin + "/postgres", "-D", r.home.Path(i.name)}
	settings := append(i.durability.postgresSettings(), "port="+i.port, "listen_addresses=127.0.0.1", "unix_socket_directories=",
		"timezone=UTC", "log_timezone=UTC", "lc_messages=C", "cluster_name=countersign")
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	stop, by := syscall.SIGINT, 9500*time.Millisecond // SIGINT: end sessions, write everything, leave
	if i.durability != Kept {
		stop = syscall.SIGQUIT // leave
	}
	p, err := r.Start(Spec{Name: i.name, Args: args, Dir: r.home.Dir, Env: serverEnvironment(), Owner: r.home.Owner,
		Output: log, StopSignal: stop, LeaderOnly: true, StopBy: by})
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, time.Minute, func(ctx context.Context) error { return query(ctx, i.url, "SELECT 1") })
	if err != nil {
		r.forget(p)
		p.stop(time.Now().Add(3 * time.Second))
	}
	return p, err
}

// serverEnvironment keeps the person's PG… and locale variables away from our own servers.
func serverEnvironment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}

// ensureRoles makes the two roles and the database, whichever is missing.
func ensureRoles(ctx context.Context, url, password string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, role := range []string{"countersign", "countersign_app"} {
		sql := fmt.Sprintf(`DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '%[1]s') THEN CREATE ROLE %[1]s; END IF; END $$;
			ALTER ROLE %[1]s LOGIN PASSWORD '%[2]s'`, role, password)
		if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
			return fmt.Errorf("making role %s: %w", role, err)
		}
	}
	found, err := conn.Exec(ctx, `SELECT FROM pg_database WHERE datname = 'countersign'`).ReadAll()
	if err != nil || len(found[0].Rows) > 0 {
		return err
	}
	_, err = conn.Exec(ctx, `CREATE DATABASE countersign OWNER countersign`).ReadAll()
	return err
}

// query connects, asks once, and leaves. What it says on failure names no password.
func query(ctx context.Context, url, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql).ReadAll()
	return err
}

// checkDatabase makes sure that an address which the person gave answers, and for tests that its role may create databases.
func checkDatabase(ctx context.Context, variable, url string, mustCreate bool) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("%s is set, but its Postgres does not answer: %s", variable, firstLines(err))
	}
	defer conn.Close(ctx)
	if !mustCreate {
		return nil
	}
	sql := `SELECT rolname, rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user`
	found, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", variable, err)
	}
	if row := found[0].Rows[0]; string(row[1]) != "t" {
		return fmt.Errorf("%s: tests make a database each, but role %s may not. As a superuser: ALTER ROLE %s CREATEDB; or unset %s to use a private Postgres",
			variable, row[0], row[0], variable)
	}
	return nil
}

// firstLines puts the head of an error that names every address it tried into one line.
func firstLines(err error) string {
	lines := strings.Split(err.Error(), "\n")
	return strings.Join(strings.Fields(strings.Join(lines[:min(2, len(lines))], " ")), " ")
}

// tailOf returns the last lines of a log, for a failure message.
func tailOf(path string) string {
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return "  " + strings.Join(lines[max(0, len(lines)-12):], "\n  ")
}
