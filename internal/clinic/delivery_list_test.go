package clinic_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func listed(t testing.TB, w *clinictest.World, f clinic.DeliveryFilter) clinic.DeliveryPage {
	t.Helper()
	page, err := w.Clinic.DeliveryList(ctx, w.Staff, f)
	must(t, err)
	return page
}

// Every state is in exactly one list, and what was withdrawn is nobody's trouble.
func TestDeliveryListHasEveryState(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "sms")
	want := map[string]string{"queued": "way", "sending": "way", "accepted": "way", "in_transit": "way", "sent": "way", "unknown": "unknown", "needs_person": "unknown",
		"failed": "trouble", "refused": "trouble", "undelivered": "trouble", "expired": "trouble", "delivered": "arrived", "opened": "arrived", "acknowledged": "arrived", "cancelled": "ended"}
	in := func() (lists []string) {
		for _, show := range clinic.DeliveryShows {
			if len(listed(t, w, clinic.DeliveryFilter{Show: show}).Rows) == 1 {
				lists = append(lists, show)
			}
		}
		return lists
	}
	for _, state := range states {
		must(t, w.Exec(t, "DO $$ BEGIN SET LOCAL session_replication_role = replica; UPDATE deliveries SET state = '"+state+"', lease_until = now(); END $$"))
		if got := in(); !slices.Equal(got, []string{want[state]}) {
			t.Errorf("%s is in %v", state, got)
		}
	}
	must(t, w.Exec(t, "DO $$ BEGIN SET LOCAL session_replication_role = replica; UPDATE deliveries SET state = 'failed'; END $$"))
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, message, version(t, w, message)))
	if got := in(); !slices.Equal(got, []string{"ended"}) {
		t.Errorf("withdrawn, it is in %v", got)
	}
	if n := listed(t, w, clinic.DeliveryFilter{}).Counts["trouble"]; n != 0 {
		t.Errorf("%d are counted in trouble", n)
	}
}

// A row says why in words, what a person can do, and where it stands; its message's earlier rounds are not in the list.
func TestDeliveryListRows(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, first, rev := spent(t, w, "sms", "400")
	_, err := w.Clinic.DeliveryRetry(ctx, w.Doctor, first, rev)
	must(t, err)
	way := listed(t, w, clinic.DeliveryFilter{Show: "way"})
	if len(way.Rows) != 1 || way.Rows[0].Round != 2 || way.Rows[0].Patient.Reveal() != "Rosa Delgado" || len(listed(t, w, clinic.DeliveryFilter{}).Rows) != 0 {
		t.Errorf("on its way: %+v", way.Rows)
	}
	_, asks, _ := undecided(t, w)
	unknown := listed(t, w, clinic.DeliveryFilter{Show: "unknown"})
	if r := unknown.Rows[0]; r.ID != asks || !r.CanSettle || !r.CanResend || r.Rev != revOf(t, w, asks) || !strings.Contains(r.Words, "does not have it") {
		t.Errorf("not known: %+v", r)
	}
	_, err = w.Clinic.DeliveryMarkSent(ctx, w.Reviewer, asks, revOf(t, w, asks))
	must(t, err)
	if r := listed(t, w, clinic.DeliveryFilter{Show: "way"}).Rows[0]; r.ID != asks || r.MarkedBy != "Helen Marsh" {
		t.Errorf("marked: %+v", r)
	}
	_, late := tooLate(t, w, "429")
	notClaimed(t, w, late)
	if r := listed(t, w, clinic.DeliveryFilter{}).Rows[0]; r.Back != "Dr Amara Osei" || !strings.Contains(r.Words, "slow down") {
		t.Errorf("back with its doctor: %+v", r)
	}
	retried := w.Approved(t, w.Patient, "sms")
	must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, retried), "twilio", outcome(clinic.OutcomeNotSent, "unreachable")))
	if r := listed(t, w, clinic.DeliveryFilter{Show: "way"}).Rows[0]; r.NextAt == nil || r.Attempt != 1 {
		t.Errorf("tried again: %+v", r)
	}
}

func TestDeliveryListFilters(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, old, _ := spent(t, w, "sms", "21614")
	w.Clock.Add(9 * 24 * time.Hour)
	_, young, _ := spent(t, w, "email", "400")
	spent(t, w, "email", "400")
	for name, tc := range map[string]struct {
		f    clinic.DeliveryFilter
		rows int
	}{
		"all": {clinic.DeliveryFilter{Show: "nonsense", Channel: "nonsense", Age: "nonsense", After: "nonsense"}, 3}, "sms": {clinic.DeliveryFilter{Channel: "sms"}, 1},
		"code": {clinic.DeliveryFilter{Code: "400"}, 2}, "sms by code": {clinic.DeliveryFilter{Channel: "sms", Code: "400"}, 0}, "day": {clinic.DeliveryFilter{Age: "day"}, 2},
		"week": {clinic.DeliveryFilter{Age: "week"}, 2}, "month": {clinic.DeliveryFilter{Age: "month"}, 3}, "older": {clinic.DeliveryFilter{Age: "older"}, 1},
		"a code that nobody has": {clinic.DeliveryFilter{Code: "30007"}, 0},
	} {
		page := listed(t, w, tc.f)
		if len(page.Rows) != tc.rows || page.Counts["trouble"] != 3 {
			t.Errorf("%s: %d rows of %d", name, len(page.Rows), page.Counts["trouble"])
		}
		if tc.f.Age == "older" && page.Rows[0].ID != old || tc.f.Age == "day" && !slices.ContainsFunc(page.Rows, func(r clinic.DeliveryRow) bool { return r.ID == young }) {
			t.Errorf("%s shows others", name)
		}
		if page.Codes[0].Code != "400" || page.Codes[0].N != 2 || !strings.HasPrefix(page.Codes[1].Words, "The number is not") || (len(page.Codes) == 3) != (tc.f.Code == "30007") {
			t.Errorf("%s offers %+v", name, page.Codes)
		}
		v, err := w.Clinic.DeliveryPreview(ctx, w.Doctor, nil, tc.f)
		must(t, err)
		if len(v.Rows) != tc.rows {
			t.Errorf("%s: all that the filter shows are %d", name, len(v.Rows))
		}
	}
}

// many copies a delivery n times, each to a message of its own.
func many(t testing.TB, w *clinictest.World, delivery uuid.UUID, n int) {
	t.Helper()
	must(t, w.Exec(t, `DO $$ DECLARE o uuid := '`+delivery.String()+`'; n uuid; BEGIN SET LOCAL session_replication_role = replica;
		FOR i IN 1..`+strconv.Itoa(n)+` LOOP n := gen_random_uuid();
			INSERT INTO messages SELECT (jsonb_populate_record(m, jsonb_build_object('id', n, 'draft_id', null, 'priority', i % 4))).* FROM messages m JOIN deliveries d ON d.message_id = m.id WHERE d.id = o;
			INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'message_id', n, 'priority', i % 4,
				'created_at', d.created_at - (i / 3) * interval '1 minute'))).* FROM deliveries d WHERE id = o;
		END LOOP; END $$`))
}

// Pages follow each other without a gap or a repetition, urgent first and then the newest, also where many were written at
// the same moment; the preview of all is bounded.
func TestDeliveryListPages(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, id, _ := spent(t, w, "sms", "400")
	many(t, w, id, 249)
	rank := map[string]int{"low": 0, "normal": 1, "high": 2, "urgent": 3}
	seen, pages := map[uuid.UUID]bool{}, 0
	last := clinic.DeliveryRow{Priority: "urgent", WrittenAt: w.Clock.Now().Add(time.Hour)}
	for f := (clinic.DeliveryFilter{}); ; pages++ {
		page := listed(t, w, f)
		for _, r := range page.Rows {
			if seen[r.ID] || rank[r.Priority] > rank[last.Priority] || r.Priority == last.Priority && r.WrittenAt.After(last.WrittenAt) {
				t.Fatalf("out of order or twice: %s of %s after %s of %s", r.Priority, r.WrittenAt, last.Priority, last.WrittenAt)
			}
			seen[r.ID], last = true, r
		}
		if f.After = page.Next; f.After == "" {
			break
		}
	}
	if len(seen) != 250 || pages != 4 {
		t.Errorf("%d rows on %d pages", len(seen), pages+1)
	}
	v, err := w.Clinic.DeliveryPreview(ctx, w.Doctor, nil, clinic.DeliveryFilter{})
	must(t, err)
	if len(v.Rows) != 200 || !v.Most || v.Rows[0].Priority != "urgent" {
		t.Errorf("the preview holds %d", len(v.Rows))
	}
}

// spy keeps what the clinic asked Postgres.
type spy struct {
	mu  sync.Mutex
	all []pgx.TraceQueryStartData
}

func (s *spy) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, data)
	return ctx
}
func (s *spy) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// A transaction's first statement goes with its beginning, as a batch.
func (s *spy) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (s *spy) TraceBatchQuery(ctx context.Context, conn *pgx.Conn, data pgx.TraceBatchQueryData) {
	s.TraceQueryStart(ctx, conn, pgx.TraceQueryStartData{SQL: data.SQL, Args: data.Args})
}
func (s *spy) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// The list and its counts read ranges of the index made for them, whatever the filter, and each page is two questions.
func TestDeliveryListIsIndexed(t *testing.T) {
	t.Parallel()
	s := &spy{}
	w := clinictest.New(t, func(c *clinic.Config) { c.Tracer = s })
	_, id, _ := spent(t, w, "sms", "400")
	many(t, w, id, 6000)
	must(t, w.Exec(t, "ANALYZE"))
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	for _, f := range []clinic.DeliveryFilter{{}, {Channel: "sms"}, {Code: "400"}, {Age: "day"}, {Age: "older", Channel: "email", Code: "400"}, {Show: "arrived"}, {Show: "ended"}, {Show: "way"}} {
		s.mu.Lock()
		s.all = nil
		s.mu.Unlock()
		listed(t, w, f)
		questions := 0
		for _, q := range s.all {
			if !strings.Contains(q.SQL, "FROM deliveries d") {
				continue
			}
			questions++
			rows, err := conn.Query(ctx, "EXPLAIN "+q.SQL, q.Args...)
			must(t, err)
			plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
			must(t, err)
			if text := strings.Join(plan, "\n"); !strings.Contains(text, "deliveries_by_outcome") || strings.Contains(text, "Seq Scan on deliveries") {
				t.Errorf("%+v:\n%s", f, text)
			}
		}
		if questions != 2 {
			t.Errorf("%+v: %d questions", f, questions)
		}
	}
}
