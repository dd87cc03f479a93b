package twilio

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
	"countersign/internal/sandbox"
)

// world is a sandbox on a real socket, an account in it, and where its callbacks arrive.
type world struct {
	client  *Client
	address string
	app     string
	hooks   chan hook
}

type hook struct {
	request *http.Request
	raw     []byte
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{hooks: make(chan hook, 16)}
	app := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		w.hooks <- hook{r, raw}
	}))
	t.Cleanup(app.Close)
	w.app = app.URL
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = "http://" + listener.Addr().String()
	s, err := sandbox.Open(sandbox.Options{BaseURL: app.URL, PublicURL: w.address, Dir: t.TempDir(), CallbackDelay: -1, ModelDelay: -1})
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
	w.client, err = New(Config{BaseURL: settings["TWILIO_BASE_URL"], AccountSID: settings["TWILIO_ACCOUNT_SID"], AuthToken: settings["TWILIO_AUTH_TOKEN"],
		From: settings["TWILIO_FROM"], PublicURL: app.URL, Timeout: 3 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) faults(t *testing.T, list string) {
	t.Helper()
	resp, err := http.Post(w.address+"/faults", "application/json", strings.NewReader(`{"twilio":`+list+`}`))
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

func (w *world) parcel(to string) *clinic.Parcel {
	id := uuid.Must(uuid.NewV7())
	return &clinic.Parcel{DeliveryID: id, Attempt: 1, Kind: "notice", Channel: "sms", To: clinic.Text(to),
		Body:        "You have a new message from Riverside. Read it: https://clinic.test/m/token Reply STOP to opt out",
		CallbackURL: w.app + "/webhooks/twilio/" + id.String(), StartBy: time.Now().Add(15 * time.Second), NotAfter: time.Now().Add(72 * time.Hour)}
}

func TestSendIsWhatArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.parcel("+14155550132")
	got := w.client.Send(context.Background(), p)
	if got.Class != clinic.OutcomeAccepted || !strings.HasPrefix(got.ProviderID, "SM") || got.Code != "" {
		t.Fatalf("got %+v", got)
	}
	entries := w.log(t)
	if len(entries) != 1 {
		t.Fatalf("%d texts were accepted", len(entries))
	}
	if e := entries[0]; e.Delivery != p.DeliveryID.String() || e.Recipient != "+14155550132" || e.Body != p.Body.Reveal() || e.ID != got.ProviderID {
		t.Errorf("not what was sent: %+v", e)
	}
}

// The form as it goes out: a number or a messaging service, and a validity that ends with the notice's own.
func TestForm(t *testing.T) {
	t.Parallel()
	now := time.Now()
	tests := map[string]struct {
		from     string
		notAfter time.Time
		field    string
		seconds  int
	}{
		"a number, three days":  {"+15005550006", now.Add(72 * time.Hour), "From", 36_000},
		"a service, four hours": {"MG0123456789abcdef0123456789abcdef", now.Add(4 * time.Hour), "MessagingServiceSid", 14_400},
		"no end":                {"+15005550006", time.Time{}, "From", 36_000},
		"over":                  {"+15005550006", now.Add(-time.Hour), "From", 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := New(Config{BaseURL: "https://api.twilio.test", AccountSID: "AC1", AuthToken: "token", From: tt.from, PublicURL: "https://clinic.test"})
			if err != nil {
				t.Fatal(err)
			}
			params := c.compose(&clinic.Parcel{To: "+14155550132", Body: "notice", NotAfter: tt.notAfter, CallbackURL: "https://clinic.test/webhooks/twilio/1"}, now)
			if got := *params.ValidityPeriod; got != tt.seconds {
				t.Errorf("valid for %d s, want %d", got, tt.seconds)
			}
			if (params.From != nil) != (tt.field == "From") || (params.MessagingServiceSid != nil) != (tt.field == "MessagingServiceSid") {
				t.Errorf("the sender is not in %s", tt.field)
			}
		})
	}
}

// The rows of the table that the sandbox can act out. The log says what the provider really took.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	const mobile = "+14155550132"
	tests := map[string]struct {
		faults, to  string
		class, code string
		after       time.Duration
		accepted    int
	}{
		"credentials":        {`[{"kind":"401","probability":1}]`, mobile, clinic.OutcomeNotSent, "20003", 0, 0},
		"forbidden":          {`[{"kind":"403","probability":1}]`, mobile, clinic.OutcomeNotSent, "20006", 0, 0},
		"slow down for ever": {`[{"kind":"429","probability":1,"retry_after":86400}]`, mobile, clinic.OutcomeNotSent, "20429", time.Hour, 0},
		"sent elsewhere":     {`[{"kind":"302","probability":1}]`, mobile, clinic.OutcomeUnknown, "302", 0, 0},
		"connection closed":  {`[{"kind":"refuse","probability":1}]`, mobile, clinic.OutcomeUnknown, "reset", 0, 0},
		"reset, not taken":   {`[{"kind":"reset-before-headers","probability":1}]`, mobile, clinic.OutcomeUnknown, "reset", 0, 0},
		"slow down":          {`[{"kind":"429","probability":1,"retry_after":5}]`, mobile, clinic.OutcomeNotSent, "20429", 5 * time.Second, 0},
		"bad number":         {`[]`, "+15005550001", clinic.OutcomeFailed, "21211", 0, 0},
		"unreachable sender": {`[]`, "+15005550002", clinic.OutcomeFailed, "21612", 0, 0},
		"region off":         {`[]`, "+15005550003", clinic.OutcomeFailed, "21408", 0, 0},
		"opted out":          {`[]`, "+15005550004", clinic.OutcomeFailed, "21610", 0, 0},
		"not a mobile":       {`[]`, "+15005550009", clinic.OutcomeFailed, "21614", 0, 0},
		"500":                {`[{"kind":"500","probability":1}]`, mobile, clinic.OutcomeUnknown, "20500", 0, 0},
		"503, and taken":     {`[{"kind":"503","probability":1,"accept":true}]`, mobile, clinic.OutcomeUnknown, "20503", 0, 1},
		"reset, and taken":   {`[{"kind":"reset-after-headers","probability":1}]`, mobile, clinic.OutcomeUnknown, "reset", 0, 1},
		"unreadable":         {`[{"kind":"unreadable-2xx","probability":1}]`, mobile, clinic.OutcomeUnknown, CodeUnreadable, 0, 1},
		"silence, and taken": {`[{"kind":"timeout","probability":1}]`, mobile, clinic.OutcomeUnknown, "timeout", 0, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.faults(t, tt.faults)
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			got := w.client.Send(ctx, w.parcel(tt.to))
			if got.Class != tt.class || got.Code != tt.code || got.RetryAfter != tt.after {
				t.Errorf("got %+v, want %s %s", got, tt.class, tt.code)
			}
			if n := len(w.log(t)); n != tt.accepted {
				t.Errorf("the provider took %d, want %d", n, tt.accepted)
			}
		})
	}
}

// Answers that the sandbox does not give.
func TestRareAnswers(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		status      int
		body        string
		class, code string
	}{
		"failed at once":         {201, `{"sid":"SM1","status":"failed","error_code":30008}`, clinic.OutcomeFailed, "30008"},
		"no sid":                 {201, `{"status":"queued"}`, clinic.OutcomeUnknown, CodeUnreadable},
		"the day's limit":        {400, `{"code":63038,"status":400,"message":"x"}`, clinic.OutcomeNotSent, "63038"},
		"the hour's limit":       {429, `{"code":60728,"status":429,"message":"x"}`, clinic.OutcomeNotSent, "60728"},
		"too fast to one number": {400, `{"code":14107,"status":400,"message":"x"}`, clinic.OutcomeNotSent, "14107"},
		"a full queue":           {400, `{"code":21611,"status":400,"message":"x"}`, clinic.OutcomeNotSent, "21611"},
		"a suspended account":    {403, `{"code":20005,"status":403,"message":"x"}`, clinic.OutcomeNotSent, "20005"},
		"a wrong service":        {404, `{"code":21701,"status":404,"message":"x"}`, clinic.OutcomeNotSent, "21701"},
		"no such account":        {404, `{"code":20404,"status":404,"message":"x"}`, clinic.OutcomeNotSent, "20404"},
		"test credentials":       {403, `{"code":20008,"status":403,"message":"x"}`, clinic.OutcomeNotSent, "20008"},
		"a number without texts": {400, `{"code":21606,"status":400,"message":"x"}`, clinic.OutcomeNotSent, "21606"},
		"another's number":       {400, `{"code":21660,"status":400,"message":"x"}`, clinic.OutcomeNotSent, "21660"},
		"region off, forbidden":  {403, `{"code":21408,"status":403,"message":"x"}`, clinic.OutcomeFailed, "21408"},
		"opted out, forbidden":   {403, `{"code":21610,"status":403,"message":"x"}`, clinic.OutcomeFailed, "21610"},
		"trial account":          {400, `{"code":21608,"status":400,"message":"x"}`, clinic.OutcomeFailed, "21608"},
		"landline":               {400, `{"code":21635,"status":400,"message":"x"}`, clinic.OutcomeFailed, "21635"},
		"401 without a number":   {401, ``, clinic.OutcomeNotSent, "401"},
		"403 with a new number":  {403, `{"code":20107,"status":403,"message":"x"}`, clinic.OutcomeNotSent, "20107"},
		"429 within a 503":       {503, `{"code":20429,"status":503,"message":"x"}`, clinic.OutcomeUnknown, "20429"},
		"20500 with a 4xx":       {400, `{"code":20500,"status":400,"message":"x"}`, clinic.OutcomeUnknown, "20500"},
		"20429 with another 4xx": {400, `{"code":20429,"status":400,"message":"x"}`, clinic.OutcomeNotSent, "20429"},
		"4xx without a number":   {404, `<html>`, clinic.OutcomeFailed, "404"},
		"5xx without a number":   {502, `<html>`, clinic.OutcomeUnknown, "502"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			}))
			t.Cleanup(server.Close)
			c, err := New(Config{BaseURL: server.URL, AccountSID: "AC1", AuthToken: "token", From: "+15005550006", PublicURL: "https://clinic.test"})
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Send(context.Background(), &clinic.Parcel{To: "+14155550132", Body: "notice"}); got.Class != tt.class || got.Code != tt.code {
				t.Errorf("got %+v, want %s %s", got, tt.class, tt.code)
			}
		})
	}
	t.Run("credentials that the library refuses", func(t *testing.T) {
		t.Parallel()
		c, err := New(Config{BaseURL: "http://nobody.invalid", AccountSID: "AC1", AuthToken: "to-ken", From: "+15005550006"})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Send(context.Background(), &clinic.Parcel{To: "+14155550132", Body: "notice"}); got.Class != clinic.OutcomeNotSent {
			t.Errorf("nothing went out, but it is %+v", got)
		}
	})
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
		c, err := New(Config{BaseURL: tt.address, AccountSID: "AC1", AuthToken: "token", From: "+15005550006"})
		if err != nil {
			t.Fatal(err)
		}
		p := w.parcel("+14155550132")
		p.StartBy = tt.startBy
		if got := c.Send(tt.ctx, p); got.Class != clinic.OutcomeNotSent || got.Code != tt.code {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if n := len(w.log(t)); n != 0 {
		t.Errorf("the provider took %d", n)
	}
}

// What the sandbox calls back with is verified for the public address and becomes receipts.
func TestReceiptsFromTheSandbox(t *testing.T) {
	t.Parallel()
	for to, states := range map[string][]string{"+14155550132": {"sent", "delivered"}, "+14155550004": {"sent", "undelivered"}} {
		t.Run(states[1], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.parcel(to)
			sent := w.client.Send(context.Background(), p)
			keys := map[string]bool{}
			for _, state := range states {
				h := <-w.hooks
				got, err := w.client.Receipts(h.request, h.raw, p.DeliveryID)
				if err != nil || len(got) != 1 {
					t.Fatalf("%v, %d receipts", err, len(got))
				}
				r := got[0]
				if r.State != state || r.DeliveryID != p.DeliveryID || r.ProviderID != sent.ProviderID || (r.Code == "30005") != (state == "undelivered") {
					t.Errorf("got %+v, want %s", r, state)
				}
				keys[r.EventKey] = true
				form, _ := url.ParseQuery(string(h.raw))
				form.Set("MessageStatus", "failed")
				if _, err := w.client.Receipts(h.request, []byte(form.Encode()), p.DeliveryID); clinic.KindOf(err) != clinic.Forbidden {
					t.Errorf("a changed form is %v", err)
				}
			}
			if len(keys) != 2 {
				t.Error("two reports have one key")
			}
		})
	}
}
