package crash

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestMain lets more tests run side by side than there are processors: most of their time is waiting for leases.
func TestMain(m *testing.M) {
	flag.Parse()
	if most := flag.Lookup("test.parallel"); most.Value.String() == fmt.Sprint(runtime.GOMAXPROCS(0)) {
		_ = most.Value.Set("8")
	}
	code := m.Run()
	if folder != "" {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

var folder string // of what this run builds

// built makes the programs once per run. They are not built with the race detector: they are to be what is shipped,
// faults aside.
var built = sync.OnceValues(func() (string, error) {
	var err error
	if folder, err = os.MkdirTemp("", "crash"); err != nil {
		return "", err
	}
	return folder, build(folder, "-tags=faultpoints", "countersign/cmd/web", "countersign/cmd/worker", "countersign/cmd/countersign")
})

func build(into string, what ...string) error {
	out, err := exec.Command("go", append([]string{"build", "-buildvcs=false", "-o", into + string(filepath.Separator)}, what...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// process is a running web or worker.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	said  *lines
	ended chan struct{} // closed when it has ended
}

// lines keeps what a process says, for a test that fails.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// start runs web or worker with the house's settings, some of them changed, and with orders for its fault points.
func (h *house) start(name, orders string, settings ...string) *process {
	h.t.Helper()
	from, err := built()
	must(h.t, err)
	return h.startFrom(from, name, orders, settings...)
}

// startFrom is start with the programs of a folder.
func (h *house) startFrom(from, name, orders string, settings ...string) *process {
	h.t.Helper()
	p := &process{t: h.t, name: name + " " + orders, cmd: exec.Command(filepath.Join(from, name)), said: &lines{}, ended: make(chan struct{})}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "FAULTPOINTS=" + orders}
	for key, value := range h.env {
		p.cmd.Env = append(p.cmd.Env, key+"="+value)
	}
	p.cmd.Env = append(p.cmd.Env, settings...) // of two, the later one counts
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	must(h.t, p.cmd.Start())
	go func() { _ = p.cmd.Wait(); close(p.ended) }()
	h.t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		if h.t.Failed() {
			h.t.Logf("what %s said:\n%s", p.name, p.said)
		}
	})
	return p
}

// end sends a signal and waits for the end.
func (p *process) end(signal syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Process.Signal(signal)
	p.awaitEnd()
}

func (p *process) isOver() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

func (p *process) awaitEnd() {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s has not ended within %s\n%s", p.name, patience, p.said)
	}
}

// dies waits until the process has killed itself at its point: by SIGKILL and nothing else.
func (p *process) dies() {
	p.t.Helper()
	p.awaitEnd()
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		p.t.Fatalf("%s ended by %s, not by a kill\n%s", p.name, p.cmd.ProcessState, p.said)
	}
}

// freezes waits until the process has stopped itself at its point. Meanwhile it does what keeps things going.
func (p *process) freezes(meanwhile ...func()) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		for _, do := range meanwhile {
			do()
		}
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(p.cmd.Process.Pid, &status, syscall.WNOHANG|syscall.WUNTRACED, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil || pid != 0 && !status.Stopped():
			p.t.Fatalf("%s has ended instead of freezing: %v\n%s", p.name, err, p.said)
		case pid != 0:
			return
		case time.Now().After(deadline):
			p.t.Fatalf("%s did not freeze\n%s", p.name, p.said)
		}
	}
}

func (p *process) thaw() { _ = p.cmd.Process.Signal(syscall.SIGCONT) }

// says waits for a word in what the process writes.
func (p *process) says(word string) {
	p.t.Helper()
	await(p.t, p.name+" to say "+word, func() bool { return strings.Contains(p.said.String(), word) })
}

// patience is how long an event is awaited on a machine that is busy with all the other tests.
const patience = time.Minute

func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
