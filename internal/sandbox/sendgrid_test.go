package sandbox_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/sendgrid/rest"
	"github.com/sendgrid/sendgrid-go"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/sendgrid/sendgrid-go/helpers/mail"

	"countersign/internal/sandbox"
)

func newMail(to, delivery string) *mail.SGMailV3 {
	m := mail.NewSingleEmail(mail.NewEmail("Riverside", "messages@riverside.example"), "You have a new message",
		mail.NewEmail("", to), "You have a new message. Read it: http://localhost:8080/m/abc.", "<p>You have a new message.</p>")
	m.SetCustomArg("d", delivery).SetCustomArg("a", "1")
	m.SetHeader("List-Unsubscribe", "<http://localhost:8080/m/abc/stop>")
	return m
}

func mailBody(to, delivery string) []byte { return mail.GetRequestBody(newMail(to, delivery)) }

// send uses the official client.
func (w *world) send(key string, m *mail.SGMailV3) (*rest.Response, error) {
	client := sendgrid.NewSendClient(key)
	client.BaseURL = w.url + "/v3/mail/send"
	return client.Send(m)
}

func (w *world) mail(to, delivery string) string {
	w.t.Helper()
	resp, err := w.send(w.settings["SENDGRID_API_KEY"], newMail(to, delivery))
	if err != nil || resp.StatusCode != http.StatusAccepted {
		w.t.Fatalf("mail: %v %v", resp, err)
	}
	id := resp.Headers["X-Message-Id"]
	if len(id) != 1 || id[0] == "" {
		w.t.Fatalf("no X-Message-Id: %v", resp.Headers)
	}
	return id[0]
}

// events verifies a webhook with the official helper and reads it.
func (w *world) events(c call) []map[string]any {
	w.t.Helper()
	key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(w.settings["SENDGRID_WEBHOOK_KEY"])
	if err != nil {
		w.t.Fatal(err)
	}
	good, err := eventwebhook.VerifySignature(key, c.body, c.header.Get(eventwebhook.VerificationHTTPHeader), c.header.Get(eventwebhook.TimestampHTTPHeader))
	if err != nil || !good || c.path != "/webhooks/sendgrid" {
		w.t.Fatalf("%s: signature good %v, %v", c.path, good, err)
	}
	var list []map[string]any
	if err := json.Unmarshal(c.body, &list); err != nil {
		w.t.Fatal(err)
	}
	return list
}

func TestMailIsAcceptedAndTold(t *testing.T) {
	t.Parallel()
	for to, want := range map[string][]string{
		"rosa@home.example":      {"processed", "delivered"},
		"bounce.me@home.example": {"processed", "bounce"},
		"dropped@home.example":   {"dropped"},
		"defer@home.example":     {"processed", "deferred", "delivered"},
	} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.mail(to, "d-7")
			for _, name := range want {
				list := w.events(w.next())
				e := list[0]
				if len(list) != 1 || e["event"] != name || e["email"] != to || e["d"] != "d-7" || e["a"] != "1" {
					t.Fatalf("want %s, got %v", name, list)
				}
				message, _ := e["sg_message_id"].(string)
				if !strings.HasPrefix(message, id+".") || e["sg_event_id"] == "" || e["smtp-id"] == "" || e["timestamp"] == nil {
					t.Fatalf("event %v of message %s", e, id)
				}
			}
			log := w.log()
			if len(log) != 1 || log[0].Delivery != "d-7" || log[0].Recipient != to || !strings.HasPrefix(log[0].Body, "You have a new message. Read it:") {
				t.Fatalf("log %v", log)
			}
		})
	}
}

func TestMailEventsAreRepeatedUntilTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.status.Store(http.StatusServiceUnavailable)
	w.mail("rosa@home.example", "d-1")
	first := w.events(w.next())
	w.status.Store(http.StatusOK)
	again := w.events(w.next())
	if first[0]["sg_event_id"] != again[0]["sg_event_id"] {
		t.Fatalf("not the same event: %v, %v", first, again)
	}
	if e := w.events(w.next()); e[0]["event"] != "delivered" {
		t.Fatalf("then %v", e)
	}
	w.until("the answers", func(m []sandbox.Message) bool { return len(m[0].Events) == 2 && m[0].Events[0].Answer == 200 })
}

func TestMailRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	key := w.settings["SENDGRID_API_KEY"]
	for name, c := range map[string]struct {
		key    string
		bend   func(*mail.SGMailV3)
		status int
		field  string
		says   string
	}{
		"wrong key":       {"SG.wrong", func(*mail.SGMailV3) {}, 401, "", "authorization grant is invalid"},
		"no from":         {key, func(m *mail.SGMailV3) { m.From = nil }, 400, "from.email", "The from object must be provided"},
		"bad from":        {key, func(m *mail.SGMailV3) { m.From.Address = "nobody" }, 400, "from.email", "valid address"},
		"nobody":          {key, func(m *mail.SGMailV3) { m.Personalizations = nil }, 400, "personalizations", "at least one personalization"},
		"no to":           {key, func(m *mail.SGMailV3) { m.Personalizations[0].To = nil }, 400, "personalizations.0.to", "The to array is required"},
		"empty to":        {key, func(m *mail.SGMailV3) { m.Personalizations[0].To[0].Address = "" }, 400, "personalizations.0.to.0.email", "The to email parameter is required"},
		"bad to":          {key, func(m *mail.SGMailV3) { m.Personalizations[0].To[0].Address = "rosa at home" }, 400, "personalizations.0.to.0.email", "valid address"},
		"same to twice":   {key, func(m *mail.SGMailV3) { m.Personalizations[0].AddCCs(mail.NewEmail("", "Rosa@home.example")) }, 400, "personalizations.0", "should be unique"},
		"no subject":      {key, func(m *mail.SGMailV3) { m.Subject = "" }, 400, "subject", "The subject is required"},
		"no content":      {key, func(m *mail.SGMailV3) { m.Content = nil }, 400, "content", "the content parameter is required"},
		"empty content":   {key, func(m *mail.SGMailV3) { m.Content[0].Value = "" }, 400, "content.0.value", "at least one character"},
		"plain not first": {key, func(m *mail.SGMailV3) { m.Content[0], m.Content[1] = m.Content[1], m.Content[0] }, 400, "content", "text/plain must be first"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMail("rosa@home.example", "d-1")
			c.bend(m)
			resp, err := w.send(c.key, m)
			if err != nil || resp.StatusCode != c.status {
				t.Fatalf("%v %v", resp, err)
			}
			var body struct {
				Errors []struct {
					Message string
					Field   *string
				}
			}
			if err := json.Unmarshal([]byte(resp.Body), &body); err != nil || len(body.Errors) == 0 {
				t.Fatalf("%s: %v", resp.Body, err)
			}
			first := body.Errors[0]
			if !strings.Contains(first.Message, c.says) || (c.field == "") != (first.Field == nil) || first.Field != nil && *first.Field != c.field {
				t.Fatalf("%s", resp.Body)
			}
		})
	}
	if log := w.log(); len(log) != 0 {
		t.Fatalf("refused mail is in the log: %v", log)
	}
}

func TestMailOfAnotherKindIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for kind, want := range map[string]int{"text/plain": 415, "application/json": 400} {
		req, _ := http.NewRequest(http.MethodPost, w.url+"/v3/mail/send", strings.NewReader("{"))
		req.Header.Set("Authorization", "Bearer "+w.settings["SENDGRID_API_KEY"])
		req.Header.Set("Content-Type", kind)
		resp, err := http.DefaultClient.Do(req)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%s: %v %v", kind, resp, err)
		}
		resp.Body.Close()
	}
}

func TestMailCompressedAndToSeveral(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := sendgrid.NewSendClient(w.settings["SENDGRID_API_KEY"])
	client.BaseURL = w.url + "/v3/mail/send"
	client.Headers["Content-Encoding"] = "gzip"
	m := newMail("rosa@home.example", "d-1")
	m.Personalizations[0].AddBCCs(mail.NewEmail("", "ivo@home.example"))
	if resp, err := client.Send(m); err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v %v", resp, err)
	}
	if log := w.log(); len(log) != 2 || log[1].Recipient != "ivo@home.example" || log[0].ID == log[1].ID {
		t.Fatalf("log %v", log)
	}
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}
