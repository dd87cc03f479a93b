package sandbox

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// mailEvent is one object of the event webhook: the documented keys of its kind, and the custom arguments beside them.
type mailEvent map[string]any

// mailDetails are the keys that each kind of event has beyond the common ones.
var mailDetails = map[string]mailEvent{
	"processed": {},
	"deferred":  {"response": "451 4.7.1 try again later", "attempt": "1"},
	"delivered": {"response": "250 2.0.0 OK", "tls": 1, "ip": "192.0.2.10"},
	"bounce": {"reason": "550 5.1.1 The email account that you tried to reach does not exist", "status": "5.1.1",
		"type": "bounce", "bounce_classification": "Invalid Address", "tls": 1},
	"dropped": {"reason": "Bounced Address", "status": "5.0.0"},
}

func newMailEvent(e Entry, name string) mailEvent {
	requestID, _, _ := strings.Cut(e.ID, ".")
	event := mailEvent{}
	for key, value := range e.Args {
		event[key] = value
	}
	for key, value := range mailDetails[name] {
		event[key] = value
	}
	event["email"] = e.Recipient
	event["timestamp"] = time.Now().Unix()
	event["event"] = name
	event["sg_event_id"] = randomText(16)
	event["sg_message_id"] = mailID(e)
	event["smtp-id"] = "<" + requestID + "@geopod-ismtpd-1>"
	return event
}

// mailID is a mail's whole id, of which the answer's X-Message-Id is the first part.
func mailID(e Entry) string {
	return e.ID + ".recvd-5d7f9b6c4-abcde-1-" + strconv.FormatInt(e.Time.Unix(), 16) + "-1.0"
}

// tellMailEvents tells the app, in the background, what becomes of an accepted mail: one post per event, in order,
// unless a webhook fault says otherwise.
func (s *Sandbox) tellMailEvents(e Entry) {
	f := s.faults.pick(sendgrid, webhookFault)
	if f.Kind == "silent" {
		return
	}
	names := outcomeOf(sendgrid, e.Recipient).events
	s.calls.start(func(ctx context.Context) {
		if f.Kind == "shuffled" && pause(ctx, s.opt.CallbackDelay) {
			var batch []mailEvent
			for _, name := range slices.Backward(names) {
				batch = append(batch, newMailEvent(e, name))
			}
			s.postMail(ctx, e.ID, batch, false)
			return
		}
		if f.Kind == "late" {
			first := newMailEvent(e, names[0])
			s.calls.start(func(ctx context.Context) {
				if pause(ctx, f.millis(lateMillis)) {
					s.tellMail(ctx, e, first, Fault{})
				}
			})
			names = names[1:]
		}
		for _, name := range names {
			if !pause(ctx, s.opt.CallbackDelay) {
				return
			}
			s.tellMail(ctx, e, newMailEvent(e, name), f)
		}
	})
}

// tellMail posts one event as the fault says: never, or as often as it says, or behind a forgery.
func (s *Sandbox) tellMail(ctx context.Context, e Entry, event mailEvent, f Fault) {
	switch f.Kind {
	case "lost":
		raw, _ := json.Marshal(event)
		name, _ := event["event"].(string)
		s.journal.note(Event{Message: e.ID, Time: time.Now().UTC(), Name: name, Lost: true, Payload: string(raw)})
		return
	case "forged":
		s.postMail(ctx, e.ID, []mailEvent{newMailEvent(e, "bounce")}, true)
	}
	for range f.times() {
		s.postMail(ctx, e.ID, []mailEvent{event}, false)
	}
}

// postMail posts a batch, signed, and insists until the app takes it. A forged batch is signed with a key that is not
// the account's, and is posted once.
func (s *Sandbox) postMail(ctx context.Context, message string, batch []mailEvent, forged bool) {
	body, err := json.Marshal(batch)
	if err != nil {
		s.opt.Log.Error("sandbox: event", "reason", err)
		return
	}
	var noted []Event
	for _, event := range batch {
		raw, _ := json.Marshal(event)
		name, _ := event["event"].(string)
		noted = append(noted, s.journal.note(Event{
			Message: message, Time: time.Now().UTC(), Name: name, Forged: forged, Payload: string(raw)}))
	}
	heard := func(status int) {
		for _, event := range noted {
			s.journal.answered(event, status)
		}
	}
	build := func() (*http.Request, error) { return s.mailWebhook(ctx, body, forged) }
	if !forged {
		s.calls.insist(ctx, build, heard)
		return
	}
	if req, err := build(); err == nil {
		status, _ := s.calls.post(req)
		heard(status)
	}
}

func (s *Sandbox) mailWebhook(ctx context.Context, body []byte, forged bool) (*http.Request, error) {
	signer := s.keys.webhookSigner
	if forged {
		stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		signer = stranger
	}
	timestamp := strconv.FormatInt(time.Now().Unix(), 10)
	digest := sha256.Sum256(append([]byte(timestamp), body...))
	signature, err := ecdsa.SignASN1(rand.Reader, signer, digest[:])
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.opt.BaseURL+"/webhooks/sendgrid", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json;charset=utf-8")
	req.Header.Set("User-Agent", "SendGrid Event API")
	req.Header.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature))
	req.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	return req, nil
}
