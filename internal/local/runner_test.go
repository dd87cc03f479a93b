package local

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunnerStopsInOrder(t *testing.T) {
	t.Parallel()
	r, deaths, said := testRunner(t, nil)
	order := filepath.Join(t.TempDir(), "order")
	for _, child := range []struct {
		name   string
		stopBy time.Duration
	}{{"redis", 9 * time.Second}, {"web", 3 * time.Second}, {"worker", 6 * time.Second}} {
		script := `trap 'echo ` + child.name + ` >> ` + order + `; exit 0' TERM; echo up; sleep 60 & wait`
		startScript(t, r, child.name, script, child.stopBy)
	}
	r.Stop()
	text, _ := os.ReadFile(order)
	if got := strings.Fields(string(text)); strings.Join(got, " ") != "web worker redis" {
		t.Errorf("stopped in the order %v", got)
	}
	mustContain(t, said.String(), "local    | stopping web, worker, redis\n")
	if len(deaths) > 0 {
		t.Errorf("a death that was asked for is reported: %v", <-deaths)
	}
	if _, err := r.Start(Spec{Name: "late", Args: []string{"true"}}); err == nil {
		t.Error("a child starts while all are being stopped")
	}
}

func TestRunnerReportsADeath(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ script, want string }{
		"exit":   {"echo up; read wait; exit 3", "web ended by itself with exit code 3"},
		"signal": {"echo up; read wait; kill -9 $$", "web was ended by signal 9 (killed)"},
		"zero":   {"echo up; read wait; exit 0", "web ended by itself with exit code 0"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, deaths, _ := testRunner(t, nil)
			read, write, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer read.Close()
			p, err := r.Start(Spec{Name: "web", Args: []string{"sh", "-c", test.script}, Stdin: read, StopBy: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.await(t.Context(), time.Second, func(context.Context) error { return nil }); err != nil {
				t.Fatal(err)
			}
			_ = write.Close() // lets the script go on
			if got := within(t, "the report", deaths); got.Error() != test.want {
				t.Errorf("reported %q, want %q", got, test.want)
			}
		})
	}
}

func TestRunnerLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"grandchildren":       `sleep 61 & sleep 62 & echo up; wait`,
		"deaf leader":         `trap '' TERM; sleep 61 & echo up; while :; do wait; done`,
		"leader leaves first": `trap 'exit 0' TERM; (trap '' TERM; echo up; while :; do sleep 1; done) & wait`,
	}
	for name, script := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, _ := testRunner(t, nil)
			p := startScript(t, r, "web", script, 300*time.Millisecond)
			began := time.Now()
			r.Stop()
			for groupAlive(p.PID) && time.Since(began) < 20*time.Second {
				time.Sleep(time.Millisecond) // a killed process needs a moment to be gone
			}
			if groupAlive(p.PID) {
				t.Error("the group still has a process")
			}
		})
	}
}

func TestRunnerFinish(t *testing.T) {
	t.Parallel()
	r, deaths, _ := testRunner(t, nil)
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -9 $$": 137} {
		if code, err := r.Finish(t.Context(), Spec{Name: "seed", Args: shell(script)}); code != want || err != nil {
			t.Errorf("%q: code %d, %v; want %d", script, code, err, want)
		}
	}
	if err := r.MustFinish(t.Context(), Spec{Name: "seed", Args: shell("exit 7")}); err == nil || err.Error() != "seed failed with exit code 7" {
		t.Errorf("error %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(Interrupted{syscall.SIGINT})
	if _, err := r.Finish(ctx, Spec{Name: "seed", Args: shell("sleep 60")}); !errors.As(err, new(Interrupted)) {
		t.Errorf("error %v, want the cause of the interruption", err)
	}
	if len(deaths) > 0 {
		t.Errorf("an end that was awaited is reported: %v", <-deaths)
	}
}

func TestAwaitNoticesAnEarlyDeath(t *testing.T) {
	t.Parallel()
	r, _, _ := testRunner(t, nil)
	p, err := r.Start(Spec{Name: "web", Args: shell("exit 4")})
	if err != nil {
		t.Fatal(err)
	}
	err = p.await(t.Context(), 20*time.Second, func(context.Context) error { return errors.New("connection refused") })
	if err == nil || err.Error() != "web ended by itself with exit code 4" {
		t.Errorf("error %v", err)
	}
}

func TestRecoverKnowsItsOwn(t *testing.T) {
	t.Parallel()
	dir := testFolder(t)
	home := testHome(t, dir)
	abandoned, _, _ := testRunner(t, home)
	left := startScript(t, abandoned, "web", "echo up; sleep 60", time.Second)
	orphaned := startScript(t, abandoned, "worker", "sleep 61 & echo up; read wait", time.Second) // its leader ends, the rest stays

	stranger := exec.Command("sleep", "60")
	stranger.SysProcAttr = attributes(nil, syscall.SIGTERM)
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Process.Kill(); _ = stranger.Wait() }()
	within(t, "the leader's end", orphaned.done)

	record, _ := os.ReadFile(home.Path("processes"))
	reused := strconv.Itoa(stranger.Process.Pid) + " another-boot/1 web\n" // a number that now belongs to somebody else
	if err := os.WriteFile(home.Path("processes"), append(record, reused...), 0o600); err != nil {
		t.Fatal(err)
	}
	home.Close()
	again := testHome(t, dir)
	if err := again.Recover(NewConsole(&transcript{}, NewEnvironment(nil))); err != nil {
		t.Fatal(err)
	}
	within(t, "the left child's end", left.done)
	if groupAlive(orphaned.PID) {
		t.Error("the rest of a group without a leader still runs")
	}
	if processMark(stranger.Process.Pid) == "" {
		t.Error("a stranger's process was stopped")
	}
}

func TestHomeIsForOne(t *testing.T) {
	t.Parallel()
	dir := testFolder(t)
	home := testHome(t, dir)
	if _, err := OpenHome(home.Dir); err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("error %v, want one that names the holder", err)
	}
	one, _ := home.Secret("a")
	two, _ := home.Secret("a")
	if one != two || len(one) != 48 {
		t.Errorf("secrets %q and %q", one, two)
	}
}

func TestThrowawayHomesAreSwept(t *testing.T) {
	t.Parallel()
	state, console := testFolder(t), NewConsole(&transcript{}, NewEnvironment(nil))
	held, err := openThrowaway(state, console)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	left, err := openThrowaway(state, console)
	if err != nil {
		t.Fatal(err)
	}
	left.Close() // as the death of its holder would
	fresh, err := openThrowaway(state, console)
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	for home, want := range map[*Home]bool{held: true, left: false, fresh: true} {
		if _, err := os.Stat(home.Dir); (err == nil) != want {
			t.Errorf("%s exists: %t, want %t", home.Dir, err == nil, want)
		}
	}
}
