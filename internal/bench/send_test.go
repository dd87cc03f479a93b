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
	cpu          time.Duration    // of the workers
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

// send has as many worker processes send n rows that are due, and proves by the provider's log that each went once.
func (s *stage) send(n, workers int, settings map[string]string) outcome {
	s.skipLog()
	var begun time.Time
	before := s.transactions()
	s.one(&begun, "SELECT clock_timestamp()")
	var all []*program
	var ports []int
	for range workers {
		more := maps.Clone(settings)
		if more == nil {
			more = map[string]string{}
		}
		ports = append(ports, freePort(s.b))
		more["WORKER_PORT"] = fmt.Sprint(ports[len(ports)-1])
		all = append(all, s.start("worker", nil, more))
	}
	s.awaitSent(time.Duration(n)*100*time.Millisecond + time.Minute)
	o := outcome{deliveries: n, queries: map[string]query{}}
	o.transactions = float64(s.transactions()-before) / float64(n)
	for i, worker := range all {
		s.readQueries(ports[i], o.queries)
		worker.stop()
		o.cpu += worker.cpu()
	}
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

// readQueries adds up what a worker's /metrics say about its statements.
func (s *stage) readQueries(port int, into map[string]query) {
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
			q.times += n
		case "countersign_db_query_seconds_sum":
			q.seconds += n
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
