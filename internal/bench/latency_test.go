package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// latency has doctors sign at a steady rate, whether or not earlier ones are through, and tells how long each notice
// took from the moment its signature was due to begin to the provider's acceptance. One worker runs with its defaults.
func (s *stage) latency(messages []submitted, rate float64) row {
	s.tidy() // else its plans are for the few rows that were there before these
	worker := s.start("worker", nil, nil)
	defer worker.stop()
	s.warm(messages[:warmUps])
	messages = messages[warmUps:]
	s.nudging.Store(true)
	defer s.nudging.Store(false)
	due := make([]time.Time, len(messages))
	first := time.Now().Add(50 * time.Millisecond)
	var all sync.WaitGroup
	for i, m := range messages {
		due[i] = first.Add(time.Duration(float64(i) / rate * float64(time.Second)))
		time.Sleep(time.Until(due[i]))
		all.Go(func() {
			if err := s.approve(m); err != nil {
				s.b.Errorf("approve: %v", err)
			}
		})
	}
	all.Wait()
	s.awaitSent(time.Minute)
	var took []time.Duration
	for i, at := range s.acceptedAt(messages) {
		took = append(took, at.Sub(due[i]))
	}
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	return row{what: fmt.Sprintf("approve to accepted, %s approvals at a tenth of the limit, p99", grouped(float64(len(messages)))), figure: milliseconds(p99),
		beside: "p50 " + milliseconds(took[len(took)/2]) + ", at " + perSecond(rate), goal: "under 1,000 ms", met: p99 < time.Second}
}

// warmUps are sent before the clock starts.
const warmUps = 200

// warm sends some, so that the first that counts finds connections open and the worker ready.
func (s *stage) warm(messages []submitted) {
	s.approveAll(messages)
	s.awaitSent(time.Minute)
}

// acceptedAt is when each message's notice was recorded as accepted.
func (s *stage) acceptedAt(messages []submitted) []time.Time {
	ids := make([]uuid.UUID, len(messages))
	for i, m := range messages {
		ids[i] = m.id
	}
	rows, err := s.own.Query(context.Background(), `SELECT d.message_id, t.finished_at FROM deliveries d
		JOIN delivery_attempts t ON t.delivery_id = d.id AND t.clinic_id = d.clinic_id AND t.outcome = 'accepted' WHERE d.message_id = ANY($1)`, ids)
	must(s.b, err)
	at := map[uuid.UUID]time.Time{}
	for rows.Next() {
		var id uuid.UUID
		var when time.Time
		must(s.b, rows.Scan(&id, &when))
		at[id] = when
	}
	must(s.b, rows.Err())
	if len(at) != len(ids) {
		s.b.Fatalf("%d notices were accepted, not %d", len(at), len(ids))
	}
	ordered := make([]time.Time, len(ids))
	for i, id := range ids {
		ordered[i] = at[id]
	}
	return ordered
}

func milliseconds(d time.Duration) string { return grouped(float64(d.Microseconds())/1000) + " ms" }
