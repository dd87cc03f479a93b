package clinic_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

var (
	ctx    = context.Background()
	worker = clinic.WorkerActor("task")
	mailer = clinic.ProviderActor("sendgrid", "192.0.2.1", "hook")
	nobody = clinic.Nobody("192.0.2.9", "browser", "request")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v: %s %v", err, clinic.Sentence(err), clinic.Fields(err))
	}
}

func wantKind(t testing.TB, err error, kind clinic.Kind, what string) {
	t.Helper()
	if err == nil || clinic.KindOf(err) != kind {
		t.Fatalf("%s: want kind %d, got %v (kind %d): %s", what, kind, err, clinic.KindOf(err), clinic.Sentence(err))
	}
}

func wantCode(t testing.TB, err error, code, what string) {
	t.Helper()
	if err == nil || clinic.Code(err) != code {
		t.Fatalf("%s: want code %s, got %v: %s", what, code, err, clinic.Sentence(err))
	}
}

func wantCount(t testing.TB, w *clinictest.World, n int, what, sql string, args ...any) {
	t.Helper()
	if got := w.Count(t, sql, args...); got != n {
		t.Fatalf("%s: want %d, got %d", what, n, got)
	}
}

// together runs f n times at the same moment and returns the errors in order.
func together(n int, f func(i int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { <-start; errs[i] = f(i) })
	}
	close(start)
	wg.Wait()
	return errs
}

// deliveryOf is the newest notice of a message.
func deliveryOf(t testing.TB, w *clinictest.World, message uuid.UUID) uuid.UUID {
	t.Helper()
	ids := w.Strings(t, "SELECT id::text FROM deliveries WHERE message_id = $1 ORDER BY round DESC LIMIT 1", message)
	if len(ids) == 0 {
		t.Fatal("the message has no delivery")
	}
	return uuid.MustParse(ids[0])
}

func stateOf(t testing.TB, w *clinictest.World, delivery uuid.UUID) string {
	t.Helper()
	return w.Strings(t, "SELECT state FROM deliveries WHERE id = $1", delivery)[0]
}

func wantState(t testing.TB, w *clinictest.World, delivery uuid.UUID, state string) {
	t.Helper()
	if got := stateOf(t, w, delivery); got != state {
		t.Fatalf("want the delivery %s, it is %s", state, got)
	}
}

// claimed takes the message's notice to a provider's door.
func claimed(t testing.TB, w *clinictest.World, message uuid.UUID) *clinic.Parcel {
	t.Helper()
	p, err := w.Clinic.DeliveryClaim(ctx, worker, deliveryOf(t, w, message))
	must(t, err)
	if p == nil {
		t.Fatal("there was nothing to claim")
	}
	return p
}

// sent is a message whose notice the provider has accepted as id.
func sent(t testing.TB, w *clinictest.World, channel, id string) (uuid.UUID, *clinic.Parcel) {
	t.Helper()
	message := w.Approved(t, w.Patient, channel)
	p := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "sendgrid", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: id}))
	return message, p
}

func receipt(key, provider, state string, at time.Time) clinic.Receipt {
	return clinic.Receipt{Provider: "sendgrid", EventKey: key, ProviderID: provider, State: state, At: at}
}

// ready is a message with a draft by hand that passes the checks, not yet submitted.
func ready(t testing.TB, w *clinictest.World, form clinic.BriefForm) uuid.UUID {
	t.Helper()
	id, err := w.Clinic.BriefCreate(ctx, w.Staff, form)
	must(t, err)
	must(t, w.Clinic.DraftByHand(ctx, w.Staff, id))
	_, err = w.Clinic.DraftEdit(ctx, w.Staff, id, w.Show(t, w.Staff, id).Message.Version, clinictest.Letter)
	must(t, err)
	return id
}

func version(t testing.TB, w *clinictest.World, id uuid.UUID) int {
	t.Helper()
	return w.Count(t, "SELECT version FROM messages WHERE id = $1", id)
}

// mayWatch: may the actor hear of this message?
func mayWatch(t testing.TB, w *clinictest.World, a clinic.Actor, message uuid.UUID) bool {
	t.Helper()
	may, err := w.Clinic.MayWatch(ctx, a, []uuid.UUID{message}, nil)
	must(t, err)
	return may
}

func refusals(t testing.TB, w *clinictest.World) int {
	t.Helper()
	return w.Count(t, "SELECT count(*) FROM audit_events WHERE outcome = 'refused'")
}
