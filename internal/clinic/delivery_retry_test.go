package clinic_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

// spent is a signed message whose first round is over: the provider refused it by this code.
func spent(t testing.TB, w *clinictest.World, channel, code string) (message, delivery uuid.UUID, rev int) {
	t.Helper()
	message = w.Approved(t, w.Patient, channel)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, claimed(t, w, message), "twilio", outcome(clinic.OutcomeFailed, code)))
	delivery = deliveryOf(t, w, message)
	return message, delivery, revOf(t, w, delivery)
}

func revOf(t testing.TB, w *clinictest.World, delivery uuid.UUID) int {
	t.Helper()
	return w.Count(t, "SELECT rev FROM deliveries WHERE id = $1", delivery)
}

// A further round is a row of its own for the same signed message, the same address and the same link, that goes all the way.
func TestDeliveryRetry(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, first, rev := spent(t, w, "sms", "400")
	link := w.Unseal(t, w.Patient, "deliveries", "body", first)
	preview, err := w.Clinic.DeliveryPreview(ctx, w.Doctor, []uuid.UUID{first}, clinic.DeliveryFilter{})
	must(t, err)
	if preview.Can != 1 || !preview.Rows[0].Can || preview.Rows[0].Rev != rev {
		t.Errorf("the preview says %+v", preview)
	}
	wantCount(t, w, 1, "deliveries after a look", "SELECT count(*) FROM deliveries")
	nudged := len(w.Dues())
	got, err := w.Clinic.DeliveryRetry(ctx, w.Doctor, first, rev)
	must(t, err)
	second := deliveryOf(t, w, message)
	if got != message || second == first || len(w.Dues()) != nudged+1 {
		t.Errorf("the message is %s, the delivery %s, %d nudges", got, second, len(w.Dues())-nudged)
	}
	wantCount(t, w, 1, "the first, left as it was and superseded", "SELECT count(*) FROM deliveries WHERE id = $1 AND superseded AND state = 'failed' AND rev = $2", first, rev)
	p := claimed(t, w, message)
	if p.Body.Reveal() != link || p.Attempt != 1 {
		t.Errorf("attempt %d says another thing", p.Attempt)
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "SM2"}))
	wantState(t, w, second, "accepted")
	everyRevIsOnTheTrail(t, w, second)
	wantStep(t, w, message, "A further round, by decision of", "Dr Amara Osei")
	wantCount(t, w, 1, "the decision on the trail", "SELECT count(*) FROM audit_events WHERE deed = 'delivery.retry' AND outcome = 'done' AND subject_id = $1 AND actor_id = $2", second, w.Doctor.ID)
	_, err = w.Clinic.DeliveryRetry(ctx, w.Doctor, first, rev)
	wantCode(t, err, "moved_on", "the first round once more")
}

// stays are the causes for which a further round does not go.
var stays = map[string]struct {
	spoil func(*testing.T, *clinictest.World, uuid.UUID, uuid.UUID)
	code  string
}{
	"opted out": {func(t *testing.T, w *clinictest.World, _, _ uuid.UUID) {
		must(t, w.Clinic.ConsentReply(ctx, clinic.ProviderActor("twilio", "", ""), text("+14155550441", "STOP")))
	}, "opted_out"},
	"address changed": {func(t *testing.T, w *clinictest.World, _, _ uuid.UUID) { changePhone(t, w, "+14155550123") }, "contact_changed"},
	"bounced": {func(t *testing.T, w *clinictest.World, _, _ uuid.UUID) {
		must(t, w.Exec(t, "UPDATE contacts SET bounced_at = now(), bounce_code = '30005'"))
	}, "bounced"},
	"no such number": {func(t *testing.T, w *clinictest.World, _, d uuid.UUID) {
		must(t, w.Exec(t, "UPDATE deliveries SET error_class = '21614' WHERE id = $1", d))
	}, "bounced"},
	"seal broken": {func(t *testing.T, w *clinictest.World, _, d uuid.UUID) {
		must(t, w.Exec(t, "UPDATE deliveries SET error_class = 'seal' WHERE id = $1", d))
	}, "seal"},
	"withdrawn": {func(t *testing.T, w *clinictest.World, m, _ uuid.UUID) {
		must(t, w.Clinic.MessageWithdraw(ctx, w.Doctor, m, version(t, w, m)))
	}, "withdrawn"},
	"taken back": {func(t *testing.T, w *clinictest.World, m, _ uuid.UUID) {
		must(t, w.Clinic.MessageUndo(ctx, w.Doctor, m, version(t, w, m)))
	}, "in_review"},
	"signed anew": {func(t *testing.T, w *clinictest.World, m, _ uuid.UUID) {
		must(t, w.Exec(t, "UPDATE messages SET version = version + 1 WHERE id = $1", m))
	}, "in_review"},
	"opened": {func(t *testing.T, w *clinictest.World, m, _ uuid.UUID) {
		must(t, w.Exec(t, "UPDATE pages SET opened_at = now() WHERE message_id = $1", m))
	}, "opened"},
	"late evidence": {func(t *testing.T, w *clinictest.World, _, d uuid.UUID) {
		must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{{Provider: "twilio", EventKey: "k", DeliveryID: d, State: "delivered", At: w.Clock.Now()}}))
	}, "moved_on"},
}

func changePhone(t testing.TB, w *clinictest.World, phone string) {
	t.Helper()
	p, err := w.Clinic.PatientShow(ctx, w.Staff, w.Patient)
	must(t, err)
	f := formOf(p)
	f.Phone = phone
	must(t, w.Clinic.PatientEdit(ctx, w.Staff, w.Patient, f))
}

// Each cause is told before, in words, and refused when it came about in between; nothing is written for it.
func TestDeliveryRetryStays(t *testing.T) {
	t.Parallel()
	for name, tc := range stays {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			message, id, rev := spent(t, w, "sms", "400")
			tc.spoil(t, w, message, id)
			v, err := w.Clinic.DeliveryPreview(ctx, w.Doctor, []uuid.UUID{id}, clinic.DeliveryFilter{})
			must(t, err)
			if v.Can != 0 || v.Rows[0].Can || v.Rows[0].Why == "" {
				t.Errorf("the preview says %+v", v.Rows)
			}
			got, err := w.Clinic.DeliveryRetry(ctx, w.Doctor, id, rev)
			wantCode(t, err, tc.code, name)
			if clinic.KindOf(err) != clinic.Conflict || got != message || clinic.Sentence(err) != v.Rows[0].Why {
				t.Errorf("it is refused by %q, the preview said %q", clinic.Sentence(err), v.Rows[0].Why)
			}
			wantCount(t, w, 1, "rounds", "SELECT count(*) FROM deliveries")
		})
	}
}

// Only what is certainly over may go once more: not what is under way, not what nobody knows.
func TestDeliveryRetryOnlyWhatIsOver(t *testing.T) {
	t.Parallel()
	may := map[string]bool{"failed": true, "refused": true, "undelivered": true, "expired": true, "cancelled": true}
	w := clinictest.New(t)
	_, id, rev := spent(t, w, "sms", "400")
	for _, state := range states {
		must(t, w.Exec(t, "DO $$ BEGIN SET LOCAL session_replication_role = replica; UPDATE deliveries SET state = '"+state+"', lease_until = now(); END $$"))
		v, err := w.Clinic.DeliveryPreview(ctx, w.Doctor, []uuid.UUID{id}, clinic.DeliveryFilter{})
		must(t, err)
		if v.Rows[0].Can != may[state] {
			t.Errorf("%s: %v, %q", state, v.Rows[0].Can, v.Rows[0].Why)
		}
		if _, err := w.Clinic.DeliveryRetry(ctx, w.Doctor, id, rev); !may[state] {
			wantCode(t, err, "moved_on", state)
		}
		must(t, w.Exec(t, "DO $$ BEGIN SET LOCAL session_replication_role = replica; DELETE FROM deliveries WHERE round > 1; UPDATE deliveries SET superseded = false; END $$"))
	}
}

// Many press at once: one round is written, the others are told. An older page decides nothing either.
func TestDeliveryRetryRace(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	must(t, w.Clinic.TeamJoin(ctx, w.Operator, w.Patient, w.Doctor2.ID))
	_, id, rev := spent(t, w, "sms", "400")
	_, err := w.Clinic.DeliveryRetry(ctx, w.Doctor, id, rev-1)
	wantCode(t, err, "moved_on", "an older page")
	errs := together(8, func(i int) error {
		_, err := w.Clinic.DeliveryRetry(ctx, []clinic.Actor{w.Doctor, w.Doctor2}[i%2], id, rev)
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		wantCode(t, err, "moved_on", "who lost")
	}
	if won != 1 {
		t.Errorf("%d further rounds were let go", won)
	}
	wantCount(t, w, 2, "rounds", "SELECT count(*) FROM deliveries")
}

// What came to nothing may be taken back by who signed it, and signed again for the address of now.
func TestMessageUndoWhenNothingArrived(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message, id, _ := spent(t, w, "sms", "21614")
	changePhone(t, w, "+14155550123")
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	if !v.CanTakeBack || v.CanUndo {
		t.Errorf("take back %v, undo %v", v.CanTakeBack, v.CanUndo)
	}
	must(t, w.Clinic.MessageUndo(ctx, w.Doctor, message, version(t, w, message)))
	wantState(t, w, id, "failed")
	must(t, w.Clinic.ReviewApprove(ctx, w.Doctor, message, version(t, w, message), nil))
	if p := claimed(t, w, message); p.To.Reveal() != "+14155550123" {
		t.Error("it goes to the old number")
	}

	other, p := sent(t, w, "email", "x9")
	must(t, w.Clinic.DeliveryReceive(ctx, mailer, []clinic.Receipt{receipt("k1", "x9", "undelivered", w.Clock.Now())}))
	if _, err := w.Clinic.PageProve(ctx, nobody, tokenOf(p), "1967-05-30"); err != nil {
		t.Fatal(err)
	}
	err = w.Clinic.MessageUndo(ctx, w.Doctor, other, version(t, w, other))
	if wantCode(t, err, "too_late", "what the patient opened"); !strings.Contains(clinic.Sentence(err), "opened") {
		t.Errorf("it says %q", clinic.Sentence(err))
	}
}
