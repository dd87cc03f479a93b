package road

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"countersign/internal/app"
	"countersign/internal/clinic"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// week makes an access review of last week, as if the clinic had been there.
func (h *house) week() (id string) {
	h.t.Helper()
	h.exec("UPDATE clinics SET created_at = created_at - interval '9 days'")
	_, err := h.app.Clinic().AccessMake(context.Background(), clinic.WorkerActor("test"))
	must(h.t, err)
	h.one(&id, "SELECT id::text FROM access_reviews LIMIT 1")
	return id
}

// sealing lets the house seal its trail, and keep its roots outside.
func sealing(t *testing.T) option {
	var key strings.Builder
	must(t, app.NewLedgerKey(true, &key, io.Discard))
	folder := t.TempDir()
	return func(env map[string]string) {
		env["LEDGER_KEY"], env["BLOB_URL"], env["TIME_SEAL_EVERY"], env["TIME_ANCHOR_EVERY"] = strings.TrimSpace(key.String()), "file://"+folder, "200ms", "1s"
	}
}

// events is the first event of the trail, and a refusal.
func (h *house) events() []string {
	h.t.Helper()
	h.app.Clinic().Refused(context.Background(), h.actor("kenji-watts"), clinic.PatientShow, "role")
	var first, refused string
	h.one(&first, "SELECT id::text FROM audit_events WHERE outcome = 'done' ORDER BY at LIMIT 1")
	h.one(&refused, "SELECT id::text FROM audit_events WHERE outcome = 'refused' ORDER BY at DESC LIMIT 1")
	return []string{first, refused}
}

// An auditor's day: search, an event with its proof, the file of it checked without the house, a verification that runs on the
// worker and is seen live, and a report.
func TestAuditTrail(t *testing.T) {
	t.Parallel()
	h := open(t, sealing(t))
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	h.submitted(ada, "Ada Winter", "email")
	h.events()
	h.waitFor("all of it to be sealed, and a root to be outside", 30*time.Second, func() bool {
		n := 0
		h.one(&n, "SELECT count(*) FROM audit_pending")
		names, err := filepath.Glob(filepath.Join(strings.TrimPrefix(h.env["BLOB_URL"], "file://"), "ledger", "*.txt"))
		return n == 0 && err == nil && len(names) > 0
	})
	auditor := newBrowser(t, true)
	auditor.expects = []string{"422"}
	auditor.signIn(h, "victor-sandoval")
	auditor.visit(h.web + "/")
	auditor.click("a.primary[href='/audit']", "/audit")
	auditor.shots("audit")
	auditor.fill("#f-mrn", "77001")
	auditor.click("form[action='/audit/search'] .primary", "/audit/search")
	auditor.until("only that patient's", func() bool {
		return strings.Contains(auditor.text(".asked"), "Only what is about patient") && auditor.count("tbody tr") > 0
	})
	auditor.page("audit-patient-filter")
	if body := auditor.text("body"); strings.Contains(body, "Ada Winter") {
		t.Error("an auditor reads a patient's name")
	}
	auditor.fill("#f-address", "somewhere")
	auditor.click("form[action='/audit/search'] .primary", "/audit/search")
	auditor.until("it to be said", func() bool { return strings.Contains(auditor.text("#e-address"), "This is no address") })
	auditor.page("audit-mistake")
	auditor.visit(h.web + "/audit?deed=keys.rotate")
	auditor.page("audit-nothing")
	auditor.visit(h.web + "/audit?deed=patient.create")
	auditor.click("tbody th a")
	auditor.until("the proof", func() bool { return strings.Contains(auditor.text("main"), "proved now") })
	auditor.shots("audit-event")
	h.offline(auditor)
	auditor.visit(h.web + "/audit/verify")
	auditor.page("verify-none")
	auditor.click("form[action='/audit/verify'] .primary")
	auditor.until("the answer, without a reload", func() bool { return auditor.has(".verdict.clean") })
	auditor.shots("verify")
	auditor.visit(h.web + "/patients/" + ada.String() + "/audit")
	auditor.page("seen-by-auditor")
	auditor.visit(h.web + "/audit")
	auditor.click("button[value='report']", "/audit/export")
	auditor.until("its end", func() bool { return strings.Contains(auditor.text("footer"), "End of the report: ") })
	auditor.page("report")
}

// offline checks the proof of the event that is shown, by the file that the page gives and nothing else.
func (h *house) offline(b *browser) {
	h.t.Helper()
	var address, file string
	b.do(chromedp.AttributeValue("a[download]", "href", &address, nil, chromedp.ByQuery))
	b.do(chromedp.Evaluate("fetch('"+address+"').then(r => r.text())", &file, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	path := filepath.Join(h.t.TempDir(), "proof.json")
	must(h.t, os.WriteFile(path, []byte(file), 0o600))
	if !json.Valid([]byte(file)) {
		h.t.Fatalf("the file is %s", file)
	}
	key, err := app.LedgerVerifier(h.config)
	must(h.t, err)
	var said strings.Builder
	must(h.t, app.CheckProof([]byte(file), []string{key}, &said))
	if !strings.Contains(said.String(), "ok: leaf ") {
		h.t.Errorf("the offline check says %s", said.String())
	}
}

// A doctor sees who has seen their patient, and prints the accounting; an administrator signs the week off.
func TestWhoHasSeen(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	h.submitted(ada, "Ada Winter", "email")
	_, err := h.app.Clinic().GlassBreak(context.Background(), h.actor("jonas-lindqvist"), clinic.GlassForm{MRN: "77001", Reason: "Collapsed in the waiting room."})
	must(t, err)
	_, err = h.app.Clinic().PatientShow(context.Background(), h.actor("jonas-lindqvist"), ada)
	must(t, err)
	week := h.week()
	doctor, admin := newBrowser(t, true), newBrowser(t, true)
	doctor.signIn(h, "amara-osei")
	doctor.visit(h.web + "/patients/" + ada.String())
	doctor.click("a[href='/patients/"+ada.String()+"/audit']", "/audit")
	doctor.until("who broke the glass", func() bool { return strings.Contains(doctor.text("main"), "emergency access") })
	doctor.shots("who-has-seen")
	doctor.click("a[href='/patients/"+ada.String()+"/disclosures']", "/disclosures")
	doctor.shots("disclosures")
	admin.signIn(h, "ruth-ebbing")
	admin.expects = []string{"422"}
	admin.visit(h.web + "/")
	admin.page("home-admin")
	admin.click("main a[href='/access']", "/access")
	admin.page("access-list")
	admin.click("tbody th a", "/access/"+week)
	admin.shots("access")
	admin.fill("#f-note", "All of it is known.")
	admin.click("form[action$='/sign'] .primary")
	admin.until("it to be said", func() bool { return strings.Contains(admin.text(".banner.good"), "Signed off.") })
	admin.visit(h.web + "/access/" + week)
	admin.page("access-signed")
	admin.visit(h.web + "/audit?patient=" + ada.String())
	admin.page("audit-by-admin")
	if !strings.Contains(admin.text("main"), "Ada Winter") {
		t.Error("an administrator does not read the name")
	}
}
