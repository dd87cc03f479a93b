package clinic_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

var states = []string{"queued", "sending", "unknown", "needs_person", "accepted", "in_transit", "sent", "delivered", "opened", "acknowledged",
	"undelivered", "failed", "refused", "cancelled", "expired"}

// edges is the drawing, written again by hand, of a row that was claimed before or was not.
func edges(claimed bool) map[[2]string]bool {
	out := map[[2]string]bool{}
	add := func(from string, to ...string) {
		for _, s := range to {
			out[[2]string{from, s}] = true
		}
	}
	ranks := []string{"accepted", "in_transit", "sent", "delivered", "opened", "acknowledged"}
	add("queued", "sending", "cancelled", "expired", "refused", "unknown") // unknown: only in a restored database
	if !claimed {
		return out
	}
	for _, from := range []string{"queued", "cancelled", "expired", "refused"} { // what was taken for not sent
		add(from, append(ranks, "undelivered")...)
	}
	add("sending", "queued", "failed", "unknown")
	add("unknown", "queued", "needs_person", "failed")
	add("needs_person", "queued", "failed")
	for _, from := range []string{"sending", "unknown", "needs_person", "failed"} {
		add(from, append(ranks, "undelivered")...)
	}
	for i, from := range ranks {
		add(from, ranks[i+1:]...)
		if i < 4 {
			add(from, "undelivered")
		}
	}
	add("undelivered", "opened", "acknowledged")
	return out
}

// The database itself refuses each edge that is not in the drawing, and takes each that is: all 210 pairs, of a row
// that was claimed before and of one that was not. Sending is stopped meanwhile, because one edge is for then only.
func TestDeliveryEdgesAreTheDatabases(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	must(t, w.Exec(t, "UPDATE instance SET held_at = now(), held_reason = 'by_hand'"))
	must(t, w.Exec(t, "UPDATE instance SET held_at = now(), held_reason = 'by_hand'"))
	conn, err := pgx.Connect(ctx, w.URL)
	must(t, err)
	defer conn.Close(ctx)
	for attempt := range 2 {
		allowed := edges(attempt > 0)
		for _, from := range states {
			for _, to := range states {
				if from == to {
					continue
				}
				if err := takeEdge(t, conn, id, attempt, from, to); (err == nil) != allowed[[2]string{from, to}] {
					t.Errorf("%s -> %s after %d claims: %v", from, to, attempt, err)
				}
			}
		}
	}
}

// takeEdge puts a row into a state behind the triggers' back and tries to move it on, and leaves all as it was.
func takeEdge(t *testing.T, conn *pgx.Conn, id uuid.UUID, attempt int, from, to string) error {
	t.Helper()
	tx, err := conn.Begin(ctx)
	must(t, err)
	defer func() { _ = tx.Rollback(ctx) }()
	_, err = tx.Exec(ctx, "SET LOCAL session_replication_role = replica") // no trigger, to get there
	must(t, err)
	_, err = tx.Exec(ctx, "UPDATE deliveries SET state = $1, attempt = $2, lease_until = now() WHERE id = $3", from, attempt, id)
	must(t, err)
	_, err = tx.Exec(ctx, "SET LOCAL session_replication_role = origin")
	must(t, err)
	claim := 0
	if from == "queued" && to == "sending" {
		claim = 1
	}
	_, err = tx.Exec(ctx, "UPDATE deliveries SET state = $1, rev = rev + 1, attempt = attempt + $2, asked_since = CASE WHEN $4 THEN now() END WHERE id = $3",
		to, claim, id, from == "queued" && to == "unknown")
	return err
}

func TestDeliveryRulesOfTheDatabase(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	for sql, want := range map[string]string{
		"UPDATE deliveries SET state = 'cancelled', rev = rev + 1 WHERE id = $1":                                                                                                   "has no audit event",
		"UPDATE deliveries SET state = 'cancelled' WHERE id = $1":                                                                                                                  "takes rev",
		"UPDATE deliveries SET state = 'cancelled', rev = rev + 2 WHERE id = $1":                                                                                                   "takes rev",
		"UPDATE deliveries SET rev = rev + 1 WHERE id = $1":                                                                                                                        "rev moved",
		"UPDATE deliveries SET state = 'delivered', rev = rev + 1 WHERE id = $1":                                                                                                   "is not an edge",
		"UPDATE deliveries SET attempt = attempt + 1 WHERE id = $1":                                                                                                                "the attempt counts claims",
		"UPDATE deliveries SET state = 'sending', rev = rev + 1, lease_until = now() WHERE id = $1":                                                                                "the attempt counts claims",
		"INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'round', 2))).* FROM deliveries d WHERE id = $1":                      "has no audit event",
		"INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'round', 2, 'state', 'accepted'))).* FROM deliveries d WHERE id = $1": "begins queued",
		"INSERT INTO deliveries SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid()))).* FROM deliveries d WHERE id = $1":                                  "deliveries_message_id_kind_round_clinic_id_key",
	} {
		if err := w.Exec(t, sql, id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v, want %q", sql, err, want)
		}
	}
	wantState(t, w, id, "queued")
	// Marking by the relay is no change of state.
	must(t, w.Exec(t, "UPDATE deliveries SET dispatch = dispatch + 1, enqueued_at = now() WHERE id = $1", id))
}

func TestDeliveryEventsAreKeptAsTheyCame(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, p := sent(t, w, "email", "x1")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("e1", "x1", "delivered", w.Clock.Now()), receipt("e2", "stray", "sent", w.Clock.Now())}))
	wantState(t, w, p.DeliveryID, "delivered")
	for _, sql := range []string{"DELETE FROM delivery_events", "TRUNCATE delivery_events", "UPDATE delivery_events SET state = 'undelivered'",
		"UPDATE delivery_events SET delivery_id = NULL, clinic_id = NULL WHERE event_key = 'e1'"} {
		if err := w.Exec(t, sql); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// Every step of a delivery is on the trail, without a gap, and the path is legal (I11, I12).
func TestDeliveryTrail(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "email")
	p := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "dial"}))
	w.Clock.Add(clinic.DefaultTimes().Reenqueue)
	p = claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeUnknown, Code: "timeout"}))
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "sendgrid", EventKey: "e", DeliveryID: p.DeliveryID, ProviderID: "x", State: "delivered", At: w.Clock.Now()}}))
	got := w.Strings(t, "SELECT concat_ws(' ', rev, detail->>'from', detail->>'to') FROM audit_events WHERE subject_id = $1 ORDER BY rev", p.DeliveryID)
	want := []string{"1 queued", "2 queued sending", "3 sending queued", "4 queued sending", "5 sending unknown", "6 unknown delivered"}
	if !slices.Equal(got, want) {
		t.Errorf("the trail is %q", got)
	}
	wantCount(t, w, 2, "attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1 AND finished_at IS NOT NULL", p.DeliveryID)
}
