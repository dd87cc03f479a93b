package road

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"countersign/internal/app"
)

// from asks a process's sign-in page as somebody at that address, by a proxy that is trusted, and returns the status.
func (h *house) from(web, address string) int {
	h.t.Helper()
	r, err := http.NewRequest(http.MethodGet, web+"/sign-in", nil)
	must(h.t, err)
	r.Header.Set("X-Forwarded-For", address)
	got, err := http.DefaultClient.Do(r)
	must(h.t, err)
	_ = got.Body.Close()
	return got.StatusCode
}

// said is the body of an answer.
func (h *house) said(address string) string {
	h.t.Helper()
	got, err := http.Get(address)
	must(h.t, err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	must(h.t, err)
	return string(body)
}

// What an administrator blocks in one process is kept out by the others as soon as they hear of it, which takes a moment and
// not the ten seconds after which they look by themselves; taking it off travels as fast.
func TestBlockReachesEveryProcess(t *testing.T) {
	t.Parallel()
	h := open(t, func(env map[string]string) { env["TRUSTED_PROXIES"] = "127.0.0.0/8,::1" })
	other, err := app.Open(context.Background(), h.config)
	must(t, err)
	t.Cleanup(func() { _ = other.Close() })
	listener, port := listen(t)
	run(t, "the second web", func(ctx context.Context) error { return other.WebOn(ctx, listener) })
	second := fmt.Sprintf("http://localhost:%d", port)
	h.waitFor("the second web", 20*time.Second, func() bool { return h.from(second, "203.0.113.9") == http.StatusOK })
	h.waitFor("the second web's hub", 20*time.Second, func() bool { return strings.Contains(h.said(second+"/readyz"), `"redis":"ok"`) })

	admin, begun := h.as("ruth-ebbing"), time.Now()
	status, page := admin.post("/networks/block", url.Values{"what": {"203.0.113.0/24"}, "reason": {"probing all night"}, "lasts": {"1"}})
	if status != http.StatusOK || !strings.Contains(page, "203.0.113.0/24") {
		t.Fatalf("%d %.300s", status, page)
	}
	if got := h.from(h.web, "203.0.113.9"); got != http.StatusForbidden {
		t.Errorf("the process that was told lets it in: %d", got)
	}
	h.waitFor("the other process keeps it out", 20*time.Second, func() bool { return h.from(second, "203.0.113.9") == http.StatusForbidden })
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
	if got := h.from(second, "198.51.100.1"); got != http.StatusOK {
		t.Errorf("somebody else: %d", got)
	}
	var id string
	h.one(&id, "SELECT id::text FROM networks")
	begun = time.Now()
	if status, _ := admin.post("/networks/"+id+"/unblock", nil); status != http.StatusOK {
		t.Fatal(status)
	}
	h.waitFor("the other process lets it in again", 20*time.Second, func() bool { return h.from(second, "203.0.113.9") == http.StatusOK })
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("it took %s", took)
	}
}

// The administrator's two screens, empty and with what can stand on them, and the warning before one shuts oneself out.
func TestNetworkScreens(t *testing.T) {
	t.Parallel()
	h := open(t)
	admin := newBrowser(t, true)
	admin.expects = []string{"422"} // the warning
	admin.signIn(h, "ruth-ebbing")
	admin.visit(h.web + "/networks")
	admin.page("networks-empty")
	for what, reason := range map[string]string{"203.0.113.0/24": "Probing of patients' links, 24 November", "KP": "Nobody of ours is there"} {
		admin.fill("#f-what", what)
		admin.fill("#f-reason", reason)
		admin.click(".formbar .primary")
		admin.until("the entry "+what, func() bool { return strings.Contains(admin.text("table"), what) })
	}
	admin.page("networks")
	admin.fill("#f-what", "0.0.0.0/0")
	admin.fill("#f-reason", "all of them")
	admin.click(".formbar .primary")
	admin.until("the warning", func() bool {
		return strings.Contains(admin.text("form.form"), "shut you out") && admin.has("[name=sure]")
	})
	admin.page("networks-warning")
	admin.click("tbody tr:last-child button")
	admin.until("it is taken off", func() bool { return strings.Contains(admin.text(".banner.good"), "Taken off") })

	admin.visit(h.web + "/reports")
	admin.page("reports-empty")
	for _, body := range []string{`{"csp-report":{"document-uri":"` + h.web + `/m/xyz","effective-directive":"script-src-elem","blocked-uri":"inline"}}`,
		`[{"type":"csp-violation","body":{"documentURL":"` + h.web + `/patients","effectiveDirective":"img-src","blockedURL":"moz-extension://x"}}]`} {
		got, err := http.Post(h.web+"/csp-report", "application/reports+json", strings.NewReader(body))
		must(t, err)
		_ = got.Body.Close()
	}
	admin.visit(h.web + "/reports")
	admin.page("reports")
	if rows := admin.text("table"); !strings.Contains(rows, "/m/:token") || !strings.Contains(rows, "a browser extension") {
		t.Errorf("the reports: %s", rows)
	}
}
