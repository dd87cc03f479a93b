package twilio

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// states are Twilio's statuses in our words. A status that is not here says nothing about a delivery.
var states = map[string]string{
	"queued":      "accepted",
	"accepted":    "accepted",
	"scheduled":   "accepted",
	"sending":     "in_transit",
	"sent":        "sent",
	"delivered":   "delivered",
	"read":        "delivered",
	"undelivered": "undelivered",
	"failed":      "undelivered", // a callback comes only after acceptance
	"canceled":    "undelivered",
}

// Receipts verifies a status callback and reads it. delivery is the id in the callback's path: any signed callback
// proves that its message was created. A request that is not signed for this public address with the current or the
// previous token is Forbidden. A status we have no word for gives no receipt and no error.
func (c *Client) Receipts(r *http.Request, raw []byte, delivery uuid.UUID) ([]clinic.Receipt, error) {
	form, err := c.verify(r, raw)
	if err != nil {
		return nil, err
	}
	status, code := form.Get("MessageStatus"), form.Get("ErrorCode")
	state := states[status]
	if state == "" {
		return nil, nil
	}
	if state != "undelivered" || code == "0" {
		code = ""
	} else if code == "" {
		code = status
	}
	sid := form.Get("MessageSid")
	return []clinic.Receipt{{Provider: c.Name(), EventKey: eventKey(sid, status, code), ProviderID: sid, DeliveryID: delivery,
		State: state, Code: code, At: time.Now().UTC()}}, nil
}

// eventKey is the same for the same report told twice: callbacks carry no id of their own.
func eventKey(sid, status, code string) string {
	sum := sha256.Sum256([]byte(sid + ":" + status + ":" + code))
	return hex.EncodeToString(sum[:])
}

// Reply is a text that somebody sent to the clinic's number.
type Reply struct {
	ProviderID string // the text's own id
	From, To   string // numbers
	Body       string
	OptOutType string // STOP, START or HELP when Twilio has already answered it; else empty
}

// Reply verifies an inbound text and reads it; errors are as for Receipts.
func (c *Client) Reply(r *http.Request, raw []byte) (Reply, error) {
	form, err := c.verify(r, raw)
	if err != nil {
		return Reply{}, err
	}
	return Reply{ProviderID: form.Get("MessageSid"), From: form.Get("From"), To: form.Get("To"), Body: form.Get("Body"),
		OptOutType: form.Get("OptOutType")}, nil
}

// verify checks X-Twilio-Signature over our public address, the request's path and the whole sorted form. The Host
// header and the scheme that the request came by have no say. The library compares in constant time.
func (c *Client) verify(r *http.Request, raw []byte) (url.Values, error) {
	form, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, &clinic.Error{Kind: clinic.Forbidden, Code: "bad_form", Sentence: "The form cannot be read."}
	}
	params := make(map[string]string, len(form))
	for name, values := range form {
		if len(values) != 1 { // Twilio never repeats a name, and only the first value would be signed
			return nil, forged()
		}
		params[name] = values[0]
	}
	signature := r.Header.Get("X-Twilio-Signature")
	for _, v := range c.verifiers {
		if signature != "" && v.Validate(c.cfg.PublicURL+r.URL.EscapedPath(), params, signature) {
			return form, nil
		}
	}
	return nil, forged()
}

func forged() error {
	return &clinic.Error{Kind: clinic.Forbidden, Code: "bad_signature", Sentence: "The signature does not fit."}
}
