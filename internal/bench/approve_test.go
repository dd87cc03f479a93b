package bench

import (
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"
)

// BenchmarkApprove is what a signature costs, in processor time of this process and of Postgres.
func BenchmarkApprove(b *testing.B) {
	s := open(b)
	s.approveAll(s.prepare(200))
	for range rounds {
		messages := s.prepare(500)
		s.tidy()
		var backend int
		s.one(&backend, "SELECT pg_backend_pid()")
		before, self, begun := treeTime(parent(backend)), selfTime(), time.Now()
		s.approveAll(messages)
		took := time.Since(begun)
		each := func(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/500/1000) }
		fmt.Fprintf(os.Stdout, "# approve: Postgres %s, here %s, in %s each\n", each(treeTime(parent(backend))-before), each(selfTime()-self), each(took))
	}
}

func selfTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
