package local

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Server is one of our own servers. It can be killed, and started again where it was: on the same port, with the same data.
type Server struct {
	runner  *Runner
	launch  func(context.Context) (*Process, error)
	data    string // the folder that Forget empties
	process *Process
}

// Start starts the server, or starts it again after Kill, and waits until it answers.
func (s *Server) Start(ctx context.Context) (err error) {
	s.process, err = s.launch(ctx)
	return err
}

// Kill sends a signal that ends the server without a word to anybody (SIGKILL; SIGQUIT is Postgres' immediate shutdown), and waits
// until all of it is gone.
func (s *Server) Kill(signal syscall.Signal) {
	s.process.end(signal, 5*time.Second)
	s.runner.forget(s.process)
}

// Data is the folder in which the server keeps what it was given.
func (s *Server) Data() string { return s.data }

// Forget takes away what a killed server had kept.
func (s *Server) Forget() error {
	entries, err := os.ReadDir(s.data)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(s.data, entry.Name())))
	}
	return err
}

// Cluster is a Postgres and a Redis that go with the run, and the processes that use them, for a program that kills all of them on
// purpose.
type Cluster struct {
	Databases    Databases
	RedisAddress string // password included
	Postgres     *Server
	Redis        *Server
	Dir          string // logs and data; gone after Stop

	home   *Home
	runner *Runner
}

// StartCluster installs what is missing, and starts both servers while go builds with the given arguments run, one after the
// other. died hears of every child that ends although nobody asked it to. Whoever starts a cluster must Stop it.
func (l *Local) StartCluster(ctx context.Context, died func(error), builds ...[]string) (c *Cluster, err error) {
	needs := Needs{Postgres: true, Redis: true}
	plan, err := planInstallation(ctx, l.console, needs)
	if err != nil {
		return nil, err
	}
	home, err := openThrowaway(l.state, l.console)
	if err != nil {
		return nil, err
	}
	c = &Cluster{Dir: home.Dir, home: home, runner: NewRunner(l.console, home, died)}
	var servers Servers
	err = together(ctx, func(ctx context.Context) (err error) {
		servers, err = l.provision(ctx, c.runner, plan, needs, Tried)
		return err
	}, func(ctx context.Context) error {
		for _, args := range builds {
			if err := l.build(ctx, c.runner, args...); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		c.Stop()
		return nil, err
	}
	c.Databases, c.RedisAddress, c.Postgres, c.Redis = servers.Databases, servers.Redis, servers.postgres, servers.redis
	return c, nil
}

// Root is the checkout's folder, State the one beside it that outlives runs.
func (l *Local) Root() string  { return l.root }
func (l *Local) State() string { return l.state }

// Run runs a child to its end; it has to succeed.
func (c *Cluster) Run(ctx context.Context, spec Spec) error { return c.runner.MustFinish(ctx, spec) }

// Start starts a child and waits up to limit until ready has no complaint.
func (c *Cluster) Start(ctx context.Context, spec Spec, limit time.Duration, ready func(context.Context) error) (*Process, error) {
	p, err := c.runner.Start(spec)
	if err != nil {
		return nil, err
	}
	if err := p.await(ctx, limit, ready); err != nil {
		c.Kill(p)
		return nil, err
	}
	return p, nil
}

// Kill ends a child as kill -9 does, and waits until it is gone.
func (c *Cluster) Kill(p *Process) {
	p.end(syscall.SIGKILL, 5*time.Second)
	c.runner.forget(p)
}

// Freeze stops a child where it stands, until Thaw.
func (c *Cluster) Freeze(p *Process) { _ = syscall.Kill(-p.PID, syscall.SIGSTOP) }

// Thaw lets a frozen child go on.
func (c *Cluster) Thaw(p *Process) { _ = syscall.Kill(-p.PID, syscall.SIGCONT) }

// FlushRedis has Redis forget everything, as FLUSHALL does.
func (c *Cluster) FlushRedis(ctx context.Context) error {
	address, err := url.Parse(c.RedisAddress)
	if err != nil {
		return errors.New("the private Redis has no address")
	}
	password, _ := address.User.Password()
	return askRedis(ctx, address.Host, password, "FLUSHALL", "+OK")
}

// Stop ends everything that was started, in order, and removes the data.
func (c *Cluster) Stop() {
	c.runner.Stop()
	_ = os.RemoveAll(c.home.Dir)
	c.home.Close()
}

// Gone tells whether the process has ended.
func (p *Process) Gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// end sends one signal and waits for the process to be gone; what is left of its group is then killed.
func (p *Process) end(signal syscall.Signal, limit time.Duration) {
	p.ended.Store(true)
	if p.Gone() { // its number may be somebody else's by now
		return
	}
	target := -p.PID
	if p.spec.LeaderOnly {
		target = p.PID
	}
	_ = syscall.Kill(target, signal)
	for deadline := time.Now().Add(limit); time.Now().Before(deadline) && groupAlive(p.PID); time.Sleep(5 * time.Millisecond) {
		if p.Gone() {
			break // what it left behind is killed
		}
	}
	p.kill()
	select {
	case <-p.done:
	case <-time.After(2 * time.Second):
	}
}

// log opens a server's log: empty at its first start, and going on where it was when the server is started again.
func (r *Runner) log(name string) (*os.File, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mode := os.O_TRUNC
	if r.logged[name] {
		mode = os.O_APPEND
	}
	r.logged[name] = true
	file, err := os.OpenFile(r.home.Path(name), os.O_CREATE|os.O_WRONLY|mode, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the log of a server: %w", err)
	}
	return file, nil
}
