package clinic_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func see(t testing.TB, w *clinictest.World) clinic.Instance {
	t.Helper()
	i, err := w.Clinic.InstanceSee(ctx)
	must(t, err)
	return i
}

// hold stops sending, as a fence would that remembers generation witnessed.
func hold(t testing.TB, w *clinictest.World, witnessed int64) {
	t.Helper()
	must(t, w.Clinic.InstanceHold(ctx, clinic.WorkerActor("fence"), see(t, w), clinic.HeldBehind, witnessed))
}

func anchored(context.Context, clinic.Instance) error { return nil }

// Of eight workers that beat at the same moment one wins, and none before the time is over again.
func TestInstanceBeat(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	for round := range 5 {
		seen, won := see(t, w), make([]bool, 8)
		for _, err := range together(8, func(i int) (err error) {
			_, won[i], err = w.Clinic.InstanceBeat(ctx, seen, 0, false)
			return err
		}) {
			must(t, err)
		}
		n := 0
		for _, one := range won {
			if one {
				n++
			}
		}
		if now := see(t, w); n != 1 || now.Generation != int64(round+1) || now.Beat == seen.Beat || now.Lineage != seen.Lineage {
			t.Fatalf("%d of eight won, and the generation is %d after %d beats", n, now.Generation, round+1)
		}
	}
	if _, won, err := w.Clinic.InstanceBeat(ctx, see(t, w), time.Hour, true); won || err != nil {
		t.Errorf("a beat within the hour: %v, %v", won, err)
	}
	if see(t, w).Anchored {
		t.Error("a beat that was not made has marked something")
	}
	hold(t, w, 0)
	if _, won, err := w.Clinic.InstanceBeat(ctx, see(t, w), 0, true); won || err != nil {
		t.Errorf("a beat while sending is stopped: %v, %v", won, err)
	}
}

// Only a process that has seen its database sends from it, and only from one that is not behind what it saw.
func TestClaimAsksForTheGeneration(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t, func(c *clinic.Config) { c.Fenced = true })
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	nothing := func(when string) {
		t.Helper()
		if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 0 {
			t.Errorf("%s the relay hands out %d: %v", when, len(due), err)
		}
		if p, err := w.Clinic.DeliveryClaim(ctx, worker, id); err != nil || p != nil {
			t.Errorf("%s there is something to claim: %v", when, err)
		}
		wantState(t, w, id, "queued")
	}
	nothing("before anybody has looked")
	_, won, err := w.Clinic.InstanceBeat(ctx, see(t, w), 0, false)
	if must(t, err); !won {
		t.Fatal("nobody else beats here")
	}
	w.Clinic.InstanceTrust(2)
	nothing("behind what was seen")
	w.Clinic.InstanceDoubt()
	nothing("in doubt")
	w.Clinic.InstanceTrust(1)
	if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 1 {
		t.Errorf("the relay hands out %d: %v", len(due), err)
	}
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, id); err != nil || p == nil {
		t.Errorf("nothing to claim: %v", err)
	}
}

// While sending is stopped nothing is sent, and nothing that may have been sent is called cancelled or expired. People go
// on: they approve, and what they approve goes out once the stop is lifted.
func TestHeldSendsNothing(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	old := w.Approved(t, w.Patient, "email")
	w.Clock.Add(time.Second)
	hold(t, w, 7)
	w.Clock.Add(time.Hour)
	message := w.Approved(t, w.Patient, "sms")
	undone := w.Approved(t, w.Patient, "email")
	must(t, w.Clinic.MessageUndo(ctx, w.Doctor, undone, version(t, w, undone)))
	wantState(t, w, deliveryOf(t, w, undone), "cancelled")
	if due, err := w.Clinic.RelayDue(ctx, 10); err != nil || len(due) != 0 {
		t.Errorf("the relay hands out %d: %v", len(due), err)
	}
	wantCode(t, w.Clinic.MessageUndo(ctx, w.Doctor, old, version(t, w, old)), "too_late", "undoing what may have been sent")
	w.Clock.Add(100 * time.Hour) // past not_after
	for _, id := range []uuid.UUID{old, message} {
		p, err := w.Clinic.DeliveryClaim(ctx, worker, deliveryOf(t, w, id))
		if err != nil || p != nil {
			t.Fatalf("claimed while sending is stopped: %v", err)
		}
		wantState(t, w, deliveryOf(t, w, id), "queued")
	}
	w.Clock.Add(-100 * time.Hour)
	must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, old, version(t, w, old)))
	wantState(t, w, deliveryOf(t, w, old), "queued")
	_, err := w.Clinic.DeliveryRestore(ctx, w.Operator, w.Clock.Now().Add(-3*time.Hour), 10)
	must(t, err)
	wantState(t, w, deliveryOf(t, w, old), "unknown")
	_, err = w.Clinic.InstanceRelease(ctx, w.Operator, w.Clock.Now().Add(-3*time.Hour), anchored)
	must(t, err)
	if p := claimed(t, w, message); p.Channel != "sms" {
		t.Errorf("another delivery: %+v", p)
	}
}

// A stop is on the record once, with what the fence knew; later witnesses only raise it.
func TestInstanceHold(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, _, err := w.Clinic.InstanceBeat(ctx, see(t, w), 0, true)
	must(t, err)
	seen := see(t, w)
	other := seen
	other.Lineage = w.ClinicID
	must(t, w.Clinic.InstanceHold(ctx, worker, other, clinic.HeldLineage, 50))
	if see(t, w).HeldAt != nil {
		t.Error("stopped, although it is not the one that was judged")
	}
	for _, witnessed := range []int64{40, 90, 60} {
		must(t, w.Clinic.InstanceHold(ctx, worker, seen, clinic.HeldBehind, witnessed))
	}
	now := see(t, w)
	if now.HeldAt == nil || now.HeldReason != clinic.HeldBehind || now.Witnessed != 90 || now.HeldSince == nil || !now.HeldSince.Equal(*seen.BeatAt) || !now.Anchored {
		t.Errorf("held as %+v", now)
	}
	wantCount(t, w, 1, "stops on the record", `SELECT count(*) FROM audit_events WHERE deed = 'instance.hold' AND clinic_id = $1 AND actor_kind = 'worker'
		AND detail->>'reason' = 'behind' AND detail->>'witnessed' = '40'`, w.ClinicID)
}

// The stop is lifted under a new lineage, above everything that was shown, and only when the file outside was written.
func TestInstanceRelease(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	since := w.Clock.Now().Add(-time.Hour)
	_, err := w.Clinic.InstanceRelease(ctx, w.Operator, since, anchored)
	wantCode(t, err, "not_held", "lifting nothing")
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	w.Clock.Add(time.Second)
	before := see(t, w)
	hold(t, w, 90)
	_, err = w.Clinic.InstanceRelease(ctx, w.Operator, since, anchored)
	wantCode(t, err, "suspects", "lifting before everything is settled")
	_, err = w.Clinic.DeliveryRestore(ctx, w.Operator, since, 10)
	must(t, err)
	wantState(t, w, id, "unknown")
	away := errors.New("the bucket is away")
	if _, err = w.Clinic.InstanceRelease(ctx, w.Operator, since, func(context.Context, clinic.Instance) error { return away }); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if now := see(t, w); now.HeldAt == nil || now.Lineage != before.Lineage || now.Generation != before.Generation {
		t.Errorf("half lifted: %+v", now)
	}
	var told clinic.Instance
	now, err := w.Clinic.InstanceRelease(ctx, w.Operator, since, func(_ context.Context, i clinic.Instance) error { told = i; return nil })
	must(t, err)
	if seen := see(t, w); told.Generation != 91 || now.Generation != 91 || seen.Generation != 91 || seen.Lineage == before.Lineage || told.Beat != seen.Beat || seen.HeldAt != nil || seen.Witnessed != 0 {
		t.Errorf("the file says %+v, the database %+v", told, seen)
	}
	wantCount(t, w, 1, "lifted stops on the record", `SELECT count(*) FROM audit_events WHERE deed = 'instance.release' AND actor_kind = 'operator' AND detail->>'generation' = '91'`)
}

// What the database itself refuses, whoever asks.
func TestInstanceRulesOfTheDatabase(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	must(t, w.Exec(t, "UPDATE instance SET generation = 5"))
	for _, sql := range []string{
		"UPDATE instance SET generation = 4", "UPDATE instance SET lineage = gen_random_uuid(), generation = 6", "DELETE FROM instance", "TRUNCATE instance",
		"INSERT INTO instance DEFAULT VALUES", "INSERT INTO instance (one) VALUES (false)", "UPDATE instance SET held_at = now()", "UPDATE instance SET held_reason = 'x'",
		"UPDATE deliveries SET state = 'unknown', rev = rev + 1, asked_since = now() WHERE id = '" + id.String() + "'",
	} {
		if err := w.Exec(t, sql); err == nil {
			t.Errorf("%s was taken", sql)
		}
	}
	must(t, w.Exec(t, "UPDATE instance SET held_at = now(), held_reason = 'by_hand'"))
	for _, sql := range []string{"UPDATE instance SET lineage = gen_random_uuid()",
		"UPDATE deliveries SET state = 'unknown', rev = rev + 1 WHERE id = '" + id.String() + "'"} {
		if err := w.Exec(t, sql); err == nil {
			t.Errorf("while sending is stopped, %s was taken", sql)
		}
	}
}

// A process whose clock is an hour late stops sending: what may have been sent is found all the same.
func TestInstanceHoldByALateClock(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	_, _, err := w.Clinic.InstanceBeat(ctx, see(t, w), 0, true)
	must(t, err)
	w.Clock.Add(-time.Hour)
	id := deliveryOf(t, w, w.Approved(t, w.Patient, "email"))
	hold(t, w, 9)
	n, err := w.Clinic.DeliveryRestore(ctx, w.Operator, *see(t, w).HeldSince, 10)
	if must(t, err); n != 1 {
		t.Errorf("%d were doubted", n)
	}
	wantState(t, w, id, "unknown")
}
