// Package local makes one machine into a place where Countersign runs: a private Postgres and Redis (found, or installed after
// saying so), the build, the sandbox, and the processes of the Procfile, started in order, watched together and stopped in order.
//
// It knows processes, folders, ports and package managers. It knows nothing of the product: what the product is called, which
// programs it has and what they need is said here once, as names of binaries and environment variables. It keeps its state in one
// folder ([StateFolder]), guards it with a lock, and never touches a Postgres or Redis that it did not start.
package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Local is one checkout on one machine. Make it with [New]; its methods are the commands of bin/local.
type Local struct {
	root    string // the checkout
	state   string // where data is kept between runs
	env     *Environment
	console *Console

	mu     sync.Mutex
	runner *Runner
}

// New prepares the checkout that contains folder dir. environ is the person's environment, which always wins over what Local
// would choose. Progress and logs go to out.
func New(dir string, environ []string, out io.Writer) (*Local, error) {
	root, err := findRoot(dir)
	if err != nil {
		return nil, err
	}
	env := NewEnvironment(environ)
	return &Local{root: root, state: StateFolder(root), env: env, console: NewConsole(out, env)}, nil
}

// Interrupted is the cause with which a caller cancels a command's context because of a signal.
type Interrupted struct{ Signal syscall.Signal }

func (e Interrupted) Error() string { return "stopped by signal: " + e.Signal.String() }

// ExitCode is what a shell reports for a program ended by this signal.
func (e Interrupted) ExitCode() int { return 128 + int(e.Signal) }

// Kill ends every child at once, without asking. It may be called from any goroutine, for a person who asks a second time.
func (l *Local) Kill() {
	l.mu.Lock()
	r := l.runner
	l.mu.Unlock()
	if r != nil {
		r.Kill()
	}
}

// Reset forgets data, keys and logs of earlier runs, and returns the exit code. The keyset stays if the last run sealed data in a
// database of the person's, which Reset does not touch and nobody could read any more. It refuses while a run goes on.
func (l *Local) Reset() (code int) { return l.exitCode(l.reset()) }

func (l *Local) reset() error {
	unlock, err := sweep(l.state, l.console)
	if err != nil {
		return err
	}
	unlock()
	folder := filepath.Join(l.state, "run")
	if _, err := os.Lstat(folder); errors.Is(err, os.ErrNotExist) {
		l.console.Say("nothing to forget: %s does not exist", folder)
		return nil
	}
	home, err := OpenHome(folder)
	if err != nil {
		return err
	}
	defer home.Close()
	if err := home.Recover(l.console); err != nil {
		return err
	}
	kept, err := home.forget()
	if err != nil {
		return fmt.Errorf("forgetting %s: %w", folder, err)
	}
	l.console.Say("forgot the data, keys and logs in %s", folder)
	if kept != "" {
		l.console.Say("kept the keyset, %s: the last run used your own DATABASE_URL, and what it sealed there needs it", kept)
	}
	return nil
}

// announced is an error that the person has been told already.
type announced struct{ error }

func (e announced) Unwrap() error { return e.error }

// announce tells the person what went wrong, once.
func (l *Local) announce(err error) error {
	if err == nil || errors.As(err, new(announced)) {
		return err
	}
	l.console.Say("%v", err)
	return announced{err}
}

// exitCode announces an error if need be and turns it into the code to exit with.
func (l *Local) exitCode(err error) int {
	if err = l.announce(err); err == nil {
		return 0
	}
	if stopped := (Interrupted{}); errors.As(err, &stopped) {
		return stopped.ExitCode()
	}
	return 1
}

// open makes the runner of one command. The returned context ends when the parent does or when a child dies by itself; its cause
// says which.
func (l *Local) open(parent context.Context, home *Home) (context.Context, *Runner) {
	ctx, cancel := context.WithCancelCause(parent)
	r := NewRunner(l.console, home, cancel)
	l.mu.Lock()
	l.runner = r
	l.mu.Unlock()
	return ctx, r
}

// reason turns the error of a step into the one that explains it: if the context ended, whoever ended it knows better.
func reason(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

// findRoot walks up from dir to the folder that holds the Procfile.
func findRoot(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for at := abs; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "Procfile")); err == nil {
			return at, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no Procfile in %s or above it: run this inside the checkout", abs)
		}
	}
}
