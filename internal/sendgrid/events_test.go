package sendgrid

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// The signed vector that SendGrid's own Go library is tested with.
const (
	vectorKey       = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g=="
	vectorSignature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
	vectorTimestamp = "1600112502"
	vectorBody      = `[{"email":"hello@world.com","event":"dropped","reason":"Bounced Address","sg_event_id":"ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",` +
		`"sg_message_id":"LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0","smtp-id":"<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>","timestamp":1600112492}]` + "\r\n"
)

func reading(t *testing.T, keys ...string) *Client {
	t.Helper()
	c, err := New(Config{BaseURL: "https://api.sendgrid.test", APIKey: "key", From: "messages@clinic.test", WebhookKeys: keys})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func webhook(signature, timestamp string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "/webhooks/sendgrid", nil)
	r.Header.Set("X-Twilio-Email-Event-Webhook-Signature", signature)
	r.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	return r
}

func newKey(t *testing.T) (*ecdsa.PrivateKey, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, base64.StdEncoding.EncodeToString(der)
}

func sign(t *testing.T, key *ecdsa.PrivateKey, timestamp, body string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(timestamp + body))
	signature, err := ecdsa.SignASN1(rand.Reader, key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func TestReceiptsOfTheRealVector(t *testing.T) {
	t.Parallel()
	_, next := newKey(t)
	got, err := reading(t, next, vectorKey).Receipts(webhook(vectorSignature, vectorTimestamp), []byte(vectorBody), uuid.Nil) // as the previous key
	if err != nil || len(got) != 1 {
		t.Fatalf("%v, %d receipts", err, len(got))
	}
	want := clinic.Receipt{Provider: "sendgrid", EventKey: "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA", ProviderID: "LRzXl_NHStOGhQ4kofSm_A",
		State: "undelivered", Code: "dropped_bounced", At: time.Unix(1600112492, 0).UTC()}
	if got[0] != want {
		t.Errorf("got %+v", got[0])
	}
}

func TestForgeriesAreForbidden(t *testing.T) {
	t.Parallel()
	other, _ := newKey(t)
	tests := map[string]struct{ signature, timestamp, body string }{
		"another key":                {sign(t, other, vectorTimestamp, vectorBody), vectorTimestamp, vectorBody},
		"another time":               {vectorSignature, "1600112503", vectorBody},
		"a changed body":             {vectorSignature, vectorTimestamp, strings.Replace(vectorBody, "dropped", "delivered", 1)},
		"no line end":                {vectorSignature, vectorTimestamp, strings.TrimSpace(vectorBody)},
		"no signature":               {"", vectorTimestamp, vectorBody},
		"no timestamp":               {vectorSignature, "", vectorTimestamp + vectorBody},
		"not base64":                 {"%%%", vectorTimestamp, vectorBody},
		"not a signature":            {"aGVsbG8=", vectorTimestamp, vectorBody},
		"bytes moved into the stamp": {vectorSignature, vectorTimestamp + vectorBody[:1], vectorBody[1:]},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := reading(t, vectorKey).Receipts(webhook(tt.signature, tt.timestamp), []byte(tt.body), uuid.Nil)
			if clinic.KindOf(err) != clinic.Forbidden || got != nil {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	t.Run("no key at all", func(t *testing.T) {
		t.Parallel()
		if _, err := reading(t).Receipts(webhook(vectorSignature, vectorTimestamp), []byte(vectorBody), uuid.Nil); clinic.KindOf(err) != clinic.Forbidden {
			t.Errorf("got %v", err)
		}
	})
}

// One batch with everything: what is no state of a delivery, and what cannot be read, is left out and holds nothing up.
func TestEventsInOurWords(t *testing.T) {
	t.Parallel()
	key, public := newKey(t)
	d := uuid.Must(uuid.NewV7())
	id := `"d":"` + d.String() + `"`
	body := `[{"event":"processed","sg_event_id":"1","timestamp":10,` + id + `},{"event":"deferred","sg_event_id":"2","timestamp":11,` + id + `},` +
		`{"event":"delivered","sg_event_id":"3","timestamp":12,` + id + `},{"event":"open","sg_event_id":"4",` + id + `},{"event":"click","sg_event_id":"5"},` +
		`{"event":"unsubscribe","sg_event_id":"6"},{"event":"spamreport","sg_event_id":"7"},{"event":"group_resubscribe","sg_event_id":"8"},` +
		`{"event":17},"nonsense",{"event":"bounce","type":"bounce","sg_event_id":"9","d":"not an id","timestamp":13},` +
		`{"event":"bounce","type":"blocked","sg_event_id":"10","timestamp":14},{"event":"blocked","sg_event_id":"11"},` +
		`{"event":"dropped","reason":"Unsubscribed Address","sg_event_id":"12"},{"event":"dropped","reason":"Spam Reporting Address","sg_event_id":"13"},` +
		`{"event":"dropped","reason":"Invalid","sg_event_id":"14"},{"event":"dropped","reason":"Recipient List over Package Quota","sg_event_id":"15"},` +
		`{"event":"dropped","reason":"rosa@mail.example is unwanted","sg_event_id":"16"},{"event":"dropped","sg_event_id":"17"},{"event":"delivered"}]`
	got, err := reading(t, public).Receipts(webhook(sign(t, key, "99", body), "99"), []byte(body), uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		key, state, code string
		delivery         uuid.UUID
	}{{"1", "in_transit", "", d}, {"2", "in_transit", "", d}, {"3", "delivered", "", d}, {"9", "undelivered", "bounce", uuid.Nil},
		{"10", "undelivered", "blocked", uuid.Nil}, {"11", "undelivered", "blocked", uuid.Nil}, {"12", "undelivered", "dropped_unsubscribed", uuid.Nil},
		{"13", "undelivered", "dropped_spam", uuid.Nil}, {"14", "undelivered", CodeBadAddress, uuid.Nil}, {"15", "undelivered", CodeCredits, uuid.Nil},
		{"16", "undelivered", "dropped", uuid.Nil}, {"17", "undelivered", "dropped", uuid.Nil}}
	if len(got) != len(want)+1 {
		t.Fatalf("%d receipts, want %d", len(got), len(want)+1)
	}
	for i, w := range want {
		if g := got[i]; g.EventKey != w.key || g.State != w.state || g.Code != w.code || g.DeliveryID != w.delivery {
			t.Errorf("receipt %d is %+v, want %+v", i, g, w)
		}
	}
	if last := got[len(got)-1]; len(last.EventKey) != 64 { // no id of its own: a hash of it
		t.Errorf("an event without an id has key %q", last.EventKey)
	}
	if _, err := reading(t, public).Receipts(webhook(sign(t, key, "99", "{}"), "99"), []byte("{}"), uuid.Nil); clinic.KindOf(err) != clinic.Invalid {
		t.Errorf("a signed body that is no batch is %v", err)
	}
}

// The library's own reader panics on a key of another kind; ours says so at the start.
func TestNewRefusesOtherKeys(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"ed25519": base64.StdEncoding.EncodeToString(der), "no key": "bm90IGEga2V5", "no base64": "%"} {
		if _, err := New(Config{BaseURL: "https://api.sendgrid.test", APIKey: "key", From: "a@b.test", WebhookKeys: []string{key}}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	for name, cfg := range map[string]Config{"no key": {BaseURL: "https://a.test", From: "a@b.test"}, "no sender": {BaseURL: "https://a.test", APIKey: "k"},
		"no address": {BaseURL: "api.sendgrid.test", APIKey: "k", From: "a@b.test"}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("an account with %s was taken", name)
		}
	}
}
