package road

import (
	"context"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"countersign/internal/clinic"
)

// kept is one answer to a page's script that a slow line keeps back.
type kept struct {
	b    *browser
	came chan fetch.RequestID
}

// slowly keeps the next answer from an address back until it is let go; those after it come through.
func (b *browser) slowly(path string) *kept {
	b.t.Helper()
	s := &kept{b: b, came: make(chan fetch.RequestID, 1)}
	listening, stop := context.WithCancel(b.ctx)
	b.t.Cleanup(stop)
	chromedp.ListenTarget(listening, func(event any) {
		e, ok := event.(*fetch.EventRequestPaused)
		if !ok {
			return
		}
		select {
		case s.came <- e.RequestID:
			stop()
		default:
		}
	})
	b.do(fetch.Enable().WithPatterns([]*fetch.RequestPattern{{URLPattern: "*" + path, ResourceType: network.ResourceTypeXHR, RequestStage: fetch.RequestStageResponse}}))
	return s
}

// wait is until the answer is on its way; nothing else of that address is kept back from then on.
func (s *kept) wait() (letGo func()) {
	s.b.t.Helper()
	select {
	case id := <-s.came:
		return func() {
			s.b.t.Helper()
			ctx, cancel := context.WithTimeout(s.b.ctx, 10*time.Second)
			defer cancel()
			_ = chromedp.Run(ctx, fetch.ContinueRequest(id)) // a page that no longer wants it has broken it off
			s.b.do(fetch.Disable())
		}
	case <-time.After(40 * time.Second):
		s.b.t.Fatalf("no refresh on %s", s.b.at())
		return nil
	}
}

// rests waits until all refreshes of the page have been answered.
func (b *browser) rests() {
	b.t.Helper()
	b.until("the page is at rest", func() bool { return !b.has(".htmx-request, .htmx-swapping, .htmx-settling") })
}

// A tick that is set while a refresh is under way stays; when it is taken back, the list catches up.
func TestLiveListKeepsATick(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.stopWork()
	h.exec("UPDATE deliveries SET superseded = true")
	doctor := newBrowser(t, true)
	doctor.signIn(h, "amara-osei")
	_, first := h.signed("Ada Winter", "77001", "sms", "normal", "")
	h.came(first, clinic.OutcomeFailed, "21614")
	_, second := h.signed("Bela Castro", "77002", "email", "normal", "")
	line := doctor.slowly("/deliveries/rows*")
	doctor.visit(h.web + "/deliveries")
	letGo := line.wait()
	doctor.click("input[value='" + first.String() + "']")
	h.came(second, clinic.OutcomeFailed, "400")
	letGo()
	doctor.rests()
	if n := doctor.count("input[name=pick]:checked"); n != 1 {
		t.Fatalf("%d ticks are left of one", n)
	}
	doctor.click("input[value='" + first.String() + "']")
	doctor.until("the list has caught up", func() bool { return doctor.count("#deliveries li") == 2 })
}

// A button that is pressed while a refresh is under way does what it says, and one under a held finger stays there.
func TestLiveStatusKeepsAPress(t *testing.T) {
	t.Parallel()
	h := open(t)
	admin := newBrowser(t, true)
	admin.signIn(h, "ruth-ebbing")
	line := admin.slowly("/status")
	admin.visit(h.web + "/status")
	letGo := line.wait()
	admin.click("form[action='/breakers/sms/open'] button")
	admin.see("form[action='/breakers/sms/close'] button")
	letGo()
	admin.rests()

	line = admin.slowly("/status")
	must(t, h.app.Clinic().BreakerOpen(context.Background(), h.actor("ruth-ebbing"), "email", 1))
	letGo = line.wait()
	var at []float64
	admin.do(chromedp.Evaluate(`(() => { const b = document.querySelector("form[action='/breakers/sms/close'] button"); b.scrollIntoView({block: "center"}); const r = b.getBoundingClientRect(); window.underHand = b; return [r.x + r.width / 2, r.y + r.height / 2] })()`, &at))
	admin.do(input.DispatchMouseEvent(input.MousePressed, at[0], at[1]).WithButton(input.Left).WithClickCount(1))
	letGo()
	admin.rests()
	var still bool
	if admin.do(chromedp.Evaluate("window.underHand.isConnected", &still)); !still {
		t.Error("the button was taken away under the finger")
	}
	admin.do(input.DispatchMouseEvent(input.MouseReleased, at[0], at[1]).WithButton(input.Left).WithClickCount(1))
	admin.see("form[action='/breakers/sms/open'] button")
	admin.see("form[action='/breakers/email/close'] button")
}
