//go:build !linux

package local

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// attributes puts a child at the head of a process group of its own, under owner if there is one. Only Linux can have it told of
// its parent's death; elsewhere [Home.Recover] finds what was left.
func attributes(owner *Owner, _ syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if owner != nil {
		attr.Credential = &syscall.Credential{Uid: owner.UID, Gid: owner.GID}
	}
	return attr
}

// processMark tells one life of a process id from another: the time at which it began. Empty if it does not live.
func processMark(pid int) string { return ps(pid, "lstart=") }

// commandOf returns the command line of a process, empty if it does not live.
func commandOf(pid int) string { return ps(pid, "command=") }

// groupAlive tells whether any process of the group still runs.
func groupAlive(group int) bool { return syscall.Kill(-group, 0) != syscall.ESRCH }

// groupStartedWith would tell whether a process of the group was started with this variable. Only Linux shows that.
func groupStartedWith(int, string) bool { return false }

func ps(pid int, field string) string {
	out, err := exec.Command("ps", "-o", field, "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
