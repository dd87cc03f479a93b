package sandbox_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"countersign/internal/sandbox"
)

// swapHost sends the official client's requests to the sandbox.
type swapHost struct{ host string }

func (s swapHost) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", s.host
	return http.DefaultTransport.RoundTrip(r)
}

func (w *world) twilio(token string) *api.ApiService {
	u, _ := url.Parse(w.url)
	c := &client.Client{
		Credentials: client.NewCredentials(w.settings["TWILIO_ACCOUNT_SID"], token),
		HTTPClient:  &http.Client{Transport: swapHost{u.Host}, Timeout: 5 * time.Second},
	}
	c.SetAccountSid(w.settings["TWILIO_ACCOUNT_SID"])
	return api.NewApiService(client.NewRequestHandler(c))
}

func (w *world) smsParams(to, delivery string) *api.CreateMessageParams {
	return (&api.CreateMessageParams{}).SetTo(to).SetFrom(w.settings["TWILIO_FROM"]).SetValidityPeriod(3600).
		SetBody("You have a new message: http://localhost:8080/m/abc Reply STOP to opt out").
		SetStatusCallback(w.app + "/webhooks/twilio/" + delivery)
}

func (w *world) sms(to, delivery string) *api.ApiV2010Message {
	w.t.Helper()
	m, err := w.twilio(w.settings["TWILIO_AUTH_TOKEN"]).CreateMessage(w.smsParams(to, delivery))
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// form verifies a status callback with the official validator and reads it.
func (w *world) signed(c call) bool {
	v := client.NewRequestValidator(w.settings["TWILIO_AUTH_TOKEN"])
	return v.ValidateBody(w.app+c.path, c.body, c.header.Get("X-Twilio-Signature"))
}

func (w *world) form(c call) url.Values {
	w.t.Helper()
	if !w.signed(c) {
		w.t.Fatalf("bad signature on %s", c.path)
	}
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		w.t.Fatal(err)
	}
	return form
}

func TestMessageIsQueuedAndTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.sms("+15551230100", "d-9")
	if !regexp.MustCompile(`^SM[0-9a-f]{32}$`).MatchString(*m.Sid) || *m.Status != "queued" || *m.NumSegments != "1" || *m.Direction != "outbound-api" {
		t.Fatalf("message %+v", m)
	}
	if _, err := time.Parse(time.RFC1123Z, *m.DateCreated); err != nil || m.DateSent != nil {
		t.Errorf("dates %v %v", *m.DateCreated, m.DateSent)
	}
	for _, want := range []string{"sent", "delivered"} {
		c := w.next()
		form := w.form(c)
		if c.path != "/webhooks/twilio/d-9" || form.Get("MessageStatus") != want || form.Get("MessageSid") != *m.Sid || form.Get("To") != "+15551230100" {
			t.Fatalf("want %s, got %s %v", want, c.path, form)
		}
	}
	if log := w.log(); len(log) != 1 || log[0].Provider != "twilio" || log[0].Delivery != "d-9" || log[0].Recipient != "+15551230100" || log[0].ID != *m.Sid {
		t.Fatalf("log %v", log)
	}
	shown, err := w.twilio(w.settings["TWILIO_AUTH_TOKEN"]).FetchMessage(*m.Sid, nil)
	if err != nil || *shown.Status != "delivered" || shown.DateSent == nil || shown.ErrorCode != nil {
		t.Fatalf("shown %+v %v", shown, err)
	}
}

func TestMessageUndelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.sms("+15551230004", "d-1")
	w.form(w.next())
	if form := w.form(w.next()); form.Get("MessageStatus") != "undelivered" || form.Get("ErrorCode") != "30005" {
		t.Fatalf("form %v", form)
	}
	shown, err := w.twilio(w.settings["TWILIO_AUTH_TOKEN"]).FetchMessage(*m.Sid, nil)
	if err != nil || *shown.Status != "undelivered" || *shown.ErrorCode != 30005 {
		t.Fatalf("shown %+v %v", shown, err)
	}
}

func TestMessageRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	token := w.settings["TWILIO_AUTH_TOKEN"]
	for name, c := range map[string]struct {
		token        string
		bend         func(*api.CreateMessageParams)
		status, code int
	}{
		"wrong token":   {"00000000000000000000000000000000", func(*api.CreateMessageParams) {}, 401, 20003},
		"not a number":  {token, func(p *api.CreateMessageParams) { p.SetTo("five five five") }, 400, 21211},
		"no plus":       {token, func(p *api.CreateMessageParams) { p.SetTo("15551230100") }, 400, 21211},
		"magic invalid": {token, func(p *api.CreateMessageParams) { p.SetTo("+15005550001") }, 400, 21211},
		"magic route":   {token, func(p *api.CreateMessageParams) { p.SetTo("+15005550002") }, 400, 21612},
		"magic region":  {token, func(p *api.CreateMessageParams) { p.SetTo("+15005550003") }, 400, 21408},
		"magic stopped": {token, func(p *api.CreateMessageParams) { p.SetTo("+15005550004") }, 400, 21610},
		"magic fixed":   {token, func(p *api.CreateMessageParams) { p.SetTo("+15005550009") }, 400, 21614},
		"no to":         {token, func(p *api.CreateMessageParams) { p.To = nil }, 400, 21604},
		"no from":       {token, func(p *api.CreateMessageParams) { p.From = nil }, 400, 21603},
		"foreign from":  {token, func(p *api.CreateMessageParams) { p.SetFrom("+15551239999") }, 400, 21606},
		"no body":       {token, func(p *api.CreateMessageParams) { p.Body = nil }, 400, 21602},
		"long body":     {token, func(p *api.CreateMessageParams) { p.SetBody(strings.Repeat("x", 1601)) }, 400, 21617},
		"bad callback":  {token, func(p *api.CreateMessageParams) { p.SetStatusCallback("nowhere") }, 400, 21609},
	} {
		t.Run(name, func(t *testing.T) {
			params := w.smsParams("+15551230100", "d-1")
			c.bend(params)
			_, err := w.twilio(c.token).CreateMessage(params)
			var refused *client.TwilioRestError
			if !errors.As(err, &refused) || refused.Status != c.status || refused.Code != c.code || refused.Message == "" ||
				refused.MoreInfo != fmt.Sprintf("https://www.twilio.com/docs/errors/%d", c.code) {
				t.Fatalf("%v", err)
			}
		})
	}
	if log := w.log(); len(log) != 0 {
		t.Fatalf("refused messages are in the log: %v", log)
	}
}

func TestMessageList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.twilio(w.settings["TWILIO_AUTH_TOKEN"])
	for i := range 5 {
		w.sms("+15551230100", fmt.Sprintf("d-%d", i))
	}
	w.sms("+15551230200", "d-other")
	now := time.Now().UTC()
	for name, c := range map[string]struct {
		params *api.ListMessageParams
		want   int
	}{
		"all":       {&api.ListMessageParams{}, 6},
		"to":        {(&api.ListMessageParams{}).SetTo("+15551230100"), 5},
		"in pages":  {(&api.ListMessageParams{}).SetTo("+15551230100").SetPageSize(2), 5},
		"today":     {(&api.ListMessageParams{}).SetDateSent(now), 6},
		"yesterday": {(&api.ListMessageParams{}).SetDateSent(now.AddDate(0, 0, -1)), 0},
		"since":     {(&api.ListMessageParams{}).SetTo("+15551230200").SetDateSentAfter(now.Add(-time.Minute)), 1},
		"later":     {(&api.ListMessageParams{}).SetDateSentAfter(now.Add(time.Minute)), 0},
		"before":    {(&api.ListMessageParams{}).SetDateSentBefore(now.Add(-time.Minute)), 0},
		"nobody":    {(&api.ListMessageParams{}).SetTo("+15551230300"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := service.ListMessage(c.params)
			if err != nil || len(found) != c.want {
				t.Fatalf("%d found, want %d: %v", len(found), c.want, err)
			}
		})
	}
	if _, err := service.FetchMessage("SM00000000000000000000000000000000", nil); err == nil {
		t.Error("an unknown message was found")
	}
	if _, err := w.twilio("00000000000000000000000000000000").ListMessage(&api.ListMessageParams{}); err == nil {
		t.Error("listed with a wrong token")
	}
}

func TestMessageWithoutCallbackIsDelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	params := w.smsParams("+15551230100", "")
	params.StatusCallback = nil
	if _, err := w.twilio(w.settings["TWILIO_AUTH_TOKEN"]).CreateMessage(params); err != nil {
		t.Fatal(err)
	}
	w.until("delivered", func(m []sandbox.Message) bool { return len(m[0].Events) == 2 && m[0].Events[1].Lost })
}
