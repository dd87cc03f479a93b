package road

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Redis away: the clinic goes on working, an approval is kept, and the notice goes out once Redis is back.
func TestRedisAway(t *testing.T) {
	t.Parallel()
	var redis *proxy
	h := open(t, through(t, &redis, "REDIS_URL"))
	id := h.submitted(h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", ""), "Ada Winter", "email")
	doctor := h.as("amara-osei")
	redis.set(true)
	h.waitFor("readyz to say that Redis is degraded", 10*time.Second, func() bool {
		status, body := h.client().get("/readyz")
		return status == http.StatusOK && strings.Contains(body, `"redis":"degraded"`)
	})
	status, _ := doctor.post("/reviews/"+id.String()+"/approve", url.Values{"version": {h.version(id)}})
	if status != http.StatusOK || h.state(id) != "queued" {
		t.Fatalf("an approval without Redis answered %d and left the delivery %q", status, h.state(id))
	}
	redis.set(false)
	h.waitFor("delivery after Redis is back", 30*time.Second, func() bool { return h.state(id) == "delivered" })
	if n := h.acceptedFor(id); n != 1 {
		t.Errorf("the provider took %d notices", n)
	}
}

// Postgres away: a plain 503 with a sentence, readyz 503, and recovery by itself.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	var postgres *proxy
	h := open(t, through(t, &postgres, "DATABASE_URL"))
	doctor := h.as("amara-osei")
	postgres.set(true)
	status, body := doctor.get("/")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be reached") {
		t.Errorf("without Postgres the worklist answers %d: %.300s", status, body)
	}
	if s := h.status("/readyz"); s != http.StatusServiceUnavailable {
		t.Errorf("readyz answers %d", s)
	}
	if s := h.status("/healthz"); s != http.StatusOK {
		t.Errorf("healthz answers %d", s)
	}
	postgres.set(false)
	h.waitFor("recovery", 20*time.Second, func() bool {
		s, _ := doctor.get("/")
		return s == http.StatusOK && h.status("/readyz") == http.StatusOK
	})
}

// Postgres hanging: it takes connections and says nothing. The page still comes, as a 503, and soon.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	var postgres *proxy
	h := open(t, through(t, &postgres, "DATABASE_URL"))
	doctor := h.as("amara-osei")
	release := postgres.hang()
	defer release()
	begun := time.Now()
	status, body := doctor.get("/")
	if took := time.Since(begun); status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot be reached") || took > 15*time.Second {
		t.Errorf("a hanging Postgres: %d after %s: %.300s", status, took, body)
	}
	release()
	h.waitFor("recovery", 20*time.Second, func() bool { s, _ := doctor.get("/"); return s == http.StatusOK })
}

// Two doctors approve at once: one wins, the other reads who did and when; one notice goes out.
func TestTwoDoctors(t *testing.T) {
	t.Parallel()
	h := open(t)
	patient := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "")
	h.exec("INSERT INTO care_team (patient_id, staff_id, clinic_id, since) VALUES ($1, $2, $3, now())", patient, h.actor("jonas-lindqvist").ID, h.actor("jonas-lindqvist").ClinicID)
	id := h.submitted(patient, "Ada Winter", "email")
	h.exec(`INSERT INTO acknowledgements SELECT message_id, clinic_id, finding_key, check_code, $2, at FROM acknowledgements WHERE message_id = $1`, id, h.actor("jonas-lindqvist").ID)
	doctors := []*client{h.as("amara-osei"), h.as("jonas-lindqvist")}
	version := h.version(id)
	var statuses [2]int
	var bodies [2]string
	var both sync.WaitGroup
	for i, d := range doctors {
		both.Go(func() {
			statuses[i], bodies[i] = d.post("/reviews/"+id.String()+"/approve", url.Values{"version": {version}})
		})
	}
	both.Wait()
	won, lost := 0, 1
	if statuses[0] != http.StatusOK {
		won, lost = 1, 0
	}
	if statuses[won] != http.StatusOK || statuses[lost] != http.StatusConflict {
		t.Fatalf("answers %v: one 200 and one 409 are due", statuses)
	}
	if !strings.Contains(bodies[lost], "changed this message at") || !strings.Contains(bodies[lost], []string{"Dr Amara Osei", "Dr Jonas Lindqvist"}[won]) {
		t.Errorf("the conflict should say who and when: %.600s", bodies[lost])
	}
	h.waitFor("delivery", 20*time.Second, func() bool { return h.state(id) == "delivered" })
	if n := h.acceptedFor(id); n != 1 {
		t.Errorf("the provider took %d notices", n)
	}
}

// The model down: the page says so and offers the button to write by hand, which works.
func TestModelDown(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.faults(`{"openai":[{"kind":"401","probability":1}]}`)
	patient := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "")
	b := newBrowser(t, true)
	b.signIn(h, "tom-reyes")
	b.visit(h.web + "/briefs/new?patient=" + patient.String())
	b.fill("#f-inquiry", "May I swim again after the ear infection?")
	b.fill("textarea[name=points]", "Yes, swimming is fine again")
	b.click("button[name=next][value=draft]", "/drafts/")
	b.until("the failure in words", func() bool { return strings.Contains(b.text("main"), "drafting model") })
	b.page("model-down")
	b.click("form[action$='/by-hand'] button")
	b.see("textarea[name=text]")
	if text := b.value("textarea[name=text]"); text != "Dear Ada Winter," {
		t.Errorf("by hand begins with a greeting and nothing else, got %q", text)
	}
}

// A provider that refuses is said in words on the message, and nothing is tried again.
func TestProviderRefuses(t *testing.T) {
	t.Parallel()
	h := open(t)
	id := h.submitted(h.patient("Ada Winter", "1950-01-02", "77001", "", "+1 500 555 0009"), "Ada Winter", "sms")
	doctor := h.as("amara-osei")
	if status, body := doctor.post("/reviews/"+id.String()+"/approve", url.Values{"version": {h.version(id)}}); status != http.StatusOK {
		t.Fatalf("approve answered %d: %.500s", status, body)
	}
	h.waitFor("the refusal", 20*time.Second, func() bool { return h.state(id) == "failed" })
	if _, body := doctor.get("/messages/" + id.String()); !strings.Contains(body, "The number is not a mobile number.") {
		t.Errorf("the message does not say why: %.3000s", body)
	}
	if _, body := doctor.get("/"); !strings.Contains(body, "not delivered") {
		t.Error("the worklist does not show the failed delivery")
	}
}

// Forged webhooks get 403 and change nothing; the true ones of the same form are taken.
func TestForgedWebhooks(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, path := range []string{"/webhooks/sendgrid", "/webhooks/twilio/" + uuid.NewString(), "/webhooks/twilio"} {
		req, err := http.NewRequest(http.MethodPost, h.web+path, bytes.NewBufferString("MessageStatus=delivered"))
		must(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("X-Twilio-Signature", "bm90IGEgc2lnbmF0dXJl")
		req.Header.Set("X-Twilio-Email-Event-Webhook-Signature", "MEUCIGHQVtGj-Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM-uOe5W0JuG-luQAbPIqHh89M15TluLtEZtM=")
		req.Header.Set("X-Twilio-Email-Event-Webhook-Timestamp", "1600112502")
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s answers %d to a forgery", path, resp.StatusCode)
		}
	}
	var n int // the second of a kind in a minute is counted; the security score's own look may be, too
	h.one(&n, `SELECT (SELECT count(*) FROM audit_events WHERE outcome = 'refused' AND actor_kind IN ('provider', 'nobody') AND deed IN ('delivery.receive', 'consent.reply')
			AND agent LIKE 'Go-http%') + (SELECT coalesce(sum(more), 0) FROM audit_refusals WHERE deed IN ('delivery.receive', 'consent.reply'))`)
	if n < 3 {
		t.Errorf("%d of 3 forgeries are on the audit trail", n)
	}
	h.one(&n, "SELECT count(*) FROM delivery_events WHERE received_at > now() - interval '1 minute' AND event_key = ''")
	if n != 0 {
		t.Error("a forged event was stored")
	}
}

// faults tells the sandbox how to misbehave.
func (h *house) faults(body string) {
	h.t.Helper()
	resp, err := http.Post(h.outside+"/faults", "application/json", strings.NewReader(body))
	must(h.t, err)
	_ = resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		h.t.Fatalf("the sandbox did not take the faults: %d", resp.StatusCode)
	}
}

// acceptedFor counts what the providers took for a message, over all its rounds.
func (h *house) acceptedFor(message uuid.UUID) (n int) {
	var ids []uuid.UUID
	h.one(&ids, "SELECT array_agg(id) FROM deliveries WHERE message_id = $1", message)
	for _, e := range h.accepted() {
		for _, id := range ids {
			if e.Delivery == id.String() {
				n++
			}
		}
	}
	return n
}

// SendGrid takes a notice, breaks off and loses its events. Nobody knows, so a person is asked; they press «It was sent» for
// one and «Send again» for another, and only the second goes out twice.
func TestNobodyKnows(t *testing.T) {
	t.Parallel()
	h := open(t, func(env map[string]string) {
		env["TIME_RECONCILE_EVERY"], env["TIME_LOOKUP_GRACE"], env["TIME_PROVIDER_TIMEOUT"] = "100ms", "500ms", "2s"
	})
	h.faults(`{"sendgrid":[{"kind":"reset-after-headers","probability":1},{"kind":"lost","probability":1}]}`)
	patient := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "")
	doctor, staff := h.as("amara-osei"), h.as("tom-reyes")
	b := newBrowser(t, true)
	b.signIn(h, "tom-reyes")
	for button, state := range map[string]string{"mark-sent": "accepted", "resend": "delivered"} {
		h.faults(`{"sendgrid":[{"kind":"reset-after-headers","probability":1},{"kind":"lost","probability":1}]}`)
		id := h.submitted(patient, "Ada Winter", "email")
		if status, body := doctor.post("/reviews/"+id.String()+"/approve", url.Values{"version": {h.version(id)}}); status != http.StatusOK {
			t.Fatalf("approve answered %d: %.500s", status, body)
		}
		h.waitFor("the question to a person", 20*time.Second, func() bool { return h.state(id) == "needs_person" })
		if n := h.acceptedFor(id); n != 1 {
			t.Fatalf("the provider took %d notices before anybody decided", n)
		}
		h.faults(`{"sendgrid":[]}`)
		if _, body := staff.get("/"); !strings.Contains(body, "decide") {
			t.Error("the worklist does not ask for a decision")
		}
		b.visit(h.web + "/messages/" + id.String())
		b.page("message-" + button)
		b.click("form[action$='/"+button+"'] button", "/messages/")
		h.waitFor("the end of "+button, 20*time.Second, func() bool { return h.state(id) == state })
		if n, want := h.acceptedFor(id), map[string]int{"mark-sent": 1, "resend": 2}[button]; n != want {
			t.Errorf("after %s the provider has taken %d notices, want %d", button, n, want)
		}
		b.until("the person's name on the timeline", func() bool { return strings.Contains(b.text("#message-timeline"), "Tom Reyes") })
	}
}
