package clinic_test

import (
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinictest"
)

// A notice whose time is over and whose patient's key is missing cannot go back to its doctor. It keeps nobody else's from that, nor
// reports from being matched.
func TestOthersGoBackWhileAKeyIsMissing(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	closed := w.AddPatient(t, w.Staff, "Rosa Delgado", "1980-02-03", "30771")
	late := map[uuid.UUID]uuid.UUID{}
	for _, of := range []uuid.UUID{closed, w.Patient} { // the closed one is the first to be looked at
		message := w.Approved(t, of, "email")
		late[of] = deliveryOf(t, w, message)
		must(t, w.Exec(t, "UPDATE deliveries SET not_after = $1, next_attempt_at = $1 WHERE id = $2", w.Clock.Now(), late[of]))
		w.Clock.Add(1000)
	}
	_, p := sent(t, w, "sms", "x1")
	must(t, w.Exec(t, "INSERT INTO delivery_events (id, provider, event_key, provider_id, state, code, happened_at, received_at) VALUES ($1, 'sendgrid', 'e1', 'x1', 'delivered', '', now(), now())", uuid.New()))
	w.LoseKey(t, closed)
	w.Clock.Add(1_000_000)
	for range 2 {
		_, err := w.Clinic.DeliverySweep(ctx, worker)
		wantCode(t, err, "key_lost", "the sweep says what is wrong")
	}
	wantState(t, w, late[w.Patient], "expired")
	wantState(t, w, late[closed], "queued")
	wantState(t, w, p.DeliveryID, "delivered")
}
