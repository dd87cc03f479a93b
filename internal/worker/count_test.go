package worker

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/metrics"
)

func scrape(t *testing.T, m *metrics.Metrics) string {
	t.Helper()
	request := httptest.NewRequest("GET", "/metrics", nil)
	request.Header.Set("Authorization", "Bearer token")
	answer := httptest.NewRecorder()
	m.Handler("token").ServeHTTP(answer, request)
	if answer.Code != 200 {
		t.Fatalf("the figures answer %d", answer.Code)
	}
	return answer.Body.String()
}

// What the alarm stands on is on /metrics, as the rows are at that moment; without Postgres it is not there at all, and
// the other figures are.
func TestDeliveriesAreCounted(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	w := newWorld(t, func(c *clinic.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	w.config.Metrics = metrics.New()
	if _, err := New(w.config); err != nil {
		t.Fatal(err)
	}
	if text := scrape(t, w.config.Metrics); strings.Contains(text, "countersign_backup_age_seconds") {
		t.Error("there is no backup, and it has an age")
	}
	made := clinic.Backup{ID: uuid.New(), Name: "one", TakenAt: time.Now().Add(-time.Hour), Bytes: 1, SHA256: make([]byte, 32)}
	if err := w.Clinic.BackupCreate(t.Context(), w.Operator, made, func(context.Context) error { return nil }); err != nil {
		t.Fatal(err)
	}
	w.Approved(t, w.Patient, "email")
	w.Approved(t, w.Patient, "sms")
	ahead.Store(int64(time.Hour))
	text := scrape(t, w.config.Metrics)
	for _, line := range []string{`countersign_deliveries{state="queued"} 2`, `countersign_deliveries{state="needs_person"} 0`, `countersign_deliveries{state="failed"} 0`,
		`countersign_delivery_oldest_seconds{state="queued"} 36`, "countersign_backup_age_seconds 36", "countersign_call_oldest_seconds 0"} {
		if !strings.Contains(text, line) {
			t.Errorf("the figures do not have %s", line)
		}
	}
	w.Clinic.Close()
	if text := scrape(t, w.config.Metrics); strings.Contains(text, "countersign_deliveries{") || !strings.Contains(text, "go_goroutines") {
		t.Errorf("without Postgres:\n%s", text)
	}
}
