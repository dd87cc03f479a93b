package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Spec says what to start and how it wants to be stopped.
type Spec struct {
	Name   string
	Args   []string  // program and arguments; a Procfile line is {"sh", "-c", line}
	Env    []string  // as os.Environ
	Dir    string    // working folder
	Owner  *Owner    // account, nil for our own
	Stdin  io.Reader // nil for none
	Output io.Writer // where its words go
	Errors io.Writer // where its error stream goes, Output if nil

	StopSignal syscall.Signal // what asks it to stop; SIGTERM if zero
	LeaderOnly bool           // send StopSignal to the first process only, for a server that looks after its own children
	StopBy     time.Duration  // counted from the moment all are asked to stop; after it, it is killed. Lower stops first
}

// shell runs a command line by the system's shell, as a platform runs a Procfile's. The shell gives its place to a single program
// named by its path, so that signals and exit codes pass without a go-between.
func shell(line string) []string {
	first, _, _ := strings.Cut(line, " ")
	if !strings.ContainsAny(line, ";&|<>(){}`\n") && strings.Contains(first, "/") && !strings.Contains(first, "=") {
		line = "exec " + line
	}
	return []string{"sh", "-c", line}
}

// Process is a started child at the head of its own process group.
type Process struct {
	Name string
	PID  int

	spec  Spec
	cmd   *exec.Cmd
	mark  string
	done  chan struct{} // closed when it has been reaped
	ready atomic.Bool   // its death from now on is everybody's business
	ended atomic.Bool   // its death is expected
}

// Died says that a child ended although nobody asked it to.
type Died struct {
	Name  string
	State *os.ProcessState
}

func (e Died) Error() string {
	if status, ok := e.State.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return fmt.Sprintf("%s was ended by signal %d (%s)", e.Name, int(status.Signal()), status.Signal())
	}
	return fmt.Sprintf("%s ended by itself with exit code %d", e.Name, e.State.ExitCode())
}

func startProcess(spec Spec) (*Process, error) {
	if spec.StopSignal == 0 {
		spec.StopSignal = syscall.SIGTERM
	}
	cmd := exec.Command(spec.Args[0], spec.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = spec.Dir, spec.Env, spec.Stdin, spec.Output, spec.Output
	if spec.Errors != nil {
		cmd.Stderr = spec.Errors
	}
	cmd.SysProcAttr = attributes(spec.Owner, spec.StopSignal)
	cmd.WaitDelay = time.Second // a grandchild that holds our pipe open must not hide its parent's end
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	p := &Process{Name: spec.Name, PID: cmd.Process.Pid, spec: spec, cmd: cmd, done: make(chan struct{})}
	if p.mark = processMark(p.PID); p.mark == "" { // it was quick
		p.mark = "-"
	}
	go func() {
		_ = cmd.Wait() // what it returns is in ProcessState
		for _, stream := range []io.Writer{spec.Output, spec.Errors} {
			if lines, ok := stream.(*Lines); ok {
				_ = lines.Close()
			}
		}
		close(p.done)
	}()
	return p, nil
}

// died is the account of an ended process.
func (p *Process) died() Died { return Died{Name: p.Name, State: p.cmd.ProcessState} }

// stop asks the process to end, waits for all of its group until the deadline, and then kills what is left.
func (p *Process) stop(deadline time.Time) {
	p.ended.Store(true)
	target := -p.PID
	if p.spec.LeaderOnly {
		target = p.PID
	}
	select {
	case <-p.done: // the leader is gone; its number may be somebody else's by now, but the group's cannot while it has members
	default:
		_ = syscall.Kill(target, p.spec.StopSignal)
	}
	for time.Now().Before(deadline) {
		select {
		case <-p.done:
			if !groupAlive(p.PID) {
				return
			}
			_ = syscall.Kill(-p.PID, syscall.SIGTERM)
			time.Sleep(20 * time.Millisecond)
		case <-time.After(time.Until(deadline)):
		}
	}
	p.kill()
	select {
	case <-p.done:
	case <-time.After(2 * time.Second): // the kernel is at its limits; there is nothing more to do from here
	}
}

// kill ends the whole group without asking.
func (p *Process) kill() {
	p.ended.Store(true)
	_ = syscall.Kill(-p.PID, syscall.SIGKILL)
}

// await asks probe again and again until it has no complaint, the process dies, or the time is over. From success on, the
// process counts as a running part of the whole.
func (p *Process) await(ctx context.Context, limit time.Duration, probe func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSlow)
	defer cancel()
	for {
		err := probe(ctx)
		if err == nil {
			p.ready.Store(true)
			select {
			case <-p.done: // between the probe's answer and now
				return p.died()
			default:
				return nil
			}
		}
		select {
		case <-p.done:
			return p.died()
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errSlow) {
				return cause
			}
			return fmt.Errorf("%s was not ready after %s: %w", p.Name, limit, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

var errSlow = errors.New("not ready in time")
