package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"
)

// hands is how many people the preparing deeds are shared among.
const hands = 8

// submitted is a message on the doctor's table, as the doctor read it.
type submitted struct {
	id      uuid.UUID
	version int
}

// prepare takes n messages to the doctor's table by doing the deeds, every fifth for a text. Each hand has a patient of
// its own.
func (s *stage) prepare(n int) []submitted {
	all := make([]submitted, n)
	patients := make([]uuid.UUID, hands)
	for i := range patients {
		s.patients++
		patients[i] = s.AddPatient(s.b, s.Staff, "Rosa Delgado", "1967-05-30", fmt.Sprint(10000+s.patients))
	}
	s.share(n, func(hand, i int) {
		channel := "email"
		if i%5 == 4 {
			channel = "sms"
		}
		id := s.Submitted(s.b, patients[hand], channel)
		s.Answer(s.b, s.Doctor, id)
		all[i] = submitted{id, s.Show(s.b, s.Doctor, id).Message.Version}
	})
	return all
}

// share has the hands do n things; the first that fails ends the benchmark.
func (s *stage) share(n int, do func(hand, i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for hand := range hands {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && !s.b.Failed(); i = int(next.Add(1)) - 1 {
				do(hand, i)
			}
		})
	}
	all.Wait()
	if s.b.Failed() {
		s.b.FailNow()
	}
}

func (s *stage) approve(m submitted) error {
	return s.Clinic.ReviewApprove(context.Background(), s.Doctor, m.id, m.version, nil)
}

// approveAll signs them, so that their notices are due at once.
func (s *stage) approveAll(messages []submitted) {
	s.share(len(messages), func(_, i int) {
		if err := s.approve(messages[i]); err != nil {
			s.b.Errorf("approve: %v", err)
		}
	})
}

// putBack makes n delivered rows due again as only the database's owner can: with the triggers off. A row keeps its
// attempt, its rev and its dispatch, so that the next attempt is one more of each; the bytes and their MAC are the ones
// that were signed.
func (s *stage) putBack(n int) { s.rewind(n, "queued", ", provider = '', provider_id = ''") }

// rewind sets the first n rows to a state that they were in before, and forgets the reports about them: a claim that finds
// one does not send again.
func (s *stage) rewind(n int, state, more string) {
	ctx := context.Background()
	tx, err := s.own.Begin(ctx)
	must(s.b, err)
	_, err = tx.Exec(ctx, "SET LOCAL session_replication_role = replica")
	must(s.b, err)
	tag, err := tx.Exec(ctx, `UPDATE deliveries SET state = $1, lease_until = NULL, enqueued_at = NULL, error_class = '', next_attempt_at = now()`+more+`
		WHERE (id, clinic_id) IN (SELECT id, clinic_id FROM deliveries ORDER BY id LIMIT $2)`, state, n)
	must(s.b, err)
	_, err = tx.Exec(ctx, "DELETE FROM delivery_events")
	must(s.b, err)
	must(s.b, tx.Commit(ctx))
	if int(tag.RowsAffected()) != n {
		s.b.Fatalf("%d rows were put back, not %d", tag.RowsAffected(), n)
	}
}

// tidy is what autovacuum and the checkpointer would have done by now. After it each connection plans its statements anew.
func (s *stage) tidy() {
	for _, sql := range []string{"VACUUM (ANALYZE)", "CHECKPOINT"} {
		_, err := s.own.Exec(context.Background(), sql)
		must(s.b, err)
	}
}

// skipLog leaves out what the provider's log holds so far.
func (s *stage) skipLog() { s.eachAccepted(func(string) {}) }

// onceEach fails unless the provider accepted n deliveries since the last look, each once.
func (s *stage) onceEach(n int) {
	times := map[string]int{}
	s.eachAccepted(func(delivery string) { times[delivery]++ })
	var doubled []string
	for delivery, count := range times {
		if count != 1 {
			doubled = append(doubled, delivery)
		}
	}
	if len(doubled) > 0 {
		s.b.Errorf("%d deliveries were accepted more than once, %s among them", len(doubled), doubled[0])
	}
	if len(times) != n {
		s.b.Errorf("%d deliveries were accepted, not %d", len(times), n)
	}
}

// eachAccepted reads on in the provider's log.
func (s *stage) eachAccepted(do func(delivery string)) {
	req, err := http.NewRequest(http.MethodGet, s.outside+"/log", nil)
	must(s.b, err)
	req.Header.Set("Range", fmt.Sprintf("bytes=%d-", s.logEnd))
	resp, err := http.DefaultClient.Do(req)
	must(s.b, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusPartialContent {
		return // nothing new
	}
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct{ Delivery string }
		must(s.b, json.Unmarshal(lines.Bytes(), &entry))
		s.logEnd += int64(len(lines.Bytes())) + 1
		do(entry.Delivery)
	}
	must(s.b, lines.Err())
}
