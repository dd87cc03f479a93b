package bench

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// How much the bench does, and how long its loops run.
const (
	rowsMade   = 1000 // notices that are sent, put back and sent again
	rounds     = 3    // of sending, each between two bare loops
	bareTime   = 2 * time.Second
	latencyFor = 10 * time.Second
	flatShort  = 5_000
	flatLong   = 100_000 // with BENCH_LONG
	flatRound  = 500     // deliveries between two samples, and twice as many in a long run
)

// What a worker has unless set: connections, of which the bare loop gets as many, and rows under way, most of which wait for the
// provider or for the transaction that they will share.
const (
	connections = 16
	underWay    = 64
)

// alone is how many transactions a delivery takes that shares none: a claim and a record, each committed before the next
// step. That is what the promise costs, so the bare loop is asked for that many.
const alone = 2

// BenchmarkEngine is the whole bench, once: it prints its table at the end, and what it is doing meanwhile.
func BenchmarkEngine(b *testing.B) {
	s := open(b)
	begun := time.Now()
	s.approveAll(s.prepare(rowsMade))
	s.say("%d messages were written, submitted and signed by doing the deeds: %.0f s", rowsMade, time.Since(begun).Seconds())
	var table []row
	first := s.engine()
	table = append(table, first.rows...)
	table = append(table, s.latency(s.prepare(warmUps+int(first.limit/10*latencyFor.Seconds())), first.limit/10))
	s.say("latency is measured")
	table = append(table, s.webhooks(rowsMade)...)
	s.say("webhooks are measured")
	table = append(table, s.sharing()...)
	s.say("sharing is measured")
	table = append(table, s.filter())
	total, round := flatShort, flatRound
	if os.Getenv("BENCH_LONG") != "" {
		total, round = flatLong, 2*flatRound
	}
	samples := s.flat(total, round)
	table = append(table, flatness(samples)...)
	printTable(os.Stdout, "Countersign, the delivery engine: "+s.surroundings(), table)
	printTable(os.Stdout, "Statements per delivery", first.statements)
	printTable(os.Stdout, "What the servers hold, one worker throughout", history(samples))
	s.say("rows are sent again and again: the database's owner puts them back with triggers off, and the provider's log proves each round")
}

// engineRun is what sending came to.
type engineRun struct {
	rows, statements []row
	limit            float64 // deliveries a second that the bare loop would allow
}

// engine sends everything a few times, each between two bare loops, and compares.
func (s *stage) engine() engineRun {
	c := s.crew(1, map[string]string{"WORKER_CONCURRENCY": fmt.Sprint(underWay), "DATABASE_MAX_CONNS": fmt.Sprint(connections)})
	defer c.stop()
	var rates, limits, ratios []float64
	var o outcome
	for range rounds {
		before := s.bare(connections, bareTime)
		c.send(rowsMade / 4) // its connections have planned their statements after it
		o = c.resend(rowsMade)
		limit := (before + s.bare(connections, bareTime)) / 2 / alone
		rates, limits, ratios = append(rates, o.rate()), append(limits, limit), append(ratios, o.rate()/limit)
		s.say("%s, bare limit %s; %s: %s", perSecond(o.rate()), perSecond(limit), o.cpu.figure, o.cpu.beside)
	}
	rate, limit, ratio := median(rates), median(limits), median(ratios)
	what := fmt.Sprintf("deliveries, %d under way over %d connections, beside %d bare transactions each", underWay, connections, alone)
	rows := []row{{what: what, figure: perSecond(rate), beside: "bare limit " + perSecond(limit), ratio: fmt.Sprintf("%.2f", ratio), goal: "at least 0.5", met: ratio >= 0.5},
		info("  in transactions that are shared", fmt.Sprintf("%.2f transactions each", o.transactions), fmt.Sprintf("%.1f round trips each", o.roundTrips())),
		o.cpu,
		beside("  beside as many bare transactions as that", rate, "bare limit", limit*alone/o.transactions),
		beside(fmt.Sprintf("  beside %d UPDATEs that commit by themselves", alone), rate, "limit", s.barer(connections, bareTime)/alone),
		beside("  beside empty tasks through asynq", rate, "asynq", s.emptyTasks(3*rowsMade, underWay))}
	return engineRun{rows: rows, statements: o.statements(), limit: limit}
}

func (s *stage) say(format string, args ...any) { fmt.Fprintf(os.Stdout, "# "+format+"\n", args...) }

// surroundings is what the figures depend on.
func (s *stage) surroundings() string {
	var version, fsync, commit string
	s.one(&version, "SHOW server_version")
	s.one(&fsync, "SHOW fsync")
	s.one(&commit, "SHOW synchronous_commit")
	version, _, _ = strings.Cut(version, " ")
	text := fmt.Sprintf("%d cores, Postgres %s with fsync %s and synchronous_commit %s", runtime.NumCPU(), version, fsync, commit)
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ := strings.Cut(string(load), " ")
		text += ", load average " + load
	}
	return text
}

func median(of []float64) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
