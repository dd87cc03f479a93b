package local

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// attributes puts a child at the head of a process group of its own, under owner if there is one, and has the kernel send it
// last when its parent dies.
func attributes(owner *Owner, last syscall.Signal) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: last}
	if owner != nil {
		attr.Credential = &syscall.Credential{Uid: owner.UID, Gid: owner.GID}
	}
	return attr
}

// processMark tells one life of a process id from another: the boot and the tick at which it began. Empty if it does not live.
func processMark(pid int) string {
	stat, ok := readStat(strconv.Itoa(pid))
	if !ok || len(stat) < 20 || stat[0] == "Z" || stat[0] == "X" {
		return ""
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(boot)) + "/" + stat[19]
}

// commandOf returns the command line of a process, empty if it does not live.
func commandOf(pid int) string {
	text, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return strings.TrimRight(strings.ReplaceAll(string(text), "\x00", " "), " ")
}

// groupAlive tells whether any process of the group still runs; one that has ended and waits to be reaped does not count.
func groupAlive(group int) bool { return len(groupMembers(group)) > 0 }

// groupStartedWith tells whether a process of the group still runs that was started with this NAME=value in its environment.
func groupStartedWith(group int, variable string) bool {
	return slices.ContainsFunc(groupMembers(group), func(pid string) bool {
		text, _ := os.ReadFile("/proc/" + pid + "/environ")
		return slices.Contains(strings.Split(string(text), "\x00"), variable)
	})
}

func groupMembers(group int) (members []string) {
	if syscall.Kill(-group, 0) == syscall.ESRCH {
		return nil
	}
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, path := range paths {
		stat, ok := readStat(filepath.Base(path))
		if ok && len(stat) > 2 && stat[2] == strconv.Itoa(group) && stat[0] != "Z" && stat[0] != "X" {
			members = append(members, filepath.Base(path))
		}
	}
	return members
}

// readStat returns the fields of /proc/PID/stat that follow the command's name: state, parent, group, and so on.
func readStat(pid string) ([]string, bool) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return nil, false
	}
	end := strings.LastIndexByte(string(text), ')')
	return strings.Fields(string(text[end+1:])), end > 0
}
