package bench

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// BenchmarkEngine is the whole bench, once: it prints its table at the end, and what it is doing meanwhile.
func BenchmarkEngine(b *testing.B) {
	s := open(b)
	say := func(format string, args ...any) { fmt.Fprintf(os.Stdout, "# "+format+"\n", args...) }
	say("programs are built and the provider is up")
	n := 1500
	begun := time.Now()
	ids := s.prepare(n)
	say("prepare %d: %s", n, time.Since(begun).Round(time.Millisecond))
	begun = time.Now()
	s.approveAll(ids)
	say("approve %d: %s", n, time.Since(begun).Round(time.Millisecond))
	s.tidy()
	var rows []row
	bare := s.bare(4, 3*time.Second)
	barer := s.barer(4, 3*time.Second)
	o := s.send(n, 1, nil)
	bare2 := s.bare(4, 3*time.Second)
	say("bare %.0f %.0f, barer %.0f", bare, bare2, barer)
	rows = append(rows, against("deliveries", o.rate(), "bare limit", (bare+bare2)/2/o.commits, 0.5), info("tx", fmt.Sprint(o.commits), ""))
	for _, tt := range [][2]int{{16, 4}, {16, 8}, {16, 16}, {32, 16}, {32, 32}, {64, 32}} {
		s.putBack(n)
		bare := s.bare(tt[1], 3*time.Second)
		o := s.send(n, 1, map[string]string{"WORKER_CONCURRENCY": fmt.Sprint(tt[0]), "DATABASE_MAX_CONNS": fmt.Sprint(tt[1])})
		bare2 := s.bare(tt[1], 3*time.Second)
		say("%v bare %.0f %.0f", tt, bare, bare2)
		rows = append(rows, against(fmt.Sprint(tt), o.rate(), "bare limit", (bare+bare2)/2/o.commits, 0.5))
	}
	rows = append(rows, info("asynq", perSecond(s.emptyTasks(3000, 16)), ""))
	printTable(os.Stdout, "bench", rows)
}
