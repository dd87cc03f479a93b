package twilio

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// unknown is what a look-up gets of a parcel that was tried just now.
func unknown(p *clinic.Parcel, since time.Time) clinic.Unknown {
	return clinic.Unknown{DeliveryID: p.DeliveryID, Attempt: p.Attempt, Channel: p.Channel, To: p.To, Body: p.Body, Since: since, Until: time.Now()}
}

// Every answer that leaves a send unknown, looked up at a provider that did take it, or did not.
func TestFind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults string
		taken  bool
	}{
		"silence, and taken":    {`[{"kind":"timeout","probability":1}]`, true},
		"reset, and taken":      {`[{"kind":"reset-after-headers","probability":1}]`, true},
		"unreadable, and taken": {`[{"kind":"unreadable-2xx","probability":1}]`, true},
		"503, and taken":        {`[{"kind":"503","probability":1,"accept":true}]`, true},
		"silence":               {`[{"kind":"timeout","probability":1,"accept":false}]`, false},
		"500":                   {`[{"kind":"500","probability":1}]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(t, tt.faults)
			p, since := w.parcel("+14155550132"), time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if got := w.client.Send(ctx, p); got.Class != clinic.OutcomeUnknown {
				t.Fatalf("the send is %+v", got)
			}
			w.faults(t, `[]`)
			got := w.client.Find(context.Background(), unknown(p, since))
			if got.Conclusive || got.Provider != "twilio" || (got.Class == clinic.FoundAccepted) != tt.taken || !tt.taken && got.Class != clinic.FoundNothing {
				t.Fatalf("found %+v", got)
			}
			if log := w.log(t); tt.taken && (len(log) != 1 || got.ProviderID != log[0].ID) || !tt.taken && len(log) != 0 {
				t.Errorf("found %+v, and the provider took %+v", got, log)
			}
		})
	}
}

// The same patient's other messages are not mistaken for the one that is looked for.
func TestFindTellsMessagesApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, since := w.parcel("+14155550132"), time.Now()
	sent := w.client.Send(context.Background(), p)
	u := unknown(p, since)
	if got := w.client.Find(context.Background(), u); got.Class != clinic.FoundAccepted || got.ProviderID != sent.ProviderID {
		t.Fatalf("the very message: %+v", got)
	}
	for name, change := range map[string]func(*clinic.Unknown){
		"another text":      func(u *clinic.Unknown) { u.Body += " " },
		"another number":    func(u *clinic.Unknown) { u.To = "+14155550133" },
		"an earlier window": func(u *clinic.Unknown) { u.Since, u.Until = since.Add(-time.Hour), since.Add(-2*time.Minute) },
		"a later window":    func(u *clinic.Unknown) { u.Since, u.Until = since.Add(5*time.Minute), since.Add(6*time.Minute) },
	} {
		v := u
		change(&v)
		if got := w.client.Find(context.Background(), v); got.Class != clinic.FoundNothing || got.ProviderID != "" || got.Conclusive {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, v := range map[string]clinic.Unknown{"e-mail": {Channel: "email", To: "a@mail.example", Body: "x"}, "a row that does not open": {Channel: "sms"}} {
		if got := w.client.Find(context.Background(), v); got.Class != clinic.FoundCannotAsk {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A provider that cannot be asked has found nothing out, and a failed message is found, with its number.
func TestFindAnswers(t *testing.T) {
	t.Parallel()
	now := time.Now()
	one := func(rest string) string {
		return `{"messages":[{"sid":"SM1","to":"+14155550132","body":"notice","date_created":"` + now.UTC().Format(time.RFC1123Z) + `"` + rest + `}]}`
	}
	u := clinic.Unknown{Channel: "sms", To: "+14155550132", Body: "notice", Since: now, Until: now}
	for name, tt := range map[string]struct {
		status             int
		body               string
		class, state, code string
	}{
		"delivered":         {200, one(`,"status":"delivered"`), clinic.FoundAccepted, "delivered", ""},
		"not arrived":       {200, one(`,"status":"undelivered","error_code":30005`), clinic.FoundAccepted, "undelivered", "30005"},
		"failed, no number": {200, one(`,"status":"failed","error_code":null`), clinic.FoundAccepted, "undelivered", "failed"},
		"a new word":        {200, one(`,"status":"dreaming"`), clinic.FoundAccepted, "", ""},
		"redacted":          {200, `{"messages":[{"sid":"SM1","to":"+14155550132","body":"","date_created":"` + now.UTC().Format(time.RFC1123Z) + `"}]}`, clinic.FoundNothing, "", ""},
		"no date":           {200, `{"messages":[{"sid":"SM1","to":"+14155550132","body":"notice","date_created":"soon"}]}`, clinic.FoundNothing, "", ""},
		"none":              {200, `{"messages":[]}`, clinic.FoundNothing, "", ""},
		"unreadable":        {200, `<html>`, clinic.FoundCannotAsk, "", CodeUnreadable},
		"credentials":       {401, `{"code":20003,"status":401,"message":"x"}`, clinic.FoundCannotAsk, "", "401"},
		"slow down":         {429, `{"code":20429,"status":429,"message":"x"}`, clinic.FoundCannotAsk, "", "429"},
		"down":              {503, ``, clinic.FoundCannotAsk, "", "503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					t.Errorf("a look-up by %s", r.Method)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			c, err := New(Config{BaseURL: server.URL, AccountSID: "AC1", AuthToken: "token", From: "+15005550006", PublicURL: "https://clinic.test"})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Find(context.Background(), u); got.Class != tt.class || got.State != tt.state || got.Code != tt.code || got.Conclusive {
				t.Errorf("got %+v", got)
			}
		})
	}
}
