//go:build faultpoints

package faultpoint

import (
	"os"
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

// Reach marks a moment at which a test build may be killed or frozen.
func Reach(place, moment string) {
	if o := points[place+"/"+moment]; o != nil && o.after.Add(-1) == -1 {
		_ = syscall.Kill(os.Getpid(), o.signal)
		if o.signal == syscall.SIGKILL {
			select {} // nothing happens after a kill
		}
	}
}

// Seeded says whether a seeded fault is on.
func Seeded(name string) bool { return seeds[name] }
