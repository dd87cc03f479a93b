package twilio

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

const public = "https://clinic.test"

func reading(t *testing.T, token, previous string) *Client {
	t.Helper()
	c, err := New(Config{BaseURL: "https://api.twilio.test", AccountSID: "AC1", AuthToken: token, PreviousToken: previous, From: "+15005550006", PublicURL: public + "/"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// signature is Twilio's documented rule, written here a second time: address, then each name and value by name.
func signature(token, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		mac.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func callback(path, signature string) *http.Request {
	r, _ := http.NewRequest(http.MethodPost, "http://10.0.0.7:8080"+path, nil) // as it arrives behind a proxy
	if signature != "" {
		r.Header.Set("X-Twilio-Signature", signature)
	}
	return r
}

func TestSignatureIsOverThePublicAddress(t *testing.T) {
	t.Parallel()
	d := uuid.Must(uuid.NewV7())
	path := "/webhooks/twilio/" + d.String()
	form := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered"}, "To": {"+14155550132"}, "Extra": {"é &="}}
	repeated := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {"delivered", "failed"}}
	tests := map[string]struct {
		signature string
		form      url.Values
		ok        bool
	}{
		"the current token":      {signature("now", public+path, form), form, true},
		"the previous token":     {signature("then", public+path, form), form, true},
		"with the default port":  {signature("now", public+":443"+path, form), form, true},
		"an older token":         {signature("before", public+path, form), form, false},
		"the Host header's":      {signature("now", "http://10.0.0.7:8080"+path, form), form, false},
		"another delivery's":     {signature("now", public+"/webhooks/twilio/"+uuid.NewString(), form), form, false},
		"none":                   {"", form, false},
		"a name told twice":      {signature("now", public+path, repeated), repeated, false},
		"of an empty token":      {signature("", public+path, form), form, false},
		"of another application": {"vOEb5UThFn24KEfnOFLQY2AE5FY=", form, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := reading(t, "now", "then").Receipts(callback(path, tt.signature), []byte(tt.form.Encode()), d)
			if tt.ok != (err == nil) || tt.ok != (len(got) == 1) {
				t.Errorf("got %v, %v", got, err)
			}
			if !tt.ok && clinic.KindOf(err) != clinic.Forbidden {
				t.Errorf("a forgery is %v", err)
			}
		})
	}
}

func TestStatusesInOurWords(t *testing.T) {
	t.Parallel()
	d := uuid.Must(uuid.NewV7())
	path := "/webhooks/twilio/" + d.String()
	tests := []struct{ status, error, state, code string }{
		{"queued", "", "accepted", ""}, {"accepted", "", "accepted", ""}, {"scheduled", "", "accepted", ""}, {"sending", "", "in_transit", ""},
		{"sent", "", "sent", ""}, {"delivered", "", "delivered", ""}, {"read", "", "delivered", ""}, {"delivered", "0", "delivered", ""},
		{"undelivered", "30003", "undelivered", "30003"}, {"failed", "30007", "undelivered", "30007"}, {"undelivered", "", "undelivered", "undelivered"},
		{"canceled", "", "undelivered", "canceled"}, {"receiving", "", "", ""}, {"", "", "", ""},
	}
	for _, tt := range tests {
		form := url.Values{"MessageSid": {"SM1"}, "MessageStatus": {tt.status}}
		if tt.error != "" {
			form.Set("ErrorCode", tt.error)
		}
		r := callback(path, signature("now", public+path, form))
		got, err := reading(t, "now", "").Receipts(r, []byte(form.Encode()), d)
		if err != nil {
			t.Errorf("%s: %v", tt.status, err)
			continue
		}
		if tt.state == "" {
			if len(got) != 0 {
				t.Errorf("%q gave %+v", tt.status, got)
			}
			continue
		}
		again, _ := reading(t, "now", "").Receipts(r, []byte(form.Encode()), d)
		if len(got) != 1 || got[0].State != tt.state || got[0].Code != tt.code || got[0].EventKey != again[0].EventKey {
			t.Errorf("%s %s: got %+v", tt.status, tt.error, got)
		}
	}
}

func TestReply(t *testing.T) {
	t.Parallel()
	form := url.Values{"MessageSid": {"SM2"}, "From": {"+14155550132"}, "To": {"+15005550006"}, "Body": {"Stop"}, "OptOutType": {"STOP"}}
	got, err := reading(t, "now", "").Reply(callback("/webhooks/twilio", signature("now", public+"/webhooks/twilio", form)), []byte(form.Encode()))
	if want := (Reply{"SM2", "+14155550132", "+15005550006", "Stop", "STOP"}); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := reading(t, "now", "").Reply(callback("/webhooks/twilio", ""), []byte(form.Encode())); clinic.KindOf(err) != clinic.Forbidden {
		t.Errorf("an unsigned reply is %v", err)
	}
}
