package sendgrid

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"

	"countersign/internal/clinic"
)

// webhookKeys reads the keys once, at the start. The library's own reader is not used on settings: it panics on a key
// that is not ECDSA.
func webhookKeys(texts []string) ([]*ecdsa.PublicKey, error) {
	var keys []*ecdsa.PublicKey
	for _, text := range texts {
		if text == "" {
			continue
		}
		der, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, errors.New("sendgrid: a webhook key is not base64")
		}
		parsed, err := x509.ParsePKIXPublicKey(der)
		if err != nil {
			return nil, errors.New("sendgrid: a webhook key is not a public key")
		}
		key, ok := parsed.(*ecdsa.PublicKey)
		if !ok {
			return nil, errors.New("sendgrid: a webhook key is not an ECDSA key")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// event is what we read of one object of the webhook's array; all else in it, the recipient's address included, is
// left where it is.
type event struct {
	Name      string  `json:"event"`
	Kind      string  `json:"type"`   // of a bounce: bounce or blocked
	Reason    string  `json:"reason"` // of a drop: one of dropReasons; not kept
	ID        string  `json:"sg_event_id"`
	MessageID string  `json:"sg_message_id"`
	At        float64 `json:"timestamp"` // seconds since 1970
	Delivery  string  `json:"d"`
	Letter    string  `json:"letter"` // of one to people of the house: no delivery
}

// Receipts verifies the raw body of an event webhook and reads its delivery events. The delivery id comes from the
// events themselves, so the last argument, which other providers carry in the path, is not used.
//
// The signature is checked over timestamp and raw bytes with the current key and the previous one; anything else is
// Forbidden. A stale but rightly signed batch is taken: sg_event_id makes it count once. processed and deferred mean
// in_transit, delivered means delivered, bounce and dropped mean undelivered with a code. All other events are left
// out without an error: opens and clicks are never tracked, and unsubscribe and spamreport are no state of a
// delivery. An object that cannot be read is left out too, so that it cannot hold up its batch.
func (c *Client) Receipts(r *http.Request, raw []byte, _ uuid.UUID) ([]clinic.Receipt, error) {
	signature, timestamp := r.Header.Get(eventwebhook.VerificationHTTPHeader), r.Header.Get(eventwebhook.TimestampHTTPHeader)
	if !c.signed(raw, signature, timestamp) {
		return nil, &clinic.Error{Kind: clinic.Forbidden, Code: "bad_signature", Sentence: "The signature does not fit."}
	}
	var batch []json.RawMessage
	if err := json.Unmarshal(raw, &batch); err != nil {
		return nil, &clinic.Error{Kind: clinic.Invalid, Code: "bad_batch", Sentence: "The batch is not a JSON array."}
	}
	receipts := make([]clinic.Receipt, 0, len(batch))
	for _, one := range batch {
		if receipt, ok := c.receipt(one); ok {
			receipts = append(receipts, receipt)
		}
	}
	return receipts, nil
}

// signed wants a timestamp of digits only: the signature runs over timestamp and body without a mark between them.
func (c *Client) signed(raw []byte, signature, timestamp string) bool {
	if signature == "" || timestamp == "" || strings.Trim(timestamp, "0123456789") != "" {
		return false
	}
	for _, key := range c.keys {
		if ok, err := eventwebhook.VerifySignature(key, raw, signature, timestamp); err == nil && ok {
			return true
		}
	}
	return false
}

func (c *Client) receipt(raw json.RawMessage) (clinic.Receipt, bool) {
	var e event
	if json.Unmarshal(raw, &e) != nil || e.Letter != "" {
		return clinic.Receipt{}, false
	}
	state, code := e.meaning()
	if state == "" {
		return clinic.Receipt{}, false
	}
	key := e.ID
	if key == "" {
		sum := sha256.Sum256(raw)
		key = hex.EncodeToString(sum[:])
	}
	delivery, err := uuid.Parse(e.Delivery)
	if err != nil {
		delivery = uuid.Nil
	}
	return clinic.Receipt{Provider: c.Name(), EventKey: key, ProviderID: messageID(e.MessageID), DeliveryID: delivery,
		State: state, Code: code, At: time.Unix(int64(e.At), 0).UTC()}, true
}

// meaning is the event in our words; no state means that it says nothing about a delivery.
func (e event) meaning() (state, code string) {
	switch e.Name {
	case "processed", "deferred":
		return "in_transit", ""
	case "delivered":
		return "delivered", ""
	case "bounce":
		if e.Kind == "blocked" {
			return "undelivered", "blocked"
		}
		return "undelivered", "bounce"
	case "blocked":
		return "undelivered", "blocked"
	case "dropped":
		if code := dropReasons[e.Reason]; code != "" {
			return "undelivered", code
		}
		return "undelivered", "dropped"
	}
	return "", ""
}
