package sandbox

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // Twilio signs with HMAC-SHA1
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// undeliveredCode is what Twilio says of a phone that does not exist: unknown destination handset.
const undeliveredCode = "30005"

// status is the message's own status, whatever of it the app was told and in which order: a final word stands.
func (m *Message) status() string {
	status := "queued"
	for _, e := range m.Events {
		if !e.Forged && (e.Name != "sent" || status == "queued") {
			status = e.Name
		}
	}
	return status
}

func (m *Message) sentAt() (time.Time, bool) {
	for _, e := range m.Events {
		if !e.Forged {
			return e.Time, true
		}
	}
	return time.Time{}, false
}

// resource is the message as Twilio's REST API shows it.
func (s *Sandbox) resource(m Message) map[string]any {
	uri := "/2010-04-01/Accounts/" + s.keys.TwilioSID + "/Messages/" + m.ID
	updated := m.Time
	if e, ok := m.last(); ok {
		updated = e.Time
	}
	out := map[string]any{
		"account_sid": s.keys.TwilioSID, "api_version": "2010-04-01", "body": m.Body, "from": m.From, "to": m.Recipient,
		"sid": m.ID, "status": m.status(), "direction": "outbound-api", "num_media": "0", "num_segments": fmt.Sprint(segments(m.Body)),
		"date_created": m.Time.Format(time.RFC1123Z), "date_updated": updated.Format(time.RFC1123Z), "date_sent": nil,
		"error_code": nil, "error_message": nil, "messaging_service_sid": nil, "price": nil, "price_unit": "USD",
		"uri": uri + ".json", "subresource_uris": map[string]string{"media": uri + "/Media.json"},
	}
	if t, ok := m.sentAt(); ok {
		out["date_sent"] = t.Format(time.RFC1123Z)
	}
	if m.status() == "undelivered" {
		out["error_code"], out["error_message"] = 30005, "Unknown destination handset"
	}
	return out
}

// segments counts the SMS that carry a text: 160 characters in one (153 in each of several), or 70 (67) when a
// character lies outside the phone alphabet, for which ASCII stands here.
func segments(body string) int {
	text := []rune(body)
	single, part := 160, 153
	if slices.ContainsFunc(text, func(r rune) bool { return r > 127 }) {
		single, part = 70, 67
	}
	if len(text) <= single {
		return 1
	}
	return (len(text) + part - 1) / part
}

// tellStatuses calls the StatusCallback back with what becomes of a message; nothing is told of "queued".
func (s *Sandbox) tellStatuses(e Entry) {
	f := s.faults.pick(twilio, webhookFault)
	if f.Kind == "silent" {
		return
	}
	names := slices.Clone(outcomeOf(twilio, e.Recipient).events)
	s.calls.start(func(ctx context.Context) {
		if f.Kind == "shuffled" {
			slices.Reverse(names)
		}
		if f.Kind == "late" {
			first := names[0]
			s.calls.start(func(ctx context.Context) {
				if pause(ctx, f.millis(lateMillis)) {
					s.tellStatus(ctx, e, first, Fault{})
				}
			})
			names = names[1:]
		}
		for _, name := range names {
			if !pause(ctx, s.opt.CallbackDelay) {
				return
			}
			s.tellStatus(ctx, e, name, f)
		}
	})
}

// tellStatus posts one status as the fault says: never, or as often as it says, or behind a forgery.
func (s *Sandbox) tellStatus(ctx context.Context, e Entry, name string, f Fault) {
	form := s.statusForm(e, name)
	if f.Kind == "lost" || e.Callback == "" {
		s.journal.note(Event{Message: e.ID, Time: time.Now().UTC(), Name: name, Lost: true, Payload: form.Encode()})
		return
	}
	if f.Kind == "forged" {
		s.postStatus(ctx, e, s.statusForm(e, "undelivered"), true)
	}
	for range f.times() {
		s.postStatus(ctx, e, form, false)
	}
}

func (s *Sandbox) statusForm(e Entry, name string) url.Values {
	form := url.Values{
		"ApiVersion": {"2010-04-01"}, "AccountSid": {s.keys.TwilioSID}, "MessageSid": {e.ID}, "SmsSid": {e.ID},
		"MessageStatus": {name}, "SmsStatus": {name}, "From": {e.From}, "To": {e.Recipient},
	}
	switch name {
	case "undelivered", "failed":
		form.Set("ErrorCode", undeliveredCode)
		form.Set("RawDlrDoneDate", time.Now().UTC().Format("0601021504"))
	case "delivered":
		form.Set("RawDlrDoneDate", time.Now().UTC().Format("0601021504"))
	}
	return form
}

// postStatus posts once, and once more if the connection failed: status callbacks are best effort.
func (s *Sandbox) postStatus(ctx context.Context, e Entry, form url.Values, forged bool) {
	noted := s.journal.note(Event{
		Message: e.ID, Time: time.Now().UTC(), Name: form.Get("MessageStatus"), Forged: forged, Payload: form.Encode()})
	token := s.keys.TwilioToken
	if forged {
		token = randomHex(16)
	}
	for range 2 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.Callback, strings.NewReader(form.Encode()))
		if err != nil {
			s.opt.Log.Warn("sandbox: status callback", "reason", err)
			return
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
		req.Header.Set("User-Agent", "TwilioProxy/1.1")
		req.Header.Set("X-Twilio-Signature", twilioSignature(token, e.Callback, form))
		status, _ := s.calls.post(req)
		s.journal.answered(noted, status)
		if status != 0 || !pause(ctx, s.opt.CallbackDelay) {
			return
		}
	}
}

// twilioSignature is base64(HMAC-SHA1(token, address + each name and value, sorted by name)).
func twilioSignature(token, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	for _, name := range sortedKeys(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
