package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Remember writes down who runs from this home, so that a later run can find them if we are killed.
func (h *Home) Remember(processes []*Process) error {
	var text strings.Builder
	for _, p := range processes {
		fmt.Fprintf(&text, "%d %s %s\n", p.PID, p.mark, p.Name)
	}
	temporary := h.Path("processes.new")
	if err := os.WriteFile(temporary, []byte(text.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, h.Path("processes"))
}

// marker is set in the environment of every child, so that it can be known again.
func (h *Home) marker() string { return "COUNTERSIGN_HOME=" + h.Dir }

// Recover stops what an earlier holder of the lock left running. A process is touched only if it is the very one written down
// (same id, same time of birth), if it is in the group of one that is gone and carries our marker, or if it is a Postgres whose
// command line names our data folder.
func (h *Home) Recover(console *Console) error {
	text, err := os.ReadFile(h.Path("processes"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line) // a mark may hold spaces, a name does not
		if len(fields) < 3 {
			continue
		}
		pid, _ := strconv.Atoi(fields[0])
		mark, name := strings.Join(fields[1:len(fields)-1], " "), fields[len(fields)-1]
		now := strings.Join(strings.Fields(processMark(pid)), " ")
		if pid <= 1 || now != mark && (now != "" || !groupStartedWith(pid, h.marker())) {
			continue
		}
		console.Say("stopping %s (process %d), left by an earlier run", name, pid)
		stopStray(pid, name)
	}
	if err := h.recoverPostgres(console); err != nil {
		return err
	}
	return h.Remember(nil)
}

// recoverPostgres makes postmaster.pid tell the truth: Postgres would refuse to start if its old number now belongs to another
// process of the same account.
func (h *Home) recoverPostgres(console *Console) error {
	path := h.Path("postgres/postmaster.pid")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(first))
	if pid > 1 && strings.Contains(commandOf(pid), h.Path("postgres")) {
		console.Say("stopping postgres (process %d), left by an earlier run", pid)
		stopStray(pid, "postgres")
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// stopStray ends a process that is not our child, and its group: politely, and after five seconds for good.
func stopStray(pid int, name string) {
	target, signal := -pid, syscall.SIGTERM
	if name == "postgres" { // it looks after its own children, and SIGINT is its word for «now, but cleanly»
		target, signal = pid, syscall.SIGINT
	}
	_ = syscall.Kill(target, signal)
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !groupAlive(pid) {
			return
		}
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
}

// openThrowaway makes a home for one command, and first clears away those of commands that were killed.
func openThrowaway(state string, console *Console) (*Home, error) {
	unlock, err := sweep(state, console)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return OpenHome(filepath.Join(state, "exec-"+randomHex(4)))
}

// sweep removes the throwaway homes below state whose holder is gone, with whatever still runs from them. Until unlock is called
// nobody else sweeps, so that a home can be made without being taken for a left one.
func sweep(state string, console *Console) (unlock func(), err error) {
	if err := ownFolder(state); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(state, "sweep.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	folders, _ := filepath.Glob(filepath.Join(state, "exec-*"))
	for _, folder := range folders {
		home, err := OpenHome(folder)
		if err != nil {
			continue // somebody is using it
		}
		if err := home.Recover(console); err == nil {
			_ = os.RemoveAll(folder)
		}
		home.Close()
	}
	return func() { _ = lock.Close() }, nil
}
