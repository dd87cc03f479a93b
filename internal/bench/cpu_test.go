package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// spent is processor time by whose it is. On a machine that others use, too, it says more than a rate does.
type spent map[string]time.Duration

// parties are whose processor time a delivery costs, in the order of the table.
var parties = []string{"worker", "Postgres", "provider", "Redis"}

// spent is what each has used so far. Where the system has no /proc it is nothing.
func (c *crew) spent() spent {
	var backend, redis int
	c.s.one(&backend, "SELECT pg_backend_pid()")
	redis = int(figure("\n"+c.s.redis.Info(context.Background(), "server").Val(), "process_id"))
	all := spent{"Postgres": treeTime(parent(backend)), "provider": processTime(c.s.provider.cmd.Process.Pid), "Redis": processTime(redis)}
	for _, worker := range c.workers {
		all["worker"] += processTime(worker.cmd.Process.Pid)
	}
	return all
}

// each is the difference for one of n, as a line of the table.
func (s spent) each(before spent, n int) row {
	var words []string
	var sum time.Duration
	for _, party := range parties {
		one := (s[party] - before[party]) / time.Duration(n)
		sum += one
		words = append(words, fmt.Sprintf("%s %.2f", party, float64(one.Microseconds())/1000))
	}
	return info("  processor time of each", fmt.Sprintf("%.2f ms", float64(sum.Microseconds())/1000), strings.Join(words, ", "))
}

// stat is a process's line in /proc, from its state on.
func stat(pid int) []string {
	line, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
}

func parent(pid int) int { return int(stat1(stat(pid), 1)) }

func processTime(pid int) time.Duration { return ticks(stat(pid), 11, 12) }

// treeTime is that of a process and its children, those that have ended included.
func treeTime(pid int) time.Duration {
	all := ticks(stat(pid), 11, 12, 13, 14)
	children, _ := filepath.Glob(filepath.Join("/proc", fmt.Sprint(pid), "task", "*", "children"))
	for _, file := range children {
		list, _ := os.ReadFile(file)
		for child := range strings.FieldsSeq(string(list)) {
			var n int
			_, _ = fmt.Sscan(child, &n)
			all += processTime(n)
		}
	}
	return all
}

// ticks adds up fields, which are hundredths of a second.
func ticks(of []string, fields ...int) (sum time.Duration) {
	for _, i := range fields {
		sum += time.Duration(stat1(of, i)) * 10 * time.Millisecond
	}
	return sum
}

func stat1(of []string, field int) (n int64) {
	if field < len(of) {
		_, _ = fmt.Sscan(of[field], &n)
	}
	return n
}
