package local

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Runner keeps a set of children together: it remembers them in the home, tells when one dies by itself, and stops all in order.
type Runner struct {
	console *Console
	home    *Home
	onDeath func(error)

	mu       sync.Mutex
	running  []*Process
	stopping bool
	logged   map[string]bool // the servers' logs that this run has begun
}

// NewRunner calls onDeath, once for each, with a [Died] for every ready child that ends without having been asked to.
func NewRunner(console *Console, home *Home, onDeath func(error)) *Runner {
	return &Runner{console: console, home: home, onDeath: onDeath, logged: map[string]bool{}}
}

// Start starts a child. Until its await has succeeded its death is the caller's to notice; after that it is the runner's.
func (r *Runner) Start(spec Spec) (*Process, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return nil, fmt.Errorf("not starting %s: everything is being stopped", spec.Name)
	}
	spec.Env = append(slices.Clip(spec.Env), r.home.marker())
	p, err := startProcess(spec)
	if err != nil {
		return nil, err
	}
	r.running = append(r.running, p)
	if err := r.home.Remember(r.running); err != nil {
		return nil, err
	}
	go r.watch(p)
	return p, nil
}

func (r *Runner) watch(p *Process) {
	<-p.done
	if p.ready.Load() && !p.ended.Load() {
		r.onDeath(p.died())
	}
}

// Finish runs a child to its end, and clears away what it left in its group. It is not an error for it to fail: the code is
// returned. If ctx ends first, the child is stopped and the cause returned.
func (r *Runner) Finish(ctx context.Context, spec Spec) (code int, err error) {
	if spec.StopBy == 0 {
		spec.StopBy = 2 * time.Second
	}
	p, err := r.Start(spec)
	if err != nil {
		return 0, err
	}
	select {
	case <-p.done:
		p.kill()
		r.forget(p)
		return p.exitCode(), nil
	case <-ctx.Done():
		p.stop(time.Now().Add(spec.StopBy))
		r.forget(p)
		return p.exitCode(), context.Cause(ctx)
	}
}

// MustFinish is Finish for a child that has to succeed.
func (r *Runner) MustFinish(ctx context.Context, spec Spec) error {
	code, err := r.Finish(ctx, spec)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s failed with exit code %d", spec.Name, code)
	}
	return err
}

func (r *Runner) forget(p *Process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running = slices.DeleteFunc(r.running, func(other *Process) bool { return other == p })
	_ = r.home.Remember(r.running)
}

// Stop ends all children in the order of their StopBy, one after the other, so that nobody loses what it still needs.
func (r *Runner) Stop() {
	r.mu.Lock()
	r.stopping = true
	order := slices.Clone(r.running)
	r.mu.Unlock()
	if len(order) == 0 {
		return
	}
	slices.SortStableFunc(order, func(a, b *Process) int { return int(a.spec.StopBy - b.spec.StopBy) })
	r.console.Say("stopping %s", names(order))
	began := time.Now()
	for _, p := range order {
		p.stop(began.Add(p.spec.StopBy))
		r.forget(p)
	}
	r.console.Say("all stopped after %.1fs", time.Since(began).Seconds())
}

// names lists processes for a person.
func names(processes []*Process) string {
	list := make([]string, len(processes))
	for i, p := range processes {
		list[i] = p.Name
	}
	return strings.Join(list, ", ")
}

// Kill ends all children at once.
func (r *Runner) Kill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = true
	for _, p := range r.running {
		p.kill()
	}
}

// exitCode is the child's own, or what a shell reports for one ended by a signal.
func (p *Process) exitCode() int {
	select {
	case <-p.done:
	default:
		return 137
	}
	if code := p.cmd.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	return 128 + int(p.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}
