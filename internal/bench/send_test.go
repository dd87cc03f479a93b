package bench

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// outcome is what a phase of sending came to.
type outcome struct {
	deliveries   int
	took         time.Duration    // from the first claim to the last acceptance
	transactions float64          // per delivery, of those that wrote something
	queries      map[string]query // by sqlc's name
	cpu          row
}

// query is one statement's share: round trips per delivery, and how long one took.
type query struct{ times, seconds float64 }

func (o outcome) rate() float64 { return float64(o.deliveries) / o.took.Seconds() }

func (o outcome) roundTrips() (n float64) {
	for _, q := range o.queries {
		n += q.times / float64(o.deliveries)
	}
	return n
}

// crew is some worker processes under way.
type crew struct {
	s       *stage
	workers []*program
	ports   []int
}

func (s *stage) crew(workers int, settings map[string]string) *crew {
	c := &crew{s: s}
	for range workers {
		port := freePort(s.b)
		more := map[string]string{"WORKER_PORT": fmt.Sprint(port)}
		maps.Copy(more, settings)
		c.workers, c.ports = append(c.workers, s.start("worker", nil, more)), append(c.ports, port)
	}
	for _, port := range c.ports {
		s.awaitReady(fmt.Sprintf("http://localhost:%d/readyz", port))
	}
	return c
}

func (c *crew) stop() {
	for _, worker := range c.workers {
		worker.stop()
	}
}

// send tidies up, puts n rows back, has the crew send them, and proves by the provider's log that each went once.
func (c *crew) send(n int) outcome {
	c.s.tidy()
	return c.resend(n)
}

// resend is send without the tidying.
func (c *crew) resend(n int) outcome {
	s := c.s
	s.awaitSent(time.Minute) // what was due before
	s.skipLog()
	o := outcome{deliveries: n, queries: map[string]query{}}
	c.readQueries(o.queries, -1)
	var begun time.Time
	s.one(&begun, "SELECT clock_timestamp()")
	s.putBack(n)
	before, spent := s.transactions(), c.spent()
	s.awaitSent(time.Duration(n)*100*time.Millisecond + time.Minute)
	o.transactions = float64(s.transactions()-before) / float64(n)
	o.cpu = c.spent().each(spent, n)
	c.readQueries(o.queries, 1)
	var seconds float64
	s.one(&seconds, "SELECT extract(epoch FROM max(finished_at) - min(started_at))::float8 FROM delivery_attempts WHERE started_at >= $1", begun)
	o.took = time.Duration(seconds * float64(time.Second))
	s.onceEach(n)
	return o
}

// awaitSent waits until nothing is queued or under way.
func (s *stage) awaitSent(most time.Duration) {
	s.await("every row to be sent", most, func() bool {
		var left bool
		s.one(&left, "SELECT EXISTS (SELECT 1 FROM deliveries WHERE state IN ('queued', 'sending'))")
		return !left
	})
}

// transactions is how many transactions have written something so far, on the whole server: each takes one number.
func (s *stage) transactions() (n int) {
	s.one(&n, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")
	return n
}

// readQueries adds to what is known what the workers' /metrics say about their statements so far; sign takes it away.
func (c *crew) readQueries(into map[string]query, sign float64) {
	for _, port := range c.ports {
		c.s.readQueries(port, into, sign)
	}
}

func (s *stage) readQueries(port int, into map[string]query, sign float64) {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("http://localhost:%d/metrics", port), nil)
	must(s.b, err)
	req.Header.Set("Authorization", "Bearer "+s.env["METRICS_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	must(s.b, err)
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		figure, rest, _ := strings.Cut(lines.Text(), "{")
		_, rest, _ = strings.Cut(rest, `query="`)
		name, rest, _ := strings.Cut(rest, `"`)
		_, value, _ := strings.Cut(rest, "} ")
		n, _ := strconv.ParseFloat(value, 64)
		q := into[name]
		switch figure {
		case "countersign_db_query_seconds_count":
			q.times += sign * n
		case "countersign_db_query_seconds_sum":
			q.seconds += sign * n
		default:
			continue
		}
		into[name] = q
	}
}

// statements are the statements of one delivery, the dearest first.
func (o outcome) statements() (rows []row) {
	byTime := func(a, b string) int { return int(1e9 * (o.queries[b].seconds - o.queries[a].seconds)) }
	for _, name := range slices.SortedFunc(maps.Keys(o.queries), byTime) {
		q := o.queries[name]
		if per := q.times / float64(o.deliveries); per >= 0.01 {
			rows = append(rows, info(name, fmt.Sprintf("%.2f", per), fmt.Sprintf("%.2f ms each", 1000*q.seconds/q.times)))
		}
	}
	return rows
}
