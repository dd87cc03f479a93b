package clinic_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func TestDraftRequestOneAtATime(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	done := 0
	for _, err := range together(4, func(int) error { return w.Clinic.DraftRequest(ctx, w.Staff, id, "") }) {
		if err == nil {
			done++
			continue
		}
		wantCode(t, err, "under_way", "a second request")
	}
	if done != 1 {
		t.Fatalf("%d requests were taken", done)
	}
	must(t, w.Clinic.DraftFinish(ctx, worker, assigned(t, w, w.Dues()[0].ID), answered(letterSentences...)))
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, "shorter"))
	wantCount(t, w, 1, "live requests", "SELECT count(*) FROM draft_requests WHERE message_id = $1 AND state = 'requested'", id)
}

func TestDraftRequestLimits(t *testing.T) {
	t.Parallel()
	for role, most := range map[clinic.Role]int{clinic.Staff: 50, clinic.Reviewer: 75, clinic.Doctor: 100} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			who := map[clinic.Role]clinic.Actor{clinic.Staff: w.Staff, clinic.Reviewer: w.Reviewer, clinic.Doctor: w.Doctor}[role]
			id, _ := asked(t, w)
			copies := `INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, state, next_attempt_at, created_at, cost_microusd)
				SELECT gen_random_uuid(), clinic_id, message_id, 1, instruction_sealed, $1, doctor_id, 'failed', now(), $2, $3 FROM draft_requests, generate_series(1, $4::int) LIMIT $4::int`
			must(t, w.Exec(t, "UPDATE draft_requests SET state = 'failed'"))
			yesterday := w.Clock.Now().Add(-25 * time.Hour)
			must(t, w.Exec(t, copies, who.ID, yesterday, 9_000_000, most))
			must(t, w.Exec(t, copies, who.ID, w.Clock.Now(), 0, most-1-w.Count(t, "SELECT count(*) FROM draft_requests WHERE requested_by = $1 AND created_at > $2", who.ID, yesterday)))
			must(t, w.Clinic.DraftRequest(ctx, who, id, "")) // the last one of the day
			must(t, w.Exec(t, "UPDATE draft_requests SET state = 'failed'"))
			wantCode(t, w.Clinic.DraftRequest(ctx, who, id, ""), "drafts_a_day", "one more")
			wantKind(t, w.Clinic.DraftRequest(ctx, who, id, ""), clinic.TooMany, "one more")

			must(t, w.Exec(t, "DELETE FROM draft_requests"))
			must(t, w.Clinic.DraftRequest(ctx, who, id, ""))
			stop := map[clinic.Role]int{clinic.Staff: 4_000_000, clinic.Reviewer: 8_000_000, clinic.Doctor: 20_000_000}[role]
			must(t, w.Exec(t, "UPDATE draft_requests SET state = 'failed', cost_microusd = $1", stop-1000))
			wantCode(t, w.Clinic.DraftRequest(ctx, who, id, ""), "budget", "a draft past the budget")
			must(t, w.Clinic.DraftByHand(ctx, who, id)) // writing never stops
		})
	}
}

// The day's limit counts one after the other, whatever comes at once.
func TestDraftRequestLimitUnderConcurrency(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	ids := make([]uuid.UUID, 6)
	for i := range ids {
		id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
		must(t, err)
		ids[i] = id
	}
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, ids[0], ""))
	must(t, w.Exec(t, `INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, state, next_attempt_at, created_at)
		SELECT gen_random_uuid(), clinic_id, message_id, 1, instruction_sealed, requested_by, doctor_id, 'failed', created_at, created_at FROM draft_requests, generate_series(1, 48)`))
	errs := together(5, func(i int) error { return w.Clinic.DraftRequest(ctx, w.Staff, ids[i+1], "") })
	if n := len(slices.DeleteFunc(errs, func(err error) bool { return err != nil })); n != 1 {
		t.Fatalf("%d of the requests beyond the 49th were taken, want 1", n)
	}
}

func TestRelayDue(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, request := asked(t, w)
	message := w.Approved(t, w.Patient, "email")
	delivery := deliveryOf(t, w, message)
	relay := func() map[uuid.UUID]int {
		t.Helper()
		due, err := w.Clinic.RelayDue(ctx, 100)
		must(t, err)
		out := map[uuid.UUID]int{}
		for _, d := range due {
			out[d.ID] = d.Dispatch
		}
		return out
	}
	// A lost nudge costs a second and not a minute: the first look finds both.
	if got := relay(); got[request] != 1 || got[delivery] != 1 || len(got) != 2 {
		t.Fatalf("first look: %v", got)
	}
	if got := relay(); len(got) != 0 {
		t.Fatalf("told twice at once: %v", got)
	}
	w.Clock.Add(clinic.DefaultTimes().Reenqueue + time.Second) // FLUSHALL, and a minute later
	if got := relay(); got[request] != 2 || got[delivery] != 2 {
		t.Fatalf("after the queue forgot: %v", got)
	}
	assigned(t, w, request)
	claimed(t, w, message)
	w.Clock.Add(clinic.DefaultTimes().Reenqueue + time.Second)
	if got := relay(); len(got) != 0 {
		t.Fatalf("claimed rows were told again: %v", got)
	}
	w.Clock.Add(clinic.DefaultTimes().DraftLease) // the drafting worker is dead; the sending one too, but that is never sent again
	if got := relay(); got[request] != 3 || len(got) != 1 {
		t.Fatalf("after the leases: %v", got)
	}
}

// A row that somebody is busy with holds up no relay: it is passed over.
func TestRelayDuePassesOverLockedRows(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	busy, free := deliveryOf(t, w, w.Approved(t, w.Patient, "email")), deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "BEGIN")
	must(t, err)
	_, err = conn.Exec(ctx, "SELECT FROM deliveries WHERE id = $1 FOR UPDATE", busy)
	must(t, err)
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	due, err := w.Clinic.RelayDue(within, 10)
	must(t, err)
	if len(due) != 1 || due[0].ID != free {
		t.Errorf("told %v", due)
	}
}

func TestRelayDueManyAtOnce(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for range 5 {
		w.Approved(t, w.Patient, "email")
	}
	told := make([][]clinic.Due, 6)
	for _, err := range together(6, func(i int) (err error) { told[i], err = w.Clinic.RelayDue(ctx, 3); return err }) {
		must(t, err)
	}
	seen := map[uuid.UUID]bool{}
	for _, due := range told {
		for _, d := range due {
			if seen[d.ID] || d.Dispatch != 1 {
				t.Errorf("%v was told twice", d)
			}
			seen[d.ID] = true
		}
	}
}

// A draft that was claimed from the nudge, before any relay marked it, is found again when its worker dies.
func TestDraftClaimedFromTheNudgeIsFoundAgain(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, w.Brief(w.Patient, "email"))
	must(t, err)
	must(t, w.Clinic.DraftRequest(ctx, w.Staff, id, ""))
	dues := w.Dues()
	request := dues[len(dues)-1].ID
	as, err := w.Clinic.DraftClaim(ctx, worker, request)
	must(t, err)
	if as == nil {
		t.Fatal("the nudge's task found nothing to claim")
	}
	w.Clock.Add(clinic.DefaultTimes().DraftLease + time.Second) // the worker is dead
	due, err := w.Clinic.RelayDue(ctx, 10)
	must(t, err)
	if len(due) != 1 || due[0].ID != request {
		t.Errorf("the relay finds %v", due)
	}
}
