package sendgrid

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/sandbox"
)

// world is a sandbox on a real socket, an account in it, and where its webhooks arrive.
type world struct {
	client  *Client
	address string
	hooks   chan hook
}

type hook struct {
	request *http.Request
	raw     []byte
}

func newWorld(t *testing.T) *world { t.Helper(); return newWorldShowing(t, -1) }

// newWorldShowing has mails show in the Email Activity after a while.
func newWorldShowing(t *testing.T, after time.Duration) *world {
	t.Helper()
	w := &world{hooks: make(chan hook, 16)}
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		w.hooks <- hook{r, raw}
	}))
	t.Cleanup(app.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = "http://" + listener.Addr().String()
	s, err := sandbox.Open(sandbox.Options{BaseURL: app.URL, PublicURL: w.address, Dir: t.TempDir(), CallbackDelay: -1, ModelDelay: -1, ActivityDelay: after})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: s.Handler()}
	go server.Serve(listener)
	t.Cleanup(func() {
		server.Close()
		s.Close(context.Background())
	})
	settings := s.Settings()
	w.client, err = New(Config{BaseURL: settings["SENDGRID_BASE_URL"], APIKey: settings["SENDGRID_API_KEY"], From: settings["MAIL_FROM"],
		FromName: settings["MAIL_FROM_NAME"], WebhookKeys: []string{settings["SENDGRID_WEBHOOK_KEY"]}, Timeout: 3 * time.Second, Activity: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) faults(t *testing.T, list string) {
	t.Helper()
	resp, err := http.Post(w.address+"/faults", "application/json", strings.NewReader(`{"sendgrid":`+list+`}`))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal("faults were not taken:", err)
	}
	resp.Body.Close()
}

func (w *world) log(t *testing.T) []sandbox.Entry {
	t.Helper()
	resp, err := http.Get(w.address + "/log")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var entries []sandbox.Entry
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		var e sandbox.Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	return entries
}

func parcel(to string) *clinic.Parcel {
	return &clinic.Parcel{DeliveryID: uuid.Must(uuid.NewV7()), Attempt: 2, Kind: "notice", Channel: "email", To: clinic.Text(to),
		Subject: "You have a new message from Riverside", StopURL: "https://clinic.test/m/token/stop",
		Body:    "You have a new message from Riverside. Read it: https://clinic.test/m/token\n\nTom & <Jerry>",
		StartBy: time.Now().Add(15 * time.Second), NotAfter: time.Now().Add(time.Hour)}
}

func TestSendIsWhatArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := parcel("rosa@mail.example")
	got := w.client.Send(context.Background(), p)
	if got.Class != clinic.OutcomeAccepted || got.ProviderID == "" || got.Code != "" {
		t.Fatalf("got %+v", got)
	}
	entries := w.log(t)
	if len(entries) != 1 {
		t.Fatalf("%d mails were accepted", len(entries))
	}
	e := entries[0]
	if e.Delivery != p.DeliveryID.String() || e.Args["a"] != "2" || len(e.Args) != 2 {
		t.Errorf("arguments are %v", e.Args)
	}
	if e.Recipient != "rosa@mail.example" || e.Body != p.Body.Reveal() || e.Subject != p.Subject || e.ID != got.ProviderID {
		t.Errorf("not what was sent: %+v", e)
	}
	if e.Headers["List-Unsubscribe"] != "<"+p.StopURL+">" || e.Headers["List-Unsubscribe-Post"] != "List-Unsubscribe=One-Click" {
		t.Errorf("headers are %v", e.Headers)
	}
	if !strings.Contains(e.HTML, `<a href="https://clinic.test/m/token">`) || !strings.Contains(e.HTML, "Tom &amp; &lt;Jerry&gt;") {
		t.Errorf("HTML is %s", e.HTML)
	}
	for _, remote := range []string{"src=", "<img", "<link", "url(", "@import"} {
		if strings.Contains(e.HTML, remote) {
			t.Errorf("the HTML part loads something: %s", remote)
		}
	}
}

// Everything that would follow the reader is off in every mail, whatever the account's settings are.
func TestNothingFollowsTheReader(t *testing.T) {
	t.Parallel()
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		if r.Header.Get("Idempotency-Key") != "" {
			t.Error("an idempotency key makes a POST repeatable")
		}
		w.Header().Set("X-Message-Id", "abc.filter0001")
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(server.Close)
	c, err := New(Config{BaseURL: server.URL, APIKey: "key", From: "messages@clinic.test"})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Send(context.Background(), parcel("rosa@mail.example")); got.ProviderID != "abc" {
		t.Errorf("got %+v", got)
	}
	var sent struct {
		Personalizations []json.RawMessage `json:"personalizations"`
		Tracking         map[string]struct {
			Enable *bool `json:"enable"`
		} `json:"tracking_settings"`
	}
	if err := json.Unmarshal(body, &sent); err != nil || len(sent.Personalizations) != 1 {
		t.Fatalf("%v, %d personalisations", err, len(sent.Personalizations))
	}
	for _, name := range []string{"click_tracking", "open_tracking", "subscription_tracking", "ganalytics"} {
		if on := sent.Tracking[name].Enable; on == nil || *on {
			t.Errorf("%s is not off", name)
		}
	}
}

// The rows of the table that the sandbox can act out. The log says what the provider really took.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		faults, to  string
		class, code string
		after       time.Duration
		accepted    int
	}{
		"connection refused": {`[{"kind":"refuse","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, "reset", 0, 0},
		"credentials":        {`[{"kind":"401","probability":1}]`, "a@mail.example", clinic.OutcomeNotSent, "401", 0, 0},
		"forbidden":          {`[{"kind":"403","probability":1}]`, "a@mail.example", clinic.OutcomeNotSent, "403", 0, 0},
		"slow down for ever": {`[{"kind":"429","probability":1,"retry_after":86400}]`, "a@mail.example", clinic.OutcomeNotSent, "429", time.Hour, 0},
		"sent elsewhere":     {`[{"kind":"302","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, "302", 0, 0},
		"slow down":          {`[{"kind":"429","probability":1,"retry_after":9}]`, "a@mail.example", clinic.OutcomeNotSent, "429", 9 * time.Second, 0},
		"bad address":        {`[]`, "not an address", clinic.OutcomeFailed, CodeBadAddress, 0, 0},
		"500":                {`[{"kind":"500","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, "500", 0, 0},
		"503, and taken":     {`[{"kind":"503","probability":1,"accept":true}]`, "a@mail.example", clinic.OutcomeUnknown, "503", 0, 1},
		"reset, and taken":   {`[{"kind":"reset-after-headers","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, "reset", 0, 1},
		"reset, not taken":   {`[{"kind":"reset-before-headers","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, "reset", 0, 0},
		"unreadable":         {`[{"kind":"unreadable-2xx","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, CodeUnreadable, 0, 1},
		"silence, and taken": {`[{"kind":"timeout","probability":1}]`, "a@mail.example", clinic.OutcomeUnknown, "timeout", 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(t, tt.faults)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			got := w.client.Send(ctx, parcel(tt.to))
			if got.Class != tt.class || got.Code != tt.code || got.RetryAfter != tt.after {
				t.Errorf("got %+v, want %s %s", got, tt.class, tt.code)
			}
			if n := len(w.log(t)); n != tt.accepted {
				t.Errorf("the provider took %d, want %d", n, tt.accepted)
			}
		})
	}
}

// What never reached the provider, over a real socket where there is one.
func TestOutcomesBeforeTheHeaders(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refused := "http://" + listener.Addr().String()
	listener.Close()
	w := newWorld(t)
	over, cancel := context.WithCancel(context.Background())
	cancel()
	for name, tt := range map[string]struct {
		ctx     context.Context
		address string
		startBy time.Time
		code    string
	}{
		"refused connection":          {context.Background(), refused, time.Time{}, "unreachable"},
		"unknown name":                {context.Background(), "http://nobody.invalid", time.Time{}, "dns"},
		"deadline before the headers": {over, w.address, time.Time{}, "before_headers"},
		"start window over":           {context.Background(), w.address, time.Now().Add(-time.Second), "start_window"},
	} {
		c, err := New(Config{BaseURL: tt.address, APIKey: "key", From: "messages@clinic.test"})
		if err != nil {
			t.Fatal(err)
		}
		p := parcel("a@mail.example")
		p.StartBy = tt.startBy
		if got := c.Send(tt.ctx, p); got.Class != clinic.OutcomeNotSent || got.Code != tt.code {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if n := len(w.log(t)); n != 0 {
		t.Errorf("the provider took %d", n)
	}
}

// Answers that the sandbox does not give.
func TestRareAnswers(t *testing.T) {
	t.Parallel()
	soon, week := strconv.FormatInt(time.Now().Add(time.Minute).Unix(), 10), strconv.FormatInt(time.Now().Add(7*24*time.Hour).Unix(), 10)
	for name, tt := range map[string]struct {
		status      int
		body        string
		header      string // X-RateLimit-Reset
		class, code string
		after       bool
	}{
		"400 about something else":  {400, `{"errors":[{"field":"subject","message":"x"}]}`, "", clinic.OutcomeFailed, "400", false},
		"400 about the address":     {400, `{"errors":[{"field":"personalizations.0.to.0.email","message":"x"}]}`, "", clinic.OutcomeFailed, CodeBadAddress, false},
		"400 that cannot be read":   {400, `<html>`, "", clinic.OutcomeFailed, "400", false},
		"401, credit used up":       {401, `{"errors":[{"message":"Maximum credits exceeded","field":null,"help":null}]}`, "", clinic.OutcomeNotSent, CodeCredits, false},
		"403, unknown sender":       {403, `{"errors":[{"message":"The from address does not match a verified Sender Identity. Mail cannot be sent until this error is resolved."}]}`, "", clinic.OutcomeNotSent, CodeSender, false},
		"404":                       {404, ``, "", clinic.OutcomeFailed, "404", false},
		"405":                       {405, ``, "", clinic.OutcomeFailed, "405", false},
		"413":                       {413, `{"errors":[{"message":"x"}]}`, "", clinic.OutcomeFailed, "413", false},
		"415":                       {415, `{"errors":[{"message":"x"}]}`, "", clinic.OutcomeFailed, "415", false},
		"451, another region":       {451, ``, "", clinic.OutcomeFailed, "451", false},
		"429 in its own way":        {429, `{"errors":[{"message":"too many requests"}]}`, soon, clinic.OutcomeNotSent, "429", true},
		"429 for a week":            {429, ``, week, clinic.OutcomeNotSent, "429", true},
		"429 that makes no sense":   {429, ``, "soon", clinic.OutcomeNotSent, "429", false},
		"202 without an id":         {202, ``, "", clinic.OutcomeUnknown, CodeUnreadable, false},
		"502 of a proxy in between": {502, `<html>`, soon, clinic.OutcomeUnknown, "502", false},
		"301":                       {301, ``, "", clinic.OutcomeUnknown, "301", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if tt.header != "" {
					w.Header().Set("X-RateLimit-Reset", tt.header)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			c, err := New(Config{BaseURL: server.URL, APIKey: "key", From: "messages@clinic.test"})
			if err != nil {
				t.Fatal(err)
			}
			got := c.Send(context.Background(), parcel("a@mail.example"))
			if got.Class != tt.class || got.Code != tt.code || (got.RetryAfter > 0) != tt.after || got.RetryAfter > time.Minute && (got.RetryAfter != time.Hour || tt.header != week) {
				t.Errorf("got %+v, want %s %s", got, tt.class, tt.code)
			}
		})
	}
}

// What the sandbox posts is verified on the raw bytes and becomes receipts; one changed byte and it is a forgery.
func TestReceiptsFromTheSandbox(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		to     string
		states []string
		code   string
	}{
		"delivered": {"rosa@mail.example", []string{"in_transit", "delivered"}, ""},
		"bounced":   {"bounce@mail.example", []string{"in_transit", "undelivered"}, "bounce"},
		"dropped":   {"drop@mail.example", []string{"undelivered"}, "dropped_bounced"},
		"deferred":  {"defer@mail.example", []string{"in_transit", "in_transit", "delivered"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := parcel(tt.to)
			sent := w.client.Send(context.Background(), p)
			var last clinic.Receipt
			for _, state := range tt.states {
				h := <-w.hooks
				got, err := w.client.Receipts(h.request, h.raw, uuid.Nil)
				if err != nil || len(got) != 1 {
					t.Fatalf("%v, %d receipts", err, len(got))
				}
				last = got[0]
				if last.State != state || last.DeliveryID != p.DeliveryID || last.ProviderID != sent.ProviderID || last.EventKey == "" || last.Provider != "sendgrid" {
					t.Errorf("got %+v, want %s", last, state)
				}
				forged := bytes.Replace(h.raw, []byte("rosa"), []byte("rosb"), 1)
				forged = append(bytes.TrimSuffix(forged, []byte("]")), []byte(" ]")...)
				if _, err := w.client.Receipts(h.request, forged, uuid.Nil); clinic.KindOf(err) != clinic.Forbidden {
					t.Errorf("a changed body is %v", err)
				}
			}
			if last.Code != tt.code {
				t.Errorf("code is %q", last.Code)
			}
		})
	}
}
