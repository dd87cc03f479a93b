package road

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"countersign/internal/web"
)

// findForms lists the page's forms with their text fields, once for each button that sends them somewhere.
const findForms = `JSON.stringify([...document.forms].flatMap((form, Index) => {
	const Fields = [...form.elements].filter(el => el.name && !el.readOnly && !el.disabled && (el.tagName === 'TEXTAREA' || el.tagName === 'INPUT' &&
		['text', 'search', 'tel', 'email', 'number', 'date', 'datetime-local', 'url', 'password'].includes(el.type)))
		.map(el => ({Name: el.name, Most: el.maxLength > 0 ? el.maxLength : el.type === 'datetime-local' ? 40 : 0}));
	if (form.method !== 'post' || !Fields.length) return [];
	return [...form.querySelectorAll('button')].map((button, Button) => ({button, Button})).filter(({button}) => button.type === 'submit' && !button.disabled)
		.map(({button, Button}) => ({Index, Button, Fields, Action: new URL(button.getAttribute('formaction') || form.getAttribute('action') || '', location.href).pathname}));
}))`

// fillForm types into a form's fields. A number or a date takes no bait in a browser: its type is taken off first, as a
// hostile person does.
const fillForm = `(() => {
	const form = document.forms[%d], texts = %s;
	form.closest('details')?.setAttribute('open', '');
	for (const el of form.elements) if (el.name in texts && !el.readOnly) {
		el.focus(); // a live page does not take the field away under the hand
		if (el.tagName === 'INPUT') el.type = 'text';
		el.value = texts[el.name];
		el.dispatchEvent(new Event('input', {bubbles: true}));
	}
})()`

// sendForm presses a form's button.
const sendForm = `(() => {
	const form = document.forms[%d];
	window.baitSent = 1;
	const answered = () => setTimeout(() => { window.baitSent = 2 }, 50);
	document.addEventListener('htmx:afterRequest', (e) => { if (e.detail.requestConfig.triggeringEvent?.type.match(/submit|click/)) answered() });
	const gone = setInterval(() => { if (!form.isConnected) { clearInterval(gone); answered() } }, 30); // the answer has taken its place
	form.querySelectorAll('button')[%d].click();
})()`

// lookAround finds what only markup of our own may have made: elements and attributes that act, with or without the bait.
const lookAround = `JSON.stringify([...document.querySelectorAll('*')].flatMap(el => {
	const bad = [], own = el.outerHTML.slice(0, 120);
	if (el.matches('script:not([src]), style, iframe, object, embed, base, meta[http-equiv], [style], [srcdoc], .owned, #owned')) bad.push('element ' + own);
	for (const a of el.attributes) {
		if (/^on/i.test(a.name)) bad.push('handler ' + own);
		if (/^(data-)?hx-/i.test(a.name) && /owned/i.test(a.value)) bad.push('htmx ' + own);
		if (/^(src|href|action|formaction|poster|background|xlink:href)$/i.test(a.name) && /owned|javascript:/i.test(a.value) && !/^tel:/.test(a.value)) bad.push('address ' + own);
	}
	return bad;
}))`

// holdsBait is true where the bait stands on the page as text or in a field.
const holdsBait = `document.body.textContent.includes('owned') || [...document.querySelectorAll('input, textarea')].some(el => el.value.includes('owned'))`

// trap is a browser that notices whatever the bait does in it.
type trap struct {
	*browser
	h     *house
	role  string
	sent  *sync.Map       // "/patients/new name": bait left the browser in this field of a form
	tried map[string]bool // forms, by address and fields, that were driven
	pages int
	seen  int // pages on which the bait stands, as text
}

func (h *house) trap(role string, sent *sync.Map, tried map[string]bool) *trap {
	h.t.Helper()
	tr := &trap{browser: newBrowser(h.t, true), h: h, role: role, sent: sent, tried: tried}
	chromedp.ListenTarget(tr.ctx, func(event any) {
		switch e := event.(type) {
		case *page.EventJavascriptDialogOpening:
			if e.Type != page.DialogTypeBeforeunload {
				tr.t.Errorf("%s: a dialog: %s", tr.role, e.Message)
			}
			go func() { _ = chromedp.Run(tr.ctx, page.HandleJavaScriptDialog(true)) }()
		case *runtime.EventBindingCalled:
			tr.t.Errorf("%s: the bait acted", tr.role)
		case *network.EventRequestWillBeSent:
			if strings.Contains(e.Request.URL, "owned") || strings.Contains(e.Request.URL, "/csp-report") {
				tr.t.Errorf("%s: something asked for %s on %s", tr.role, e.Request.URL, e.DocumentURL)
			}
			tr.note(e.Request)
		}
	})
	tr.do(network.Enable(), page.Enable(), runtime.AddBinding("owned"), emulation.SetUserAgentOverride("Mozilla/5.0 (X11) "+baited(150, len(tried))))
	return tr
}

// note writes down in which fields of a form bait left the browser.
func (tr *trap) note(r *network.Request) {
	at, err := url.Parse(r.URL)
	if err != nil || r.Method != "POST" || !strings.HasPrefix(r.URL, tr.h.web) {
		return
	}
	for _, part := range r.PostDataEntries {
		raw, _ := base64.StdEncoding.DecodeString(part.Bytes)
		values, _ := url.ParseQuery(string(raw))
		for name, all := range values {
			if strings.Contains(strings.Join(all, " "), "owned") {
				tr.sent.Store(tr.pattern(at.Path)+" "+name, true)
			}
		}
	}
}

// enter signs in without the looks that the road takes at the pages on its way.
func (tr *trap) enter(subject string) {
	tr.t.Helper()
	tr.visit(tr.h.outside + "/sign-in/" + subject + "?redirect_url=/")
	tr.until("the first page", func() bool { return tr.has("nav") })
}

// show opens a page, lets what moves on it come to rest, and looks around.
func (tr *trap) show(path string) {
	tr.t.Helper()
	tr.do(chromedp.Navigate(tr.h.web+path), chromedp.WaitReady("body", chromedp.ByQuery))
	tr.look(path)
}

func (tr *trap) look(where string) {
	tr.t.Helper()
	if strings.HasPrefix(where, "/ops/queues") {
		return // not our markup: it is held by its own policy, and shows ids only
	}
	tr.until(where+" comes to rest", func() bool { return !tr.has(".htmx-request, .htmx-swapping, .htmx-settling") })
	var raw string
	var holds bool
	tr.do(chromedp.Evaluate(lookAround, &raw), chromedp.Evaluate(holdsBait, &holds))
	var bad []string
	must(tr.t, json.Unmarshal([]byte(raw), &bad))
	for _, what := range bad {
		tr.t.Errorf("%s, %s: %s", tr.role, where, what)
	}
	tr.pages++
	if holds {
		tr.seen++
	}
}

// isQuiet says what the console heard, apart from the browser's own lines about answers of 4xx: a form full of bait is refused
// often. It fails when the bait was hardly anywhere: then the test tests nothing.
func (tr *trap) isQuiet() {
	tr.t.Helper()
	time.Sleep(100 * time.Millisecond) // what a page begins on its way out
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, line := range tr.console {
		refused := strings.Contains(line, "Failed to load resource") || strings.Contains(line, "Response Status Error Code 4")
		if left := strings.Contains(line, "'beforeunload'"); !refused && !left { // left: typed by a script, and then left unsaved
			tr.t.Errorf("%s: the console: %s", tr.role, line)
		}
	}
	tr.console = nil
	tr.t.Logf("%s: %d pages, bait on %d", tr.role, tr.pages, tr.seen)
	if tr.seen == 0 || tr.seen < tr.pages/2 && tr.pages > 20 {
		tr.t.Errorf("%s: the bait is on %d of %d pages", tr.role, tr.seen, tr.pages)
	}
}

// openForm is a form on an open page by one of its buttons, with the fields that a person types into.
type openForm struct {
	Index  int
	Action string
	Button int // of the form's own
	Fields []struct {
		Name string
		Most int
	}
}

// sweep visits a page, looks for what the bait has done there, and types bait into every form that nobody has yet.
func (tr *trap) sweep(path string) {
	tr.t.Helper()
	tr.show(path)
	for range 20 { // a page has fewer forms than that
		form, ok := tr.nextForm()
		if !ok {
			return
		}
		tr.submit(form)
		tr.look(path + " after " + form.Action)
		tr.show(path)
	}
	tr.t.Errorf("%s has forms that cannot be got done with", path)
}

// nextForm is a form of the page that is still to be driven.
func (tr *trap) nextForm() (openForm, bool) {
	tr.t.Helper()
	var raw string
	tr.do(chromedp.Evaluate(findForms, &raw))
	var all []openForm
	must(tr.t, json.Unmarshal([]byte(raw), &all))
	for _, f := range all {
		key := tr.pattern(f.Action)
		for _, field := range f.Fields {
			key += " " + field.Name
		}
		if !tr.tried[key] {
			tr.tried[key] = true
			return f, true
		}
	}
	return openForm{}, false
}

// pattern is the route that a form is posted to.
func (tr *trap) pattern(action string) string {
	for _, r := range web.Routes() {
		if r.Method == "POST" && like(r.Path, action) {
			return r.Path
		}
	}
	tr.t.Errorf("a form is posted to %s, which is no route", action)
	return action
}

// submit types bait into all text fields of a form and sends it as a person does, and waits for what comes of it.
func (tr *trap) submit(f openForm) {
	tr.t.Helper()
	texts := map[string]string{}
	for i, field := range f.Fields {
		texts[field.Name] = baited(field.Most, len(tr.tried)+i)
	}
	raw, err := json.Marshal(texts)
	must(tr.t, err)
	tr.do(chromedp.Evaluate(fmt.Sprintf(fillForm, f.Index, raw), nil),
		chromedp.Sleep(time.Second), // what a page does by itself while one types: checks, flags, previews
		chromedp.Evaluate(fmt.Sprintf(sendForm, f.Index, f.Button), nil))
	deadline := time.Now().Add(40 * time.Second)
	for {
		var state string
		ctx, cancel := context.WithTimeout(tr.ctx, 5*time.Second)
		err := chromedp.Run(ctx, chromedp.Evaluate(`document.readyState === 'complete' ? String(window.baitSent) : 'loading'`, &state))
		cancel()
		if err == nil && state != "1" && state != "loading" { // another page, or htmx has its answer
			return
		}
		if time.Now().After(deadline) {
			tr.shot("failed")
			tr.t.Fatalf("the form to %s was never answered: %s %v\n%s", f.Action, state, err, tr.text("#notice"))
		}
	}
}
