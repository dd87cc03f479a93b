//go:build faultpoints

package faultpoint

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	points, seeds := read(" kill=review.approve/committed ; freeze=wire/answered#3;seed=fence;;seed=fold")
	if len(points) != 2 || len(seeds) != 2 || !seeds[SeedFence] || !seeds[SeedFold] || seeds[SeedClass] {
		t.Fatalf("%d points, seeds %v", len(points), seeds)
	}
	if o := points["review.approve/committed"]; o == nil || o.signal != syscall.SIGKILL || o.after.Load() != 0 {
		t.Errorf("a kill without a number is %+v", o)
	}
	if o := points["wire/answered"]; o == nil || o.signal != syscall.SIGSTOP || o.after.Load() != 2 {
		t.Errorf("the third freeze is %+v", o)
	}
	if points, seeds := read(""); len(points)+len(seeds) != 0 {
		t.Error("no orders are some")
	}
	defer func() {
		if v := recover(); v != "FAULTPOINTS: maim is no order" {
			t.Errorf("an unknown order is %v", v)
		}
	}()
	read("maim=review.approve/committed")
}

// child is what this test binary does when it is started once more, with orders.
const child = "FAULTPOINTS_TEST_CHILD"

// TestReach starts this test again as a process that passes one point four times and says so each time.
func TestReach(t *testing.T) {
	if os.Getenv(child) != "" {
		for range 4 {
			Reach("a place", "moment")
			os.Stdout.WriteString("passed;")
		}
		if Seeded(SeedRelay) {
			os.Stdout.WriteString("seeded;")
		}
		return
	}
	for orders, passed := range map[string]int{"kill=a place/moment": 0, "kill=a place/moment#3": 2, "kill=a place/moment#5": 4,
		"kill=a place/other": 4, "seed=relay": 4, "": 4} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestReach$", "-test.count=1")
		cmd.Env = []string{child + "=1", "FAULTPOINTS=" + orders}
		out, err := cmd.Output()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		killed := status.Signaled() && status.Signal() == syscall.SIGKILL
		if n := strings.Count(string(out), "passed;"); n != passed || killed != (passed < 4) || !killed && err != nil {
			t.Errorf("%q: passed %d times, killed %v, %v", orders, n, killed, err)
		}
		if strings.Contains(string(out), "seeded;") != (orders == "seed=relay") {
			t.Errorf("%q: the seed is wrong", orders)
		}
	}
}

// A freeze lasts until somebody thaws it, and comes once. That nothing slips through meanwhile is seen by package crash, in
// processes with much else to do.
func TestFreeze(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/said")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestReach$", "-test.count=1")
	cmd.Env = []string{child + "=1", "FAULTPOINTS=freeze=a place/moment#2"}
	cmd.Stdout = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it is not frozen: %v %v", status, err)
	}
	if n := passed(t, file.Name()); n != 1 {
		t.Errorf("frozen at the second time, and passed %d times", n)
	}
	if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || passed(t, file.Name()) != 4 {
		t.Errorf("after the thaw: passed %d times, %v", passed(t, file.Name()), err)
	}
}

func passed(t *testing.T, file string) int {
	t.Helper()
	said, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(said), "passed;")
}
