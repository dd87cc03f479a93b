package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Exec runs argv with throwaway servers of its own beside it, and returns its exit code. The command finds TEST_DATABASE_URL (a
// role that may create databases), TEST_REDIS_URL, CHROMIUM and PGBOUNCER in its environment; addresses that the person gave, under these
// names or as DATABASE_URL and REDIS_URL, are used instead. If build is not empty, «go build» runs with these arguments while the
// servers are prepared, to have its work done with progress shown. With Kept the servers write as safely as real ones, for
// measuring; they are gone with the run all the same. The command gets no terminal to read from.
func (l *Local) Exec(ctx context.Context, build string, durability Durability, argv []string) (code int) {
	code, err := l.exec(ctx, build, durability, argv)
	if err != nil {
		return max(code, l.exitCode(err))
	}
	return code
}

func (l *Local) exec(parent context.Context, build string, durability Durability, argv []string) (code int, err error) {
	env := l.env.Clone()
	needs := Needs{
		Postgres: !adopt(env, "TEST_DATABASE_URL", "DATABASE_URL"),
		Redis:    !adopt(env, "TEST_REDIS_URL", "REDIS_URL"),
		Browser:  !adopt(env, "CHROMIUM"),
		Pooler:   !adopt(env, "PGBOUNCER"),
	}
	if err := checkGiven(parent, env, needs); err != nil {
		return 1, reason(parent, err)
	}
	plan, err := planInstallation(parent, l.console, needs)
	if err != nil {
		return 1, reason(parent, err)
	}
	home, err := openThrowaway(l.state, l.console)
	if err != nil {
		return 1, err
	}
	defer func() {
		_ = os.RemoveAll(home.Dir)
		home.Close()
	}()
	ctx, r := l.open(parent, home)
	defer func() {
		err = l.announce(err)
		r.Stop()
	}()

	var servers Servers
	err = together(ctx, func(ctx context.Context) (err error) {
		servers, err = l.provision(ctx, r, plan, needs, durability)
		return err
	}, func(ctx context.Context) error {
		if build == "" {
			return nil
		}
		return l.build(ctx, r, strings.Fields(build)...)
	})
	if err != nil {
		return 1, reason(ctx, err)
	}
	if needs.Postgres {
		env.Fill("TEST_DATABASE_URL", servers.Databases.Superuser)
	}
	if needs.Redis {
		env.Fill("TEST_REDIS_URL", servers.Redis)
	}
	if needs.Browser {
		env.Fill("CHROMIUM", servers.Browser)
	}
	if needs.Pooler {
		env.Fill("PGBOUNCER", servers.Pooler)
	}
	return l.command(ctx, r, env, argv)
}

// adopt gives the first name the value of the first of them that the person set, and tells whether there was one.
func adopt(env *Environment, names ...string) bool {
	for _, name := range names {
		if env.Has(name) && env.Get(name) != "" {
			env.Fill(names[0], env.Get(name))
			return true
		}
	}
	return false
}

func checkGiven(ctx context.Context, env *Environment, needs Needs) error {
	var problems []error
	if !needs.Postgres {
		problems = append(problems, checkDatabase(ctx, "TEST_DATABASE_URL (or DATABASE_URL)", env.Get("TEST_DATABASE_URL"), true))
	}
	if !needs.Redis {
		problems = append(problems, checkRedis(ctx, "TEST_REDIS_URL (or REDIS_URL)", env.Get("TEST_REDIS_URL")))
	}
	return errors.Join(problems...)
}

// command runs argv in a process group of its own. A signal to us reaches that group as SIGINT, which «go test» tidies up after;
// it then has five seconds.
func (l *Local) command(ctx context.Context, r *Runner, env *Environment, argv []string) (int, error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return 127, fmt.Errorf("cannot run %s: %w", argv[0], err)
	}
	var stdin io.Reader = os.Stdin
	if isTerminal(os.Stdin) {
		stdin = nil // a group in the background must not read the terminal
	}
	spec := Spec{Name: argv[0], Args: append([]string{path}, argv[1:]...), Env: env.List(), Stdin: stdin, Output: os.Stdout,
		Errors: os.Stderr, StopSignal: syscall.SIGINT, StopBy: 5 * time.Second}
	code, err := r.Finish(ctx, spec)
	if err != nil {
		return 1, reason(ctx, err)
	}
	return code, nil
}
