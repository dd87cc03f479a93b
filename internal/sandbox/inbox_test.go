package sandbox_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/twilio/twilio-go/client"

	"countersign/internal/sandbox"
)

// press clicks one of the inbox's buttons.
func (w *world) press(message, act string) {
	w.t.Helper()
	resp, _ := w.do(http.MethodPost, "/messages/"+message+"/"+act, "application/x-www-form-urlencoded", "")
	if resp.StatusCode != http.StatusSeeOther || !strings.HasSuffix(resp.Header.Get("Location"), "#m-"+message) {
		w.t.Fatalf("%s: %d to %s", act, resp.StatusCode, resp.Header.Get("Location"))
	}
}

func TestInboxShowsMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, text := w.get("/"); !strings.Contains(text, "No message yet") || !strings.Contains(text, "This is a sandbox.") {
		t.Error("the empty inbox says nothing")
	}
	w.mail("rosa@home.example", "d-1")
	w.sms("+15551230100", "d-2")
	w.until("all events", func(m []sandbox.Message) bool { return len(m) == 2 && len(m[0].Events) == 2 && len(m[1].Events) == 2 })
	resp, text := w.get("/")
	for _, want := range []string{
		`<html lang="en">`, "<title>Inbox", `<a href="http://localhost:8080/m/abc">http://localhost:8080/m/abc</a>.`, "rosa@home.example",
		"555 123 0100", `<a href="http://localhost:8080/m/abc/stop">Unsubscribe</a>`, "Let the provider say",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q on the page", want)
		}
	}
	if strings.Index(text, "555 123 0100") > strings.Index(text, "rosa@home.example") {
		t.Error("the newest message is not the first")
	}
	if strings.Contains(resp.Header.Get("Content-Security-Policy"), "unsafe") {
		t.Error("the policy is not strict")
	}
	for _, asset := range []string{"sandbox.css", "inbox.js", "icons.svg", "mark.svg", "fonts/inter-latin-wght-normal.woff2"} {
		if resp, _ := w.get("/assets/" + asset); resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", asset, resp.StatusCode)
		}
	}
}

func TestInboxEscapesText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	params := w.smsParams("+15551230100", "d-1").SetBody(`<script>alert(1)</script> javascript:alert(1) http://x.example/"onclick="y`)
	if _, err := w.twilio(w.settings["TWILIO_AUTH_TOKEN"]).CreateMessage(params); err != nil {
		t.Fatal(err)
	}
	if _, text := w.get("/"); strings.Contains(text, "<script>alert") || strings.Contains(text, `href="javascript:`) || strings.Contains(text, `"onclick=`) {
		t.Errorf("%s", text)
	}
}

func TestInboxTagChangesWithWhatHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	resp, _ := w.get("/inbox.json")
	before := resp.Header.Get("ETag")
	w.mail("rosa@home.example", "d-1")
	resp, _ = w.get("/inbox.json")
	if after := resp.Header.Get("ETag"); before == "" || after == before {
		t.Errorf("tags %q and %q", before, after)
	}
}

func TestInboxButtonsForMail(t *testing.T) {
	t.Parallel()
	w := newWorldIn(t, t.TempDir(), 50*time.Millisecond)
	id := w.mail("rosa@home.example", "d-1")
	w.events(w.next())
	last := w.events(w.next())[0]
	w.press(id, "twice")
	if again := w.events(w.next())[0]; again["sg_event_id"] != last["sg_event_id"] || again["timestamp"] != last["timestamp"] {
		t.Errorf("repeated %v as %v", last, again)
	}
	w.press(id, "bounced")
	if e := w.events(w.next())[0]; e["event"] != "bounce" || e["sg_message_id"] != nil || e["d"] != "d-1" {
		t.Errorf("a bounce after delivery: %v", e)
	}
	w.press(id, "delivered")
	if e := w.events(w.next())[0]; e["event"] != "delivered" || e["sg_event_id"] == last["sg_event_id"] {
		t.Errorf("delivered: %v", e)
	}
	w.press(id, "late")
	if e := w.events(w.next())[0]; e["event"] != "delivered" {
		t.Errorf("late: %v", e)
	}
	w.status.Store(http.StatusForbidden)
	w.press(id, "lie")
	forged := w.next()
	key, _ := eventwebhook.ConvertPublicKeyBase64ToECDSA(w.settings["SENDGRID_WEBHOOK_KEY"])
	good, err := eventwebhook.VerifySignature(key, forged.body, forged.header.Get(eventwebhook.VerificationHTTPHeader), forged.header.Get(eventwebhook.TimestampHTTPHeader))
	if err != nil || good {
		t.Errorf("the lie is signed well: %v %v", good, err)
	}
	w.until("the refusal", func(m []sandbox.Message) bool {
		e := m[0].Events[len(m[0].Events)-1]
		return e.Forged && e.Answer == http.StatusForbidden
	})
	if _, text := w.get("/?said=lie"); !strings.Contains(text, "the app refused it, 403") || !strings.Contains(text, "must refuse it with 403") {
		t.Error("the page does not say that the lie was refused")
	}
}

func TestInboxButtonsForPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := *w.sms("+15551230100", "d-1").Sid
	w.form(w.next())
	w.form(w.next())
	for _, c := range []struct{ act, status string }{{"twice", "delivered"}, {"bounced", "undelivered"}, {"delivered", "delivered"}, {"late", "delivered"}} {
		w.press(id, c.act)
		if form := w.form(w.next()); form.Get("MessageStatus") != c.status || form.Get("MessageSid") != id {
			t.Errorf("%s: %v", c.act, form)
		}
	}
	w.press(id, "lie")
	forged := w.next()
	v := client.NewRequestValidator(w.settings["TWILIO_AUTH_TOKEN"])
	if v.ValidateBody(w.app+forged.path, forged.body, forged.header.Get("X-Twilio-Signature")) {
		t.Error("the lie is signed well")
	}
	for _, path := range []string{"/messages/" + id + "/explode", "/messages/nobody/lie"} {
		if resp, _ := w.do(http.MethodPost, path, "", ""); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
}

func TestButtonsCannotBePressedFromAnotherSite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.mail("rosa@home.example", "d-1")
	req, _ := http.NewRequest(http.MethodPost, w.url+"/messages/"+id+"/lie", nil)
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Fatalf("%v %v", resp, err)
	}
	resp.Body.Close()
}

func TestSentryTakesEnvelopes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dsn, _ := url.Parse(w.settings["SENTRY_DSN"])
	envelope := `{"event_id":"9ec79c33ec9942ab8353589fcb2e04dc"}` + "\n" + `{"type":"event"}` + "\n" + `{"message":"boom"}` + "\n"
	post := func(key, encoding string, body []byte) (int, string) {
		req, _ := http.NewRequest(http.MethodPost, w.url+"/api/1/envelope/", bytes.NewReader(body))
		req.Header.Set("X-Sentry-Auth", "Sentry sentry_version=7, sentry_key="+key)
		req.Header.Set("Content-Encoding", encoding)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var answer struct{ ID string }
		json.NewDecoder(resp.Body).Decode(&answer)
		return resp.StatusCode, answer.ID
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	z.Write([]byte(envelope))
	z.Close()
	key := dsn.User.Username()
	for name, c := range map[string]struct {
		key, encoding string
		body          []byte
		status        int
	}{
		"plain":     {key, "", []byte(envelope), 200},
		"zipped":    {key, "gzip", zipped.Bytes(), 200},
		"wrong key": {"other", "", []byte(envelope), 403},
		"not zip":   {key, "gzip", []byte(envelope), 400},
		"not json":  {key, "", []byte("hello"), 400},
	} {
		status, id := post(c.key, c.encoding, c.body)
		if status != c.status || status == 200 && id != "9ec79c33ec9942ab8353589fcb2e04dc" {
			t.Errorf("%s: %d %q", name, status, id)
		}
	}
	_, text := w.get("/sentry")
	var list []sandbox.Envelope
	if err := json.Unmarshal([]byte(text), &list); err != nil || len(list) != 2 || list[0].Raw != envelope || list[1].Raw != envelope {
		t.Errorf("%s %v", text, err)
	}
}
