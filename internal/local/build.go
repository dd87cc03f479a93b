package local

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
)

// Build runs «go build» with progress shown, and returns its exit code.
func (l *Local) Build(parent context.Context, args []string) (code int) {
	home, err := openThrowaway(l.state, l.console)
	if err != nil {
		return l.exitCode(err)
	}
	defer func() {
		_ = os.RemoveAll(home.Dir)
		home.Close()
	}()
	ctx, r := l.open(parent, home)
	defer r.Stop()
	return l.exitCode(reason(ctx, l.build(ctx, r, args...)))
}

// build runs «go build» with the given arguments and says how far it is. What the compiler complains about is shown as it came.
func (l *Local) build(ctx context.Context, r *Runner, args ...string) error {
	step := l.console.Begin("build", "go build "+strings.Join(args, " "))
	var total atomic.Int64
	counting, stopCounting := context.WithCancel(ctx)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		total.Store(l.countStale(counting, args))
	}()
	progress := buildProgress{step: step, total: &total}
	code, err := r.Finish(ctx, Spec{Name: "build", Dir: l.root, Env: l.env.List(), Output: &Lines{each: progress.line},
		Args: append([]string{"go", "build", "-v", "-buildvcs=false"}, args...)})
	stopCounting()
	<-counted
	if err == nil && code != 0 {
		err = fmt.Errorf("the build failed (go build exited with %d)", code)
	}
	return step.End(err)
}

// countStale returns about how many packages have to be compiled, 0 if that is not known.
func (l *Local) countStale(ctx context.Context, args []string) int64 {
	list := []string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}
	for i := 0; i < len(args); i++ {
		if args[i] == "-o" { // an option of build alone, with its value
			i++
			continue
		}
		list = append(list, args[i])
	}
	cmd := exec.CommandContext(ctx, "go", list...)
	cmd.Dir, cmd.Env = l.root, l.env.List()
	out, err := cmd.Output()
	if err != nil {
		return 0
	}
	return int64(len(strings.Fields(string(out))))
}

// buildProgress understands what «go build -v» says: a word alone is a package whose turn has come, the rest is for the person.
type buildProgress struct {
	step  *Step
	total *atomic.Int64
	seen  int64
}

func (b *buildProgress) line(text string) {
	switch {
	case strings.HasPrefix(text, "go: downloading "):
		b.step.Note("downloading %s", strings.TrimPrefix(text, "go: downloading "))
	case text != "" && !strings.ContainsAny(text, " \t:"):
		b.seen++
		if total := b.total.Load(); total >= b.seen {
			b.step.Note("%d of about %d packages, now %s", b.seen, total, text)
		} else {
			b.step.Note("%d packages, now %s", b.seen, text)
		}
	default:
		b.step.console.line("build", text)
	}
}
