package road

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

func withOIDC(env map[string]string) { env["SIGN_IN"] = "oidc" }

// signInByOIDC goes through the sandbox's OpenID provider as a person would.
func (b *browser) signInByOIDC(h *house, subject string) {
	b.t.Helper()
	b.visit(h.web + "/")
	b.click("a[href^='/sign-in/start']", h.outside+"/oidc/authorize?")
	b.page("provider")
	b.click("a[href^='/oidc/authorize/"+subject+"']", h.web)
	b.until("a page of one's own", func() bool { return b.has("nav a[href='/'][aria-current=page]") })
}

// shots is a page in both schemes, and on a phone.
func (b *browser) shots(name string) {
	b.t.Helper()
	b.page(name)
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	b.shot(name + "-dark")
	b.do(emulation.SetEmulatedMedia(), emulation.SetDeviceMetricsOverride(390, 844, 2, true))
	b.page(name + "-phone")
	var wide bool
	b.do(chromedp.Evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth", &wide))
	if wide {
		b.t.Errorf("%s is wider than a phone", name)
	}
	b.do(emulation.ClearDeviceMetricsOverride())
}

// session is the open one of a person that was opened last.
func (h *house) session(subject string) (id uuid.UUID) {
	h.t.Helper()
	h.one(&id, "SELECT se.id FROM sessions se JOIN staff s ON s.id = se.staff_id WHERE s.subject = $1 AND se.ended_at IS NULL ORDER BY se.created_at DESC LIMIT 1", subject)
	return id
}

// By OIDC and with all scripts on: a doctor whose sign-in is old edits a message and signs; the words and the answers are
// there after the fresh sign-in, and the signature stands. Then the sign-ins are looked at, and one is ended elsewhere.
func TestSignInAgainToSign(t *testing.T) {
	t.Parallel()
	h := open(t, withOIDC)
	id := h.submitted(h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", ""), "Ada Winter", "email")
	b := newBrowser(t, true)
	b.signInByOIDC(h, "amara-osei")
	b.expects = []string{"403"}
	h.exec("UPDATE sessions SET signed_in_at = now() - interval '4 hours 1 second'")
	b.visit(h.web + "/reviews/" + id.String())
	b.until("the button that says so", func() bool { return b.has("#go-sign-in") && !b.has("#sign") })
	b.shots("review-stale")
	b.click("#go-edit", "edit=1")
	b.see("textarea[name=text]")
	b.do(chromedp.Evaluate(`(t => t.setSelectionRange(t.value.length, t.value.length))(document.querySelector("textarea[name=text]"))`, nil),
		chromedp.SendKeys("textarea[name=text]", "\n\nWe are glad that you asked.", chromedp.ByQuery))
	b.click("#edit-form .signbar .primary")
	b.see("#sign-in-again")
	if !strings.Contains(b.value("textarea[name=text]"), "We are glad that you asked.") {
		t.Error("the words are gone from the editor")
	}
	b.shots("sign-in-again")
	b.click("#sign-in-again a", h.outside+"/oidc/authorize?")
	b.click("a[href^='/oidc/authorize/amara-osei']", h.web+"/reviews/"+id.String()+"?edit=1")
	b.see("textarea[name=text]")
	if !strings.Contains(b.value("textarea[name=text]"), "We are glad that you asked.") {
		t.Error("the words are gone after the fresh sign-in")
	}
	if b.has("form[action$='/findings'] button") {
		t.Error("the answers are gone after the fresh sign-in")
	}
	b.click("#edit-form .signbar .primary")
	b.until("it is signed", func() bool { return b.has("#signed") })
	h.waitFor("the delivery", 20*time.Second, func() bool { return h.state(id) == "delivered" })
	var open int
	h.one(&open, "SELECT count(*) FROM sessions WHERE ended_at IS NULL")
	if open != 1 {
		t.Errorf("%d sessions are open: the one before the fresh sign-in should have ended", open)
	}
}

// A person's sign-ins on two devices: the list, ending the other one, whose open page covers itself at once.
func TestSignInsScreen(t *testing.T) {
	t.Parallel()
	h := open(t, withOIDC)
	here, there := newBrowser(t, true), newBrowser(t, true)
	there.signInByOIDC(h, "tom-reyes")
	here.signInByOIDC(h, "tom-reyes")
	here.click(".me a[href='/sessions']", "/sessions")
	here.until("both sign-ins", func() bool {
		return strings.Contains(here.text("main"), "this one") && here.count("main form[action$='/end-other']") == 1
	})
	here.shots("sessions")
	here.click("main form[action$='/end-other'] button", "/sessions")
	there.until("the other page to cover itself", func() bool { return there.has("#expired[open]") })
	there.shot("ended-elsewhere")
	here.until("what was done", func() bool { return strings.Contains(here.text("body"), "Ended. Whoever used it is signed out.") })

	here.click("nav a[href='/']", h.web+"/")
	here.until("a live page", func() bool { return here.has("[data-live]") })
	admin := newBrowser(t, true)
	admin.signInByOIDC(h, "ruth-ebbing")
	admin.visit(h.web + "/sessions")
	admin.click("a[href='/sessions/all']", "/sessions/all")
	admin.until("everybody's", func() bool { return strings.Contains(admin.text("main"), "Tom Reyes") })
	admin.shots("sessions-all")
	admin.click("main form[action$='/end-any'] button", "/sessions/all")
	here.until("this page to cover itself too", func() bool { return here.has("#expired[open]") })
}

// An expired session covers the page and keeps the words; after signing in again in another tab they are there, and saved.
// The other tab's sign-in does not cover pages of the same person that are open.
func TestExpiryKeepsTheWords(t *testing.T) {
	t.Parallel()
	h := open(t, withOIDC)
	id := h.submitted(h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", ""), "Ada Winter", "email")
	b := newBrowser(t, true)
	b.expects = []string{"401"}
	b.signInByOIDC(h, "amara-osei")
	b.visit(h.web + "/reviews/" + id.String() + "?edit=1")
	b.see("textarea[name=text]")
	h.exec("UPDATE sessions SET last_seen_at = now() - interval '16 minutes' WHERE id = $1", h.session("amara-osei"))
	b.do(chromedp.SendKeys("textarea[name=text]", "Typed after the end. ", chromedp.ByQuery))
	b.until("the screen that covers the page", func() bool { return b.has("#expired[open]") })
	b.shots("expired")

	other := b.tab(h.web + "/sign-in")
	other.click("a[href^='/sign-in/start']", h.outside+"/oidc/authorize?") // the provider remembers, and is asked anew
	other.click("a[href^='/oidc/authorize/amara-osei']", h.web)
	other.until("signed in", func() bool { return other.has("nav a[href='/'][aria-current=page]") })
	b.click("#expired [data-close]")
	b.until("the page to be free", func() bool { return !b.has("#expired[open]") })
	if !strings.Contains(b.value("textarea[name=text]"), "Typed after the end. ") {
		t.Error("the words are gone")
	}
	b.until("the words to be saved", func() bool {
		v, err := h.app.Clinic().DraftShow(context.Background(), h.actor("amara-osei"), id)
		must(t, err)
		return strings.Contains(v.Text.Reveal(), "Typed after the end. ")
	})
	streams := b.countStreams()
	b.front()
	b.visit(h.web + "/") // a live page, whose stream stands on the session that is about to be replaced
	b.until("the stream", func() bool { return streams() == 1 })
	first := h.session("amara-osei")
	other.visit(h.web + "/sign-in/start?anew=1")
	other.click("a[href^='/oidc/authorize/amara-osei']", h.web)
	other.until("another session", func() bool { return h.session("amara-osei") != first })
	b.until("a stream on the new session", func() bool { return streams() == 2 })
	if b.has("#expired[open]") {
		t.Error("a fresh sign-in in another tab covered the page of the same person")
	}
}

// countStreams counts the event streams that the next page opens.
func (b *browser) countStreams() func() int {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument(`window.streams = 0;
			window.EventSource = class extends EventSource { constructor(at) { super(at); this.addEventListener('open', () => { window.streams++; }); } };`).Do(ctx)
		return err
	}))
	return func() (n int) {
		b.do(chromedp.Evaluate("window.streams", &n))
		return n
	}
}

// front brings the tab before the others: a page that nobody sees closes its stream.
func (b *browser) front() {
	b.t.Helper()
	b.do(chromedp.ActionFunc(func(ctx context.Context) error {
		return target.ActivateTarget(chromedp.FromContext(ctx).Target.TargetID).Do(cdp.WithExecutor(ctx, chromedp.FromContext(ctx).Browser))
	}))
}

// tab is one more tab of the same browser.
func (b *browser) tab(address string) *browser {
	b.t.Helper()
	var id target.ID
	must(b.t, chromedp.Run(b.ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		id, err = target.CreateTarget(address).Do(ctx)
		return err
	})))
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	b.t.Cleanup(cancel)
	must(b.t, chromedp.Run(ctx)) // the tab lives as long as what it is first used with
	return &browser{t: b.t, ctx: ctx, scripts: b.scripts}
}
