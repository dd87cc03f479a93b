package clinic_test

import (
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
)

func outcome(class, code string) clinic.Outcome { return clinic.Outcome{Class: class, Code: code} }

func TestDeliveryRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		out   clinic.Outcome
		state string
		again bool // the relay would send it again, one day
	}{
		"accepted": {clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x"}, "accepted", false},
		"not sent": {outcome(clinic.OutcomeNotSent, "dial"), "queued", true},
		"failed":   {outcome(clinic.OutcomeFailed, "21614"), "failed", false},
		"unknown":  {outcome(clinic.OutcomeUnknown, "timeout"), "unknown", false},
		"nonsense": {outcome("", ""), "unknown", false}, // an adapter that says nothing has said: not known
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := clinictest.New(t)
			message := w.Approved(t, w.Patient, "sms")
			p := claimed(t, w, message)
			must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", tc.out))
			must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", tc.out)) // asynq's Done was lost: run again
			wantState(t, w, p.DeliveryID, tc.state)
			for _, wait := range []time.Duration{0, time.Minute, time.Hour, 71 * time.Hour} {
				w.Clock.Add(wait)
				due, err := w.Clinic.RelayDue(ctx, 10)
				must(t, err)
				if len(due) > 0 && !tc.again {
					t.Fatalf("told again after %s", wait)
				}
				_, err = w.Clinic.DeliverySweep(ctx, worker)
				must(t, err)
			}
			if !tc.again {
				if p, err := w.Clinic.DeliveryClaim(ctx, worker, p.DeliveryID); p != nil || err != nil {
					t.Fatalf("claimed again: %v", err)
				}
				wantState(t, w, p.DeliveryID, tc.state)
			}
		})
	}
}

func TestDeliveryRecordNotSentComesBackLater(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "sms")
	p := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeNotSent, Code: "429", RetryAfter: 90 * time.Second}))
	w.Clock.Add(89 * time.Second)
	if p, err := w.Clinic.DeliveryClaim(ctx, worker, p.DeliveryID); p != nil || err != nil {
		t.Fatalf("before the provider's Retry-After: %v", err)
	}
	w.Clock.Add(time.Second)
	p = claimed(t, w, message)
	if p.Attempt != 2 {
		t.Errorf("the second attempt is number %d", p.Attempt)
	}
	v, err := w.Clinic.MessageShow(ctx, w.Doctor, message)
	must(t, err)
	found := false
	for _, s := range v.Steps {
		found = found || s.State == "queued" && s.Detail.Reveal() == "The provider asks us to slow down."
	}
	if !found {
		t.Error("the timeline does not say why it was tried again")
	}
	w.Clock.Add(73 * time.Hour)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeNotSent, "dial")))
	notClaimed(t, w, p.DeliveryID) // past its time: nothing was sent, nothing will be
	wantState(t, w, p.DeliveryID, "expired")
}

// The fence: an attempt whose lease is over can say nothing any more, but that the provider accepted.
func TestDeliveryRecordIsFenced(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "sms")
	first := claimed(t, w, message)
	must(t, w.Clinic.DeliveryRecord(ctx, worker, first, "twilio", outcome(clinic.OutcomeNotSent, "dial")))
	w.Clock.Add(time.Minute)
	second := claimed(t, w, message)
	for _, class := range []string{clinic.OutcomeFailed, clinic.OutcomeNotSent, clinic.OutcomeUnknown} {
		must(t, w.Clinic.DeliveryRecord(ctx, worker, first, "twilio", outcome(class, "late")))
		wantState(t, w, first.DeliveryID, "sending")
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, first, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "late"}))
	wantState(t, w, first.DeliveryID, "accepted")
	must(t, w.Clinic.DeliveryRecord(ctx, worker, second, "twilio", outcome(clinic.OutcomeFailed, "21614")))
	wantState(t, w, first.DeliveryID, "accepted")
}

func TestDeliverySweep(t *testing.T) {
	t.Parallel()
	w := clinictest.New(t)
	message := w.Approved(t, w.Patient, "sms")
	p := claimed(t, w, message)
	if n, err := w.Clinic.DeliverySweep(ctx, worker); n != 0 || err != nil {
		t.Fatalf("swept a lease that holds: %d %v", n, err)
	}
	w.Clock.Add(clinic.DefaultTimes().Lease + time.Second)
	if n, err := w.Clinic.DeliverySweep(ctx, worker); n != 1 || err != nil {
		t.Fatalf("swept %d, %v", n, err)
	}
	wantState(t, w, p.DeliveryID, "unknown")
	work, err := w.Clinic.WorklistShow(ctx, w.Doctor, "")
	must(t, err)
	if len(work.Rows) != 1 || work.Rows[0].Todo != "not known" || work.Rows[0].TodoLevel != "stop" {
		t.Errorf("the doctor's worklist: %+v", work.Rows)
	}
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", outcome(clinic.OutcomeNotSent, "dial")))
	wantState(t, w, p.DeliveryID, "unknown") // too late to say so: never sent again by itself
	must(t, w.Clinic.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: clinic.OutcomeAccepted, ProviderID: "x"}))
	wantState(t, w, p.DeliveryID, "accepted")
	wantCount(t, w, 1, "accepted attempts", "SELECT count(*) FROM delivery_attempts WHERE delivery_id = $1 AND outcome = 'accepted'", p.DeliveryID)
}
