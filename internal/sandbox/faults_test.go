package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"countersign/internal/sandbox"
)

func TestFaultsOfRequests(t *testing.T) {
	t.Parallel()
	for fault, c := range map[string]struct {
		status int // 0: no answer
		logged int
	}{
		`"refuse"`:                         {0, 0},
		`"reset-before-headers"`:           {0, 0},
		`"reset-after-headers"`:            {0, 1},
		`"timeout","ms":20`:                {0, 1},
		`"timeout","ms":20,"accept":false`: {0, 0},
		`"slow","ms":20`:                   {202, 1},
		`"500"`:                            {500, 0},
		`"500","accept":true`:              {500, 1},
		`"503"`:                            {503, 0},
		`"429","retry_after":7`:            {429, 0},
		`"401"`:                            {401, 0},
		`"403"`:                            {403, 0},
		`"unreadable-2xx"`:                 {202, 1},
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(`{"sendgrid":[{"probability":1,"kind":` + fault + `}]}`)
			resp, err := w.send(w.settings["SENDGRID_API_KEY"], newMail("rosa@home.example", "d-1"))
			if (c.status == 0) != (err != nil) || err == nil && resp.StatusCode != c.status {
				t.Fatalf("%v %v", resp, err)
			}
			if c.status == 429 && resp.Headers["Retry-After"][0] != "7" {
				t.Errorf("headers %v", resp.Headers)
			}
			if strings.Contains(fault, "unreadable") && resp.Headers["X-Message-Id"] != nil {
				t.Errorf("readable: %v", resp.Headers)
			}
			if log := w.log(); len(log) != c.logged {
				t.Fatalf("log %v", log)
			}
			for range 2 * c.logged { // processed, delivered: the truth is told whatever the caller saw
				w.events(w.next())
			}
		})
	}
}

// A slow provider has taken the mail, and tells of it, while its caller still waits.
func TestSlowFaultTakesFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"sendgrid":[{"probability":1,"kind":"slow","ms":3000}]}`)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, _ = w.send(w.settings["SENDGRID_API_KEY"], newMail("rosa@home.example", "d-1"))
	}()
	for range 2 { // processed, delivered
		w.events(w.next())
	}
	select {
	case <-answered:
		t.Error("the answer was not held back")
	default:
	}
	if log := w.log(); len(log) != 1 {
		t.Errorf("log %v", log)
	}
}

func TestFaultThatSendsElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"sendgrid":[{"probability":1,"kind":"302"}]}`)
	if resp, _ := w.do(http.MethodPost, "/v3/mail/send", "application/json", "{}"); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") == "" || len(w.log()) != 0 {
		t.Errorf("%d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestFaultyTwilioSpeaksTwilio(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.twilio(w.settings["TWILIO_AUTH_TOKEN"])
	for kind, code := range map[string]string{"429": "20429", "500": "20500", "503": "20503", "401": "20003", "403": "20006"} {
		w.faults(`{"twilio":[{"kind":"` + kind + `","probability":1}]}`)
		if _, err := service.CreateMessage(w.smsParams("+15551230100", "d-1")); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	w.faults(`{"twilio":[{"kind":"reset-after-headers","probability":1}]}`)
	if _, err := service.CreateMessage(w.smsParams("not a number", "d-1")); err == nil || !strings.Contains(err.Error(), "21211") {
		t.Errorf("what would be refused anyway: %v", err)
	}
	if len(w.log()) != 0 {
		t.Error("refused messages are in the log")
	}
}

func TestFaultsOfWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"sendgrid":[{"kind":"shuffled","probability":1}],"twilio":[{"kind":"shuffled","probability":1}]}`)
	w.mail("rosa@home.example", "d-1")
	if list := w.events(w.next()); len(list) != 2 || list[0]["event"] != "delivered" || list[1]["event"] != "processed" {
		t.Fatalf("shuffled: %v", list)
	}
	m := w.sms("+15551230100", "d-2")
	if first, second := w.form(w.next()), w.form(w.next()); first.Get("MessageStatus") != "delivered" || second.Get("MessageStatus") != "sent" {
		t.Fatalf("shuffled: %v %v", first, second)
	}
	if shown, err := w.twilio(w.settings["TWILIO_AUTH_TOKEN"]).FetchMessage(*m.Sid, nil); err != nil || *shown.Status != "delivered" {
		t.Errorf("after shuffled callbacks the message is %v %v", shown, err)
	}

	w.faults(`{"sendgrid":[{"kind":"twice","probability":1}],"twilio":[{"kind":"lost","probability":1}]}`)
	w.mail("rosa@home.example", "d-3")
	first, second := w.events(w.next()), w.events(w.next())
	if first[0]["sg_event_id"] != second[0]["sg_event_id"] {
		t.Fatalf("twice: %v %v", first, second)
	}
	w.events(w.next())
	w.events(w.next())
	w.sms("+15551230100", "d-4")
	w.until("lost events", func(m []sandbox.Message) bool {
		return len(m[0].Events) == 2 && m[0].Events[0].Lost && m[0].Events[1].Lost
	})
	if len(w.calls) != 0 {
		t.Errorf("the app was told of lost events: %v", <-w.calls)
	}
}

func TestSilentProvidersMakeNoWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"sendgrid":[{"kind":"silent","probability":1}],"twilio":[{"kind":"silent","probability":1}]}`)
	w.mail("rosa@home.example", "d-1")
	w.sms("+15551230100", "d-2")
	w.faults(`{"sendgrid":[]}`)
	w.mail("rosa@home.example", "d-3")
	for range 2 {
		if told := w.events(w.next()); told[0]["d"] != "d-3" {
			t.Errorf("told of %v", told)
		}
	}
	w.until("the events of the last mail", func(m []sandbox.Message) bool { return len(m[0].Events) == 2 })
	w.until("none of those before it", func(m []sandbox.Message) bool { return len(m) == 3 && len(m[1].Events)+len(m[2].Events) == 0 })
}

func TestTripledLateAndForgedWebhooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"sendgrid":[{"kind":"tripled","probability":1}],"twilio":[{"kind":"late","probability":1,"ms":100}]}`)
	w.mail("rosa@home.example", "d-1")
	for _, name := range []string{"processed", "delivered"} {
		ids := map[any]bool{}
		for range 3 {
			event := w.events(w.next())[0]
			ids[event["sg_event_id"]] = true
			if event["event"] != name {
				t.Errorf("%v is told, %s is due", event["event"], name)
			}
		}
		if len(ids) != 1 {
			t.Errorf("%s is told as %d events", name, len(ids))
		}
	}
	w.sms("+15551230100", "d-2")
	if first, second := w.form(w.next()), w.form(w.next()); first.Get("MessageStatus") != "delivered" || second.Get("MessageStatus") != "sent" {
		t.Errorf("late: %v, then %v", first, second)
	}

	w.faults(`{"sendgrid":[{"kind":"late","probability":1,"ms":100}],"twilio":[{"kind":"forged","probability":1}]}`)
	w.mail("rosa@home.example", "d-3")
	if first, second := w.events(w.next())[0], w.events(w.next())[0]; first["event"] != "delivered" || second["event"] != "processed" {
		t.Errorf("late: %v, then %v", first, second)
	}
	w.sms("+15551230100", "d-4")
	for _, name := range []string{"undelivered", "sent", "undelivered", "delivered"} {
		c := w.next()
		form, _ := url.ParseQuery(string(c.body))
		if form.Get("MessageStatus") != name || w.signed(c) != (name != "undelivered") {
			t.Errorf("%v, rightly signed: %v; %s is due", form.Get("MessageStatus"), w.signed(c), name)
		}
	}
	var tally map[string]map[string]int
	if _, text := w.get("/faults/tally"); json.Unmarshal([]byte(text), &tally) != nil || tally["sendgrid"]["tripled"] != 1 || tally["sendgrid"]["late"] != 1 ||
		tally["twilio"]["late"] != 1 || tally["twilio"]["forged"] != 1 {
		t.Errorf("the tally is %s", text)
	}
}

func TestFaultBoard(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, bad := range []string{
		`{`, `{"fax":[]}`, `{"sendgrid":[{"kind":"refusal","probability":1}]}`, `{"openai":[{"kind":"lost","probability":1}]}`,
		`{"twilio":[{"kind":"500","probability":2}]}`, `{"twilio":[{"kind":"500","chance":1}]}`, `{"twilio":[{"kind":"slow","probability":1,"ms":-1}]}`,
	} {
		if resp, _ := w.do(http.MethodPost, "/faults", "application/json", bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", bad, resp.StatusCode)
		}
	}
	w.faults(`{"sendgrid":[{"kind":"500","probability":0}]}`)
	w.faults(`{"twilio":[{"kind":"503","probability":1}]}`)
	if _, text := w.get("/faults"); !strings.Contains(text, "sendgrid") || !strings.Contains(text, "503") {
		t.Errorf("faults: %s", text)
	}
	w.mail("rosa@home.example", "d-1") // probability 0 never hits
	if _, text := w.do(http.MethodDelete, "/faults", "", ""); strings.TrimSpace(text) != "{}" {
		t.Errorf("after clearing: %s", text)
	}
	w.sms("+15551230100", "d-2")
}

func TestTimeoutEndsWhenTheCallerHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.faults(`{"sendgrid":[{"kind":"timeout","probability":1}]}`)
	ctx, hangUp := context.WithCancel(context.Background())
	defer hangUp()
	req, _ := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v3/mail/send", bytes.NewReader(mailBody("rosa@home.example", "d-1")))
	req.Header.Set("Authorization", "Bearer "+w.settings["SENDGRID_API_KEY"])
	req.Header.Set("Content-Type", "application/json")
	answered := make(chan error, 1)
	go func() {
		_, err := http.DefaultClient.Do(req)
		answered <- err
	}()
	w.events(w.next()) // accepted and told of, and still no answer
	select {
	case err := <-answered:
		t.Errorf("it answered: %v", err)
	default:
	}
	hangUp()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
