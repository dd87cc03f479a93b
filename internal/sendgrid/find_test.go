package sendgrid

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// unknown is what a look-up gets of a parcel that was tried just now.
func unknown(p *clinic.Parcel) clinic.Unknown {
	return clinic.Unknown{DeliveryID: p.DeliveryID, Attempt: p.Attempt, Channel: p.Channel, To: p.To, Body: p.Body, Since: time.Now(), Until: time.Now()}
}

// Without the paid extra nobody is asked, and saying so is never taken for «not there».
func TestFindIsOffUnlessTheAccountHasIt(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(server.Close)
	for name, tt := range map[string]struct {
		on      bool
		channel string
	}{"off": {false, "email"}, "an SMS": {true, "sms"}} {
		c, err := New(Config{BaseURL: server.URL, APIKey: "key", From: "a@clinic.test", Activity: tt.on})
		if err != nil {
			t.Fatal(err)
		}
		got := c.Find(context.Background(), clinic.Unknown{Channel: tt.channel, To: "a@mail.example", Body: "x"})
		if got != (clinic.Found{Class: clinic.FoundCannotAsk, Provider: "sendgrid", Code: findOff}) || asked.Load() != 0 {
			t.Errorf("%s: got %+v after %d requests", name, got, asked.Load())
		}
	}
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
			p := parcel("rosa@mail.example")
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if got := w.client.Send(ctx, p); got.Class != clinic.OutcomeUnknown {
				t.Fatalf("the send is %+v", got)
			}
			w.faults(t, `[]`)
			got := w.client.Find(context.Background(), unknown(p))
			if got.Conclusive || got.Provider != "sendgrid" || (got.Class == clinic.FoundAccepted) != tt.taken || !tt.taken && got.Class != clinic.FoundNothing {
				t.Fatalf("found %+v", got)
			}
			if log := w.log(t); tt.taken && (len(log) != 1 || got.ProviderID != log[0].ID) || !tt.taken && len(log) != 0 {
				t.Errorf("found %+v, and the provider took %+v", got, log)
			}
		})
	}
}

// What was taken shows after a while only; until then it is not found, and that is not conclusive. Another delivery's
// mail to the same address is never mistaken for it.
func TestFindMayComeTooEarly(t *testing.T) {
	t.Parallel()
	w := newWorldShowing(t, time.Hour)
	p := parcel("rosa@mail.example")
	if got := w.client.Send(context.Background(), p); got.Class != clinic.OutcomeAccepted {
		t.Fatalf("the send is %+v", got)
	}
	if got := w.client.Find(context.Background(), unknown(p)); got != (clinic.Found{Class: clinic.FoundNothing, Provider: "sendgrid"}) {
		t.Errorf("found %+v", got)
	}
	w = newWorld(t)
	if got := w.client.Send(context.Background(), p); got.Class != clinic.OutcomeAccepted {
		t.Fatalf("the send is %+v", got)
	}
	other := unknown(p)
	other.DeliveryID = uuid.Must(uuid.NewV7())
	if got := w.client.Find(context.Background(), other); got.Class != clinic.FoundNothing || got.Conclusive {
		t.Errorf("another delivery's mail: %+v", got)
	}
}

// What became of a mail is found with it, once it is known.
func TestFindSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	for to, want := range map[string]struct {
		hooks       int
		state, code string
	}{
		"rosa@mail.example":   {2, "delivered", ""},
		"bounce@mail.example": {2, "undelivered", "not_delivered"},
		"drop@mail.example":   {1, "undelivered", "not_delivered"},
	} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := parcel(to)
			sent := w.client.Send(context.Background(), p)
			for range want.hooks {
				<-w.hooks
			}
			if got := w.client.Find(context.Background(), unknown(p)); got.Class != clinic.FoundAccepted || got.ProviderID != sent.ProviderID || got.State != want.state || got.Code != want.code {
				t.Errorf("found %+v of %+v", got, sent)
			}
		})
	}
}

// Of two attempts' mails the one that came furthest counts, and an answer that says nothing has found nothing out. The
// address of a look-up holds our own id and nobody's e-mail address.
func TestFindAnswers(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		status             int
		body               string
		class, state, code string
	}{
		"two attempts":    {200, `{"messages":[{"msg_id":"b.1","status":"not_delivered"},{"msg_id":"a.1","status":"delivered"},{"msg_id":"c.1","status":"processed"}]}`, clinic.FoundAccepted, "delivered", ""},
		"on its way":      {200, `{"messages":[{"msg_id":"a.1","status":"processed"}]}`, clinic.FoundAccepted, "in_transit", ""},
		"a new word":      {200, `{"messages":[{"msg_id":"a.1","status":"dreaming"}]}`, clinic.FoundAccepted, "", ""},
		"no id":           {200, `{"messages":[{"status":"delivered"}]}`, clinic.FoundNothing, "", ""},
		"none":            {200, `{"messages":[]}`, clinic.FoundNothing, "", ""},
		"no list":         {200, `{}`, clinic.FoundCannotAsk, "", CodeUnreadable},
		"unreadable":      {200, `<html>`, clinic.FoundCannotAsk, "", CodeUnreadable},
		"accepted?":       {202, `{"messages":[]}`, clinic.FoundCannotAsk, "", CodeUnreadable},
		"syntax":          {400, `{"errors":[{"message":"invalid syntax: 'd' is not a known field"}]}`, clinic.FoundCannotAsk, "", "400"},
		"credentials":     {401, `{"errors":[{"message":"x"}]}`, clinic.FoundCannotAsk, "", "401"},
		"no such extra":   {403, `{"errors":[{"message":"access forbidden"}]}`, clinic.FoundCannotAsk, "", "403"},
		"slow down":       {429, `{"errors":[{"message":"too many requests"}]}`, clinic.FoundCannotAsk, "", "429"},
		"down":            {503, ``, clinic.FoundCannotAsk, "", "503"},
		"a list in error": {500, `{"messages":[{"msg_id":"a.1","status":"delivered"}]}`, clinic.FoundCannotAsk, "", "500"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := uuid.Must(uuid.NewV7())
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				text, _ := url.QueryUnescape(r.URL.String())
				if r.Method != http.MethodGet || r.Header.Get("Authorization") != "Bearer key" || !strings.Contains(text, id.String()) || strings.ContainsAny(text, "@+") {
					t.Errorf("a look-up by %s %s", r.Method, text)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			c, err := New(Config{BaseURL: server.URL, APIKey: "key", From: "a@clinic.test", Activity: true})
			if err != nil {
				t.Fatal(err)
			}
			got := c.Find(context.Background(), clinic.Unknown{DeliveryID: id, Channel: "email", To: "rosa@mail.example", Body: "x"})
			if got.Class != tt.class || got.State != tt.state || got.Code != tt.code || got.Conclusive || got.Class == clinic.FoundAccepted && got.ProviderID != "a" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// Six look-ups a minute are made, so that the account's limit is not met, and the sandbox, which has it, refuses none.
func TestFindKeepsThePace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u := unknown(parcel("rosa@mail.example"))
	for n := range activityRate + 2 {
		got := w.client.Find(context.Background(), u)
		if n < activityRate && got.Class != clinic.FoundNothing || n >= activityRate && (got.Class != clinic.FoundCannotAsk || got.Code != findWait) {
			t.Errorf("look-up %d: %+v", n+1, got)
		}
	}
}

// Another process may have used the limit up: after a 429 nobody is asked until the time that it names.
func TestFindHonoursTooManyRequests(t *testing.T) {
	t.Parallel()
	for name, header := range map[string]func(http.Header){
		"Retry-After": func(h http.Header) { h.Set("Retry-After", "3600") },
		"X-RateLimit-Reset": func(h http.Header) {
			h.Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(time.Hour).Unix(), 10))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				header(w.Header())
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			t.Cleanup(server.Close)
			c, err := New(Config{BaseURL: server.URL, APIKey: "key", From: "a@clinic.test", Activity: true})
			if err != nil {
				t.Fatal(err)
			}
			u := clinic.Unknown{DeliveryID: uuid.Must(uuid.NewV7()), Channel: "email"}
			if first, second := c.Find(context.Background(), u), c.Find(context.Background(), u); first.Code != "429" || second.Code != findWait || asked.Load() != 1 {
				t.Errorf("%+v, then %+v, %d requests", first, second, asked.Load())
			}
		})
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	at := time.Now()
	for n := range activityRate {
		if !p.may(at.Add(time.Duration(n) * time.Second)) {
			t.Fatalf("look-up %d is refused", n+1)
		}
	}
	if p.may(at.Add(59 * time.Second)) {
		t.Error("a seventh within the minute")
	}
	if !p.may(at.Add(time.Minute)) || p.may(at.Add(time.Minute)) {
		t.Error("one more when the first is a minute old")
	}
	p.heard(at, 5*time.Minute)
	p.heard(at, time.Minute) // the longer wish holds
	if p.may(at.Add(5*time.Minute-time.Second)) || !p.may(at.Add(5*time.Minute)) {
		t.Error("an answer's wish is not kept")
	}
}
