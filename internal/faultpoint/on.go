//go:build faultpoints

package faultpoint

import (
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

type order struct {
	signal syscall.Signal
	after  atomic.Int64 // how many times the point is still passed unharmed
}

var points, seeds = read(os.Getenv("FAULTPOINTS"))

func read(list string) (map[string]*order, map[string]bool) {
	points, seeds := map[string]*order{}, map[string]bool{}
	for one := range strings.SplitSeq(list, ";") {
		what, name, _ := strings.Cut(strings.TrimSpace(one), "=")
		name, count, _ := strings.Cut(name, "#")
		o := &order{signal: syscall.SIGKILL}
		switch what {
		case "seed":
			seeds[name] = true
			continue
		case "freeze":
			o.signal = syscall.SIGSTOP
		case "kill":
		case "":
			continue
		default:
			panic("FAULTPOINTS: " + what + " is no order")
		}
		if n, err := strconv.Atoi(count); err == nil {
			o.after.Store(int64(n) - 1)
		}
		points[name] = o
	}
	return points, seeds
}

// Reach marks a moment at which a test build may be killed or frozen. Neither is over when the system call returns:
// another thread may be the one that takes the signal. So nothing happens after a kill, and after a freeze nothing
// before somebody thaws it.
func Reach(place, moment string) {
	o := points[place+"/"+moment]
	if o == nil || o.after.Add(-1) != -1 {
		return
	}
	thawed := make(chan os.Signal, 1)
	if o.signal == syscall.SIGSTOP {
		signal.Notify(thawed, syscall.SIGCONT)
		defer signal.Stop(thawed)
	}
	_ = syscall.Kill(os.Getpid(), o.signal)
	<-thawed
}

// Seeded says whether a seeded fault is on.
func Seeded(name string) bool { return seeds[name] }
