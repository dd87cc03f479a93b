package road

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"
)

// The whole road by e-mail with everything live, and then by SMS with scripts off: plain forms and links only.
func TestRoad(t *testing.T) {
	t.Parallel()
	h := open(t)
	walk(t, h, road{scripts: true, channel: "email", patient: "Rosa Delgado"})
}

func TestRoadWithoutScripts(t *testing.T) {
	t.Parallel()
	h := open(t)
	walk(t, h, road{scripts: false, channel: "sms", patient: "Rosa Delgado"})
}

type road struct {
	scripts          bool
	channel, patient string
}

func walk(t *testing.T, h *house, r road) {
	staff, doctor := newBrowser(t, r.scripts), newBrowser(t, r.scripts)
	id := r.write(h, staff)
	r.submit(h, staff, id)
	r.sign(h, doctor, id)
	r.delivered(h, doctor, id)
	r.read(t, h, id)
	doctor.visitOrWait(r.scripts, h.web+"/messages/"+id.String(), `[data-kind=page][data-state=opened], [data-step=page][data-state=opened]`)
	doctor.page("message-opened")
	got, want := doctor.steps(), []string{"queued", "sending", "accepted", "delivered", "opened"}
	if !slices.Contains(got, "accepted") { // the first report overtook the provider's own answer
		want[2] = map[string]string{"email": "in_transit", "sms": "sent"}[r.channel]
	}
	if !inOrder(want, got) {
		t.Errorf("the timeline reads %v, which lacks %v in that order", got, want)
	}
}

// signIn goes through the sandbox's Access page as a person would.
func (b *browser) signIn(h *house, subject string) {
	b.t.Helper()
	b.visit(h.web + "/")
	b.until("the sign-in page", func() bool { return b.has("a[href*='/cdn-cgi/access/login/']") })
	b.page("sign-in")
	b.click("a[href*='/cdn-cgi/access/login/']", h.outside)
	b.page("access")
	b.click("a[href*='/sign-in/"+subject+"']", h.web)
	b.until("the worklist", func() bool { return b.has("nav a[href='/'][aria-current=page]") })
}

// write goes from the patients list to a draft that the model wrote.
func (r road) write(h *house, b *browser) uuid.UUID {
	b.t.Helper()
	b.signIn(h, "tom-reyes")
	b.page("worklist-staff")
	b.click("nav a[href='/patients']", "/patients")
	b.page("patients")
	b.fill("input[name=term]", r.patient[:4])
	if r.scripts {
		b.until("one patient left in the list", func() bool { return strings.Count(b.text("main"), "MRN") <= 2 && b.hasLink(r.patient) })
	} else {
		b.do(chromedp.Submit("input[name=term]", chromedp.ByQuery))
		b.until("the patient in the results", func() bool { return b.hasLink(r.patient) })
	}
	b.clickLink(r.patient, "/patients/")
	b.page("patient")
	b.click("a[href*='/briefs/new']", "/briefs/new")
	b.page("brief")
	b.fill("#f-inquiry", "My new blood pressure pill makes me cough all night. Can I stop it?")
	b.fill("textarea[name=points]", "Stop lisinopril 10 mg tonight\nStart losartan 50 mg once a day tomorrow morning\nBook a blood test in 2 weeks")
	b.do(chromedp.SetValue("#fk-0", "drug", chromedp.ByQuery), chromedp.SendKeys("#ft-0", "losartan 50 mg once a day", chromedp.ByQuery))
	b.click("input[name=channel][value=" + r.channel + "]")
	b.click("button[name=next][value=draft]", "/drafts/")
	if !r.scripts {
		b.reloadUntil("textarea[name=text]")
	}
	b.see("textarea[name=text]")
	b.page("draft")
	return lastID(b.t, b.at())
}

// submit edits the model's words and hands them to the doctor.
func (r road) submit(h *house, b *browser, id uuid.UUID) {
	b.t.Helper()
	var text string
	b.do(chromedp.Value("textarea[name=text]", &text, chromedp.ByQuery))
	if !strings.Contains(text, r.patient) || !strings.Contains(text, "losartan 50 mg") || strings.Contains(text, "[[") {
		b.t.Fatalf("the draft should name the patient and the drug, and hold no token: %q", text)
	}
	b.do(chromedp.Evaluate(`(t => t.setSelectionRange(t.value.length, t.value.length))(document.querySelector("textarea[name=text]"))`, nil),
		chromedp.SendKeys("textarea[name=text]", "\n\nWe are glad that you asked.", chromedp.ByQuery))
	b.click("button[formaction='/drafts/" + id.String() + "/submit']")
	b.until("it is in review", func() bool {
		var s string
		h.one(&s, "SELECT status FROM messages WHERE id = $1", id)
		return s == "in_review"
	})
	b.page("submitted")
}

// sign reviews beside the brief, answers what is asked, and countersigns.
func (r road) sign(h *house, b *browser, id uuid.UUID) {
	b.t.Helper()
	b.signIn(h, "amara-osei")
	b.page("worklist-doctor")
	b.click("a[href='/reviews/"+id.String()+"']", "/reviews/")
	b.page("review")
	if !strings.Contains(b.text("main"), "cough all night") || !strings.Contains(b.text("main"), "We are glad that you asked.") {
		b.t.Errorf("the review shows the brief beside the letter: %s", b.text("main"))
	}
	for range 12 {
		open := "form[action$='/findings'] button"
		if !b.has(open) {
			break
		}
		before := b.count("form[action$='/findings']")
		b.click(open)
		b.until("one finding less to answer", func() bool { return b.count("form[action$='/findings']") < before })
		if r.scripts {
			b.until("the focus stays with the finding that was answered", func() bool { return b.has(".finding.answered:focus") })
		}
	}
	b.page("review-answered")
	b.click("#sign")
	b.until("it is signed", func() bool { return b.has("#signed") || strings.Contains(b.at(), "/messages/") })
	b.page("signed")
}

// delivered watches the timeline without reloading it (without scripts: by reloading).
func (r road) delivered(h *house, b *browser, id uuid.UUID) {
	b.t.Helper()
	if !strings.Contains(b.at(), "/messages/") {
		b.click("#see-message", "/messages/")
	}
	b.visitOrWait(r.scripts, h.web+"/messages/"+id.String(), "[data-step=delivery][data-state=delivered]")
	b.page("message-delivered")
}

// read is the patient: the notice in the sandbox's inbox, its link, the date of birth, the message.
func (r road) read(t *testing.T, h *house, id uuid.UUID) {
	t.Helper()
	b := newBrowser(t, r.scripts)
	b.visit(h.outside + "/")
	b.page("inbox")
	link := h.notice(id)
	b.visit(link)
	b.page("page-ask")
	for name, value := range map[string]string{"day": "30", "month": "5", "year": "1967"} {
		b.do(chromedp.SetValue("[name="+name+"]", value, chromedp.ByQuery))
	}
	b.click("form[method=post] button")
	b.until("the message is there to read", func() bool { return strings.Contains(b.text("main"), "losartan 50 mg") })
	b.page("page-read")
	if text := b.text("main"); !strings.Contains(text, "We are glad that you asked.") || !strings.Contains(text, "Dr Amara Osei") {
		t.Errorf("the patient reads what was signed, and by whom: %s", text)
	}
}

// link finds an address in a notice.
var link = regexp.MustCompile(`https?://\S+/m/[A-Za-z0-9_-]+`)

// notice is the link in the notice that the provider accepted for a message. No clinical word may stand beside it.
func (h *house) notice(message uuid.UUID) string {
	h.t.Helper()
	var delivery uuid.UUID
	h.one(&delivery, "SELECT id FROM deliveries WHERE message_id = $1 ORDER BY round DESC LIMIT 1", message)
	for _, e := range h.accepted() {
		if e.Delivery == delivery.String() {
			if strings.Contains(strings.ToLower(e.Body), "losartan") || strings.Contains(e.Body, "Rosa") || strings.Contains(e.Body, "Osei") {
				h.t.Errorf("the notice says too much: %q", e.Body)
			}
			return link.FindString(e.Body)
		}
	}
	h.t.Fatalf("no notice of %s in the sandbox's log", message)
	return ""
}

type accepted struct {
	Time                                    time.Time
	Provider, Delivery, Recipient, Body, ID string
}

// accepted is the outside's own account: every request that a provider took.
func (h *house) accepted() []accepted {
	h.t.Helper()
	resp, err := http.Get(h.outside + "/log")
	must(h.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	must(h.t, err)
	var out []accepted
	for line := range strings.Lines(string(raw)) {
		var e accepted
		must(h.t, json.Unmarshal([]byte(line), &e))
		if e.Provider != "openai" {
			out = append(out, e)
		}
	}
	return out
}

func (b *browser) hasLink(name string) bool { return strings.Contains(b.text("main"), name) }

func (b *browser) clickLink(name, goes string) {
	b.t.Helper()
	b.do(chromedp.Click(`//main//a[contains(normalize-space(.), "`+name+`")]`, chromedp.BySearch))
	b.until("the address holds "+goes, func() bool { u, _ := url.Parse(b.at()); return strings.HasPrefix(u.Path, goes) })
}

func (b *browser) count(selector string) int {
	n := 0
	b.do(chromedp.Evaluate("document.querySelectorAll(`"+selector+"`).length", &n))
	return n
}

// steps are the states of the timeline's delivery and page rows, in order.
func (b *browser) steps() []string {
	b.t.Helper()
	var states []string
	b.do(chromedp.Evaluate("Array.from(document.querySelectorAll('#message-timeline [data-state]'), e => e.querySelector('time') ? e.dataset.state : 'without a time')", &states))
	return states
}

func inOrder(want, got []string) bool {
	for _, w := range want {
		i := slices.Index(got, w)
		if i < 0 {
			return false
		}
		got = got[i+1:]
	}
	return true
}

// visitOrWait waits for what a live page shows by itself; without scripts it asks again, as a person would.
func (b *browser) visitOrWait(scripts bool, address, selector string) {
	b.t.Helper()
	if !scripts {
		b.visit(address)
		b.reloadUntil(selector)
		return
	}
	b.until(selector, func() bool { return b.has(selector) })
}

func (b *browser) reloadUntil(selector string) {
	b.t.Helper()
	b.until(selector, func() bool {
		if b.has(selector) {
			return true
		}
		b.do(chromedp.Reload())
		return b.has(selector)
	})
}
