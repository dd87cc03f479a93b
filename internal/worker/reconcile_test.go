package worker

import (
	"context"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/sendgrid"
)

// hasty makes a look-up come again at once, and a person be asked after grace.
func hasty(grace time.Duration) func(*clinic.Config) {
	return func(c *clinic.Config) { c.Times.ProviderTime, c.Times.LookupGrace = 50*time.Millisecond, grace }
}

// Twilio takes a text and falls silent, and its callbacks are lost: the delivery is unknown until it is looked up, and
// was sent exactly once. While Twilio does not answer the look-up either, nothing changes.
func TestUnknownIsLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hasty(15*time.Minute))
	w.config.ProviderTime = time.Second
	w.faults(t, `{"twilio":[{"kind":"timeout","probability":1},{"kind":"lost","probability":1}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "sms")
	eventually(t, "the delivery is unknown", func() bool { return w.state(t, id, "unknown") })
	w.faults(t, `{"twilio":[{"kind":"503","probability":1},{"kind":"lost","probability":1}]}`)
	eventually(t, "it is looked up", func() bool {
		return w.Count(t, "SELECT count(*) FROM deliveries WHERE lease_until IS NOT NULL AND message_id = $1", id) == 1
	})
	if !w.state(t, id, "unknown") {
		t.Error("an answer that says nothing has settled it")
	}
	w.faults(t, `{"twilio":[{"kind":"lost","probability":1}]}`)
	eventually(t, "it is found", func() bool { return w.state(t, id, "accepted") })
	if n := w.sent(t); n != 1 {
		t.Errorf("%d texts were taken", n)
	}
	if n := w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND provider = 'twilio' AND provider_id LIKE 'SM%' AND resends = 0 AND attempt = 1", id); n != 1 {
		t.Error("the delivery does not know its text")
	}
}

// What Twilio did not take is not found, and comes to a person; no machine sends it again.
func TestUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hasty(3*time.Second)) // long enough for the fault to be taken away before it is over
	w.faults(t, `{"twilio":[{"kind":"500","probability":1}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "sms")
	eventually(t, "the delivery is unknown", func() bool { return w.state(t, id, "unknown") })
	w.faults(t, `{"twilio":[]}`)
	eventually(t, "it comes to a person", func() bool { return w.state(t, id, "needs_person") })
	if n := w.sent(t); n != 0 {
		t.Errorf("%d texts were taken", n)
	}
	if w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND error_class = 'not_found'", id) != 1 {
		t.Error("it does not say that Twilio was asked")
	}
}

// Twilio shows late what it took: the delivery has come to a person meanwhile, and is found all the same, once.
func TestUndecidedIsFoundLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hasty(100*time.Millisecond), func(c *clinic.Config) { c.Times.LookupAgain = 50 * time.Millisecond })
	w.faults(t, `{"twilio":[{"kind":"503","probability":1,"accept":true},{"kind":"lost","probability":1}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "sms")
	eventually(t, "it comes to a person", func() bool { return w.state(t, id, "needs_person") })
	w.faults(t, `{"twilio":[{"kind":"lost","probability":1}]}`)
	eventually(t, "it is found", func() bool { return w.state(t, id, "accepted") })
	if n := w.sent(t); n != 1 {
		t.Errorf("%d texts were taken", n)
	}
	if w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND attempt = 1 AND resends = 0 AND marked_sent_by IS NULL", id) != 1 {
		t.Error("it was not the look-up that settled it")
	}
}

// Where the account has the Email Activity API, a mail that got no answer and whose events are lost is found by it.
func TestUnknownMailIsLookedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *clinic.Config) { c.Times.ProviderTime = 500 * time.Millisecond }) // six look-ups take three seconds
	mail, err := sendgrid.New(sendgrid.Config{BaseURL: w.settings["SENDGRID_BASE_URL"], APIKey: w.settings["SENDGRID_API_KEY"], From: w.settings["MAIL_FROM"], Activity: true})
	if err != nil {
		t.Fatal(err)
	}
	w.config.Senders["email"] = mail
	w.faults(t, `{"sendgrid":[{"kind":"reset-after-headers","probability":1},{"kind":"lost","probability":1}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "email")
	eventually(t, "the delivery is unknown", func() bool { return w.state(t, id, "unknown") })
	w.faults(t, `{"sendgrid":[{"kind":"lost","probability":1}]}`)
	eventually(t, "it is found", func() bool { return w.state(t, id, "in_transit") })
	if n := w.sent(t); n != 1 {
		t.Errorf("%d mails were taken", n)
	}
}

// A provider that asks to come again in ten minutes is left alone for so long, and the notice is not lost.
func TestRetryAfterIsHonoured(t *testing.T) {
	t.Parallel()
	for channel, provider := range map[string]string{"email": "sendgrid", "sms": "twilio"} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(t, `{"`+provider+`":[{"kind":"429","probability":1,"retry_after":600}]}`)
			w.start(t)
			id := w.Approved(t, w.Patient, channel)
			eventually(t, "it is queued again", func() bool {
				return w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND state = 'queued' AND attempt = 1", id) == 1
			})
			if w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND error_class IN ('429', '20429') AND next_attempt_at BETWEEN now() + interval '9 minutes' AND now() + interval '11 minutes'", id) != 1 {
				t.Error("it is tried again too early or too late")
			}
			if n := w.sent(t); n != 0 {
				t.Errorf("%d were taken", n)
			}
		})
	}
}

// SendGrid takes a notice, answers nothing and loses its events; it cannot be asked. A person decides to send again, and
// the second acceptance is counted apart.
func TestUnknownComesToAPersonAndIsSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hasty(300*time.Millisecond))
	w.faults(t, `{"sendgrid":[{"kind":"reset-after-headers","probability":1},{"kind":"lost","probability":1}]}`)
	w.start(t)
	id := w.Approved(t, w.Patient, "email")
	eventually(t, "it comes to a person", func() bool { return w.state(t, id, "needs_person") })
	w.faults(t, `{"sendgrid":[{"kind":"lost","probability":1}]}`)
	v, err := w.Clinic.MessageShow(context.Background(), w.Staff, id)
	if err != nil {
		t.Fatal(err)
	}
	if n := w.sent(t); n != 1 {
		t.Fatalf("%d notices were taken before anybody decided", n)
	}
	if _, err := w.Clinic.DeliveryResend(context.Background(), w.Staff, v.Deliveries[0].ID, v.Deliveries[0].Rev); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is accepted", func() bool { return w.state(t, id, "accepted") })
	if n := w.sent(t); n != 2 {
		t.Errorf("%d notices were taken", n)
	}
	if w.Count(t, "SELECT count(*) FROM deliveries WHERE message_id = $1 AND resends = 1 AND attempt = 2", id) != 1 {
		t.Error("the second sending is not counted apart")
	}
}

// A look-up that panics is reported, and the others of its batch are settled.
func TestLookUpPanics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hasty(time.Millisecond))
	recovered := make(chan any, 64)
	w.config.Senders = map[string]clinic.Sender{"email": sulky{}, "sms": sulky{panics: true}}
	w.config.Recover = func(_ context.Context, v any) {
		select {
		case recovered <- v:
		default:
		}
	}
	w.start(t)
	panics, settled := w.Approved(t, w.Patient, "sms"), w.Approved(t, w.Patient, "email")
	eventually(t, "the other one is settled", func() bool { return w.state(t, settled, "needs_person") })
	if v := <-recovered; v != "cannot look" {
		t.Errorf("recovered %v", v)
	}
	if !w.state(t, panics, "unknown") {
		t.Error("a look-up that never ended has settled something")
	}
}

// sulky answers nothing that can be used.
type sulky struct{ panics bool }

func (sulky) Name() string { return "sulky" }

func (sulky) Send(context.Context, *clinic.Parcel) clinic.Outcome {
	return clinic.Outcome{Class: clinic.OutcomeUnknown, Code: "timeout"}
}

func (s sulky) Find(context.Context, clinic.Unknown) clinic.Found {
	if s.panics {
		panic("cannot look")
	}
	return clinic.Found{Class: clinic.FoundNothing}
}
