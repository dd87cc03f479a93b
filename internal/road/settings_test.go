package road

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// A worker has as many notices under way as WORKER_CONCURRENCY says, and a process as many connections as
// DATABASE_MAX_CONNS.
func TestWorkerKeepsToItsSettings(t *testing.T) {
	t.Parallel()
	h := open(t, func(env map[string]string) { env["WORKER_CONCURRENCY"], env["DATABASE_MAX_CONNS"] = "1", "3" })
	h.faults(`{"sendgrid":[{"kind":"slow","probability":1,"ms":400},{"kind":"lost","probability":1}]}`)
	doctor := h.actor("amara-osei")
	patient := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "")
	const notices = 4
	var ids []uuid.UUID
	for range notices {
		ids = append(ids, h.submitted(patient, "Ada Winter", "email"))
	}
	for _, id := range ids {
		version, err := strconv.Atoi(h.version(id))
		must(t, err)
		must(t, h.app.Clinic().ReviewApprove(context.Background(), doctor, id, version, nil))
	}
	h.waitFor("every notice", 30*time.Second, func() bool {
		var n int
		h.one(&n, "SELECT count(*) FROM delivery_attempts t JOIN deliveries d ON d.id = t.delivery_id WHERE t.outcome = 'accepted' AND d.message_id = ANY($1)", ids)
		return n == notices
	})
	reader := h.as("amara-osei")
	var readers sync.WaitGroup
	for range 12 {
		readers.Go(func() { _, _ = reader.get("/") })
	}
	readers.Wait()
	var together, connections int
	h.one(&together, `SELECT count(*) FROM delivery_attempts a JOIN delivery_attempts b
		ON a.delivery_id <> b.delivery_id AND b.started_at BETWEEN a.started_at AND a.finished_at`)
	h.one(&connections, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'countersign'")
	if together != 0 || connections > 3 {
		t.Errorf("%d attempts were under way together, over %d connections", together, connections)
	}
}
