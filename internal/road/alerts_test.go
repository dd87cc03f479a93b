package road

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"countersign/internal/clinic"
	"countersign/internal/clinictest"
	"countersign/internal/sandbox"
)

const alertSecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// pager is what operators have outside: a webhook that believes what is signed, and a dead man's switch.
type pager struct {
	*httptest.Server
	mu    sync.Mutex
	calls []string
	beats int
}

func newPager(t *testing.T) *pager {
	t.Helper()
	key, err := base64.StdEncoding.DecodeString(alertSecret)
	must(t, err)
	p := &pager{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.URL.Path == "/beat" {
			p.beats++
			return
		}
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		if r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p.calls = append(p.calls, string(body))
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *pager) heard(words ...string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.calls, func(call string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(call, word) })
	})
}

// An administrator pauses a channel, and that is an alert: people hear of it by Sentry, mail and webhook, it is on the page and in
// the navigation of operators, who say that they are at it and silence it; it is over when the channel goes on, and they hear that
// too. Meanwhile each evaluation is a beat and a check-in, and requests and tasks are traced.
func TestAlertsAreTold(t *testing.T) { // alone: a process reports to one Sentry, and each house that opens takes it over
	out := newPager(t)
	key, _, _ := clinictest.LedgerKey(t)
	h := open(t, func(env map[string]string) {
		env["LEDGER_KEY"], env["BLOB_URL"] = key, "file://"+t.TempDir()
		env["ALERT_EMAIL"], env["ALERT_WEBHOOK_URL"], env["ALERT_WEBHOOK_SECRET"] = "on-call@riverside.example", out.URL+"/hook", "whsec_"+alertSecret
		env["HEARTBEAT_URL"], env["SENTRY_TRACES"], env["TIME_ALERT_EVERY"], env["TIME_RECONCILE_EVERY"] = out.URL+"/beat", "1", "500ms", "500ms"
	})
	admin, ops := newBrowser(t, true), newBrowser(t, true)
	ops.signIn(h, "kenji-watts")
	ops.visit(h.web + "/alerts")
	ops.page("alerts-before")
	admin.signIn(h, "ruth-ebbing")
	admin.visit(h.web + "/status")
	admin.click("form[action='/breakers/sms/open'] button")
	ops.until("the alert, without a reload", func() bool { return strings.Contains(ops.text("#alert-live"), "A channel is paused") })
	h.waitFor("the webhook", 30*time.Second, func() bool { return out.heard("alert.fired", `"rule":"breaker_open"`, `"subject":"sms"`) })
	h.waitFor("the mail", 30*time.Second, func() bool { return strings.Contains(h.sandboxSays("/log"), "Alert: A channel is paused") })
	ops.visit(h.web + "/alerts")
	ops.page("alerts-firing")
	if !strings.Contains(ops.text("nav"), "firing") {
		t.Error("the navigation does not count the alert")
	}
	ops.fill("#alert-live form[action$='/acknowledge'] input[name=note]", "Asked the carrier.")
	ops.click("#alert-live form[action$='/acknowledge'] button")
	ops.until("it is acknowledged", func() bool { return strings.Contains(ops.text("main"), "Asked the carrier.") })
	ops.page("alerts-acknowledged")
	ops.click("#alert-live form[action$='/silence'] button")
	ops.until("it is silenced", func() bool { return strings.Contains(ops.text("main"), "End the silence") })
	ops.page("alerts-silenced")
	admin.visit(h.web + "/status")
	admin.click("form[action='/breakers/sms/close'] button")
	h.waitFor("the end", 60*time.Second, func() bool { return out.heard("alert.cleared", `"rule":"breaker_open"`) })
	ops.visit(h.web + "/alerts")
	ops.until("it is over", func() bool { return strings.Contains(ops.text("main"), "What is over") })
	ops.page("alerts-over")
	must(t, h.app.Clinic().JobRun(t.Context(), h.actor("ruth-ebbing"), clinic.JobNightlyName))
	for _, j := range clinic.Jobs {
		h.waitFor("a run of "+j.Name, time.Minute, func() (ran bool) {
			h.one(&ran, "SELECT count(*) > 0 FROM job_runs WHERE job = $1 AND ran_at IS NOT NULL AND code = ''", j.Name)
			return ran
		})
	}
	if !strings.Contains(string(h.figures()), "countersign_alerts_evaluated_timestamp_seconds 1") {
		t.Error("/metrics does not say when the rules were evaluated")
	}
	h.stopWork()
	h.stopWeb()
	must(t, h.app.Close())
	h.sentryHeard(t)
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.beats == 0 {
		t.Error("nobody beats")
	}
}

// sentryHeard: the alert by its code, a trace by a route's pattern, and a check-in of every job of a minute or more.
func (h *house) sentryHeard(t *testing.T) {
	t.Helper()
	var list []sandbox.Envelope
	must(t, json.Unmarshal([]byte(h.sandboxSays("/sentry")), &list))
	seen := map[string]int{}
	for _, one := range list {
		for _, item := range one.Items {
			text := string(item.Payload)
			if _, slug, ok := strings.Cut(text, `"monitor_slug":"`); ok && item.Type == "check_in" && strings.Contains(text, `"status":"ok"`) {
				name, _, _ := strings.Cut(slug, `"`)
				seen["check-in of "+name]++
			}
			for what, is := range map[string]bool{
				"alert":   item.Type == "event" && strings.Contains(text, "alert fired: breaker_open"),
				"request": item.Type == "transaction" && strings.Contains(text, `"transaction":"POST /breakers/:channel/open"`),
				"cron":    item.Type == "transaction" && strings.Contains(text, `"transaction":"alert.evaluate"`),
			} {
				if is {
					seen[what]++
				}
			}
			if strings.Contains(text, "Ruth Ebbing") || strings.Contains(text, "/breakers/sms") || strings.Contains(text, `"request":`) {
				t.Errorf("%s tells too much: %.400s", item.Type, text)
			}
		}
	}
	want := []string{"alert", "request", "cron"}
	for _, j := range clinic.Jobs {
		if j.Watched() {
			want = append(want, "check-in of "+j.Name)
		}
	}
	for _, what := range want {
		if seen[what] == 0 {
			t.Errorf("Sentry heard of no %s: %v", what, seen)
		}
	}
}

// sandboxSays is what the sandbox answers at a path.
func (h *house) sandboxSays(path string) string {
	h.t.Helper()
	answer, err := http.Get(h.outside + path)
	must(h.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(h.t, err)
	return string(text)
}
