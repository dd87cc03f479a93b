package web

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

func drainBody(r *http.Response) (string, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

// stamp takes what carries a header and refuses the rest. It stands for an adapter; the real ones are tested where they are.
type stamp struct{ receipts []clinic.Receipt }

var errForged = errors.New("forged")

func (s stamp) Receipts(r *http.Request, raw []byte, delivery uuid.UUID) ([]clinic.Receipt, error) {
	if r.Header.Get("Stamp") != "ok" {
		return nil, errForged
	}
	out := []clinic.Receipt{{Provider: "twilio", EventKey: string(raw), DeliveryID: delivery, ProviderID: "SM1", State: "delivered", At: time.Now()}}
	return append(out, s.receipts...), nil
}

func (s stamp) Reply(r *http.Request, raw []byte) (Reply, error) {
	if r.Header.Get("Stamp") != "ok" {
		return Reply{}, errForged
	}
	return Reply{ProviderID: "SM2", From: "+14155550441", Body: string(raw)}, nil
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *Config) { c.SendGrid, c.Twilio, c.Inbound = stamp{}, stamp{}, stamp{} })
	v := s.visitor(t)
	send := func(path, body, stamped string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("Stamp", stamped)
		r.Header.Set("Content-Type", "application/json")
		return v.do(r)
	}
	id := uuid.NewString()
	for _, path := range []string{"/webhooks/sendgrid", "/webhooks/twilio/" + id, "/webhooks/twilio"} {
		if got := send(path, "forged", ""); got.Code != http.StatusForbidden || got.Body.Len() != 0 {
			t.Errorf("%s forged: %d %s", path, got.Code, got.Body)
		}
	}
	if n := refusals(t, s.world, "signature"); n != 3 {
		t.Errorf("%d forgeries are on the trail, want 3", n)
	}
	if got := send("/webhooks/sendgrid", "one", "ok"); got.Code != http.StatusNoContent {
		t.Error(got.Code)
	}
	if got := send("/webhooks/twilio/"+id, "two", "ok"); got.Code != http.StatusNoContent {
		t.Error(got.Code)
	}
	if got := send("/webhooks/twilio", "hello", "ok"); got.Code != http.StatusOK || got.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
		t.Error(got.Code, got.Header())
	}
	if got := send("/webhooks/twilio/not-an-id", "x", "ok"); got.Code != http.StatusNotFound {
		t.Error(got.Code)
	}
	if got := send("/webhooks/sendgrid", strings.Repeat("x", webhookBytes+1), "ok"); got.Code != http.StatusRequestEntityTooLarge {
		t.Error(got.Code)
	}
	bare := newSite(t).visitor(t)
	if got := bare.post("/webhooks/sendgrid"); got.Code != http.StatusNotFound {
		t.Error("a provider that is not there:", got.Code)
	}
}

// stream opens /events on a real server and returns its status and lines.
func (v *visitor) stream(server *httptest.Server, names string) (int, *bufio.Scanner) {
	v.t.Helper()
	r, err := http.NewRequest(http.MethodGet, server.URL+"/events?names="+names, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	got, err := server.Client().Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { _ = got.Body.Close() })
	if got.StatusCode == 200 && (got.Header.Get("Content-Type") != "text/event-stream" || got.Header.Get("Content-Encoding") != "") {
		v.t.Errorf("not a plain stream: %v", got.Header)
	}
	return got.StatusCode, bufio.NewScanner(got.Body)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	message := s.world.Submitted(t, s.world.Patient, "email").String()
	mine, wide := "message-"+message, "worklist-"+s.world.ClinicID.String()
	staff := s.as(t, s.world.Staff)
	code, lines := staff.stream(server, mine+","+wide)
	if code != 200 || !lines.Scan() || lines.Text() != "retry: 2000" {
		t.Fatal(code, lines.Text())
	}
	s.hub.ring(mine)
	said := ""
	for lines.Scan() && !strings.HasPrefix(said, "event") {
		said += lines.Text()
	}
	if said != "event: "+mine {
		t.Fatal(said)
	}
	for _, test := range []struct {
		who   *visitor
		names string
		want  int
	}{
		{s.as(t, s.world.Doctor2), mine, 404}, // not on the care team
		{s.as(t, s.world.Ops), mine, 404},
		{staff, mine + ",worklist-" + uuid.NewString(), 404}, // another clinic
		{staff, "message-" + uuid.NewString(), 404},
		{staff, "everything", 404}, {staff, "", 404}, {staff, mine + "%0aevent:x", 404},
		{staff, strings.Repeat(wide+",", 20) + wide, 400},
		{s.visitor(t), wide, 401},
	} {
		if code, _ := test.who.stream(server, test.names); code != test.want {
			t.Errorf("%s: %d, want %d", test.names, code, test.want)
		}
	}
}

// A stream is no activity, and it hears that the sign-in is over.
func TestEventsEndWithTheSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	v := s.as(t, s.world.Staff)
	c := &call{}
	r := httptest.NewRequest(http.MethodGet, "/events", nil)
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	c.Context = s.echo.NewContext(r, httptest.NewRecorder())
	if !s.stillSignedIn(c) {
		t.Fatal("signed out at once")
	}
	s.world.Clock.Add(14 * time.Minute)
	if !s.stillSignedIn(c) {
		t.Fatal("signed out too early")
	}
	s.world.Clock.Add(2 * time.Minute)
	if s.stillSignedIn(c) {
		t.Fatal("a stream kept the session alive")
	}
	r.Header.Set("Cookie", "CF_Authorization=forged; "+sessionCookie+"="+v.cookies[sessionCookie])
	if s.stillSignedIn(c) {
		t.Fatal("a bad assertion kept the stream alive")
	}
}
