package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"countersign/internal/clinic"
)

// everythingForgotten empties the test's Redis, as FLUSHALL does with one that is ours alone.
func everythingForgotten(t *testing.T, rc *redis.Client) {
	t.Helper()
	if err := rc.FlushDB(ctx()).Err(); err != nil {
		t.Fatal(err)
	}
	if n := rc.DBSize(ctx()).Val(); n != 0 {
		t.Fatalf("%d keys are left", n)
	}
}

// What protects a patient's page and the day's drafts is counted in Postgres: a Redis that forgets everything, and a
// process that begins anew, give nobody another try.
func TestFlushAllGivesNothingBack(t *testing.T) {
	t.Parallel()
	rc := testRedis(t)
	s := counted(t, rc)
	patient := s.world.Patient
	links := []string{}
	for range 3 {
		before := s.world.Approved(t, patient, "email")
		links = append(links, s.linkOfMessage(t, before.String()))
	}
	v := s.visitor(t)
	wrong := func(link string) {
		t.Helper()
		v.wants(v.post(link, "month", "5", "day", "31", "year", "1967"), http.StatusUnauthorized, "That did not work")
	}
	right := func(link string) int { return v.post(link, "month", "5", "day", "30", "year", "1967").Code }
	for range 5 {
		wrong(links[0])
	}
	everythingForgotten(t, rc)
	s.Server = second(t, s, s.cfg.Limits)
	if got := right(links[0]); got != http.StatusUnauthorized {
		t.Errorf("the right date on a link that was locked: %d", got)
	}
	for i := range 4 {
		wrong(links[1+i%2])
	}
	everythingForgotten(t, rc)
	if got := right(links[1]); got != http.StatusUnauthorized {
		t.Errorf("the right date after ten wrong ones of the day: %d", got)
	}
	if n := s.world.Count(t, "SELECT count(*) FROM page_sessions"); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func (s *site) linkOfMessage(t *testing.T, message string) string {
	t.Helper()
	for _, due := range s.world.Dues() {
		if due.Deed != clinic.DeliverySend || s.world.Count(t, "SELECT count(*) FROM deliveries WHERE id = $1 AND message_id = $2", due.ID, message) == 0 {
			continue
		}
		p, err := s.world.Clinic.DeliveryClaim(ctx(), clinic.WorkerActor("t"), due.ID)
		if err != nil || p == nil {
			t.Fatal(p, err)
		}
		_, path, _ := strings.Cut(p.Body.Reveal(), "http://localhost:8080")
		return path[:len("/m/")+43]
	}
	t.Fatal("no notice is due")
	return ""
}

// The day's drafts are as many as there are rows.
func TestFlushAllGivesNoDraftsBack(t *testing.T) {
	t.Parallel()
	rc := testRedis(t)
	s := counted(t, rc)
	id, err := s.world.Clinic.BriefCreate(ctx(), s.world.Staff, s.world.Brief(s.world.Patient, "email"))
	if err != nil {
		t.Fatal(err)
	}
	v, path := s.as(t, s.world.Staff), "/drafts/"+id.String()
	v.goes(v.post(path+"/request"), path)
	if err := s.world.Exec(t, `INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, state, next_attempt_at, created_at)
		SELECT gen_random_uuid(), clinic_id, message_id, 1, instruction_sealed, requested_by, doctor_id, 'failed', created_at, created_at FROM draft_requests, generate_series(1, 49)`); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Exec(t, "UPDATE draft_requests SET state = 'failed'"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		v.wants(v.post(path+"/request"), http.StatusTooManyRequests, "50 drafts today", "write by hand")
		everythingForgotten(t, rc)
	}
}
