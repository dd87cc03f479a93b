package road

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// signed is a message signed by Dr Osei, and its delivery.
func (h *house) signed(name, mrn, channel, priority string, sendAt string) (message, delivery uuid.UUID) {
	h.t.Helper()
	ctx, c, doctor := context.Background(), h.app.Clinic(), h.actor("amara-osei")
	patient := h.patient(name, "1950-01-02", mrn, "p"+mrn+"@mail.example", "+1 415 555 01"+mrn[len(mrn)-2:])
	message = h.submitted(patient, name, channel)
	h.exec("UPDATE messages SET priority = $1 WHERE id = $2", map[string]int{"normal": 1, "high": 2, "urgent": 3}[priority], message)
	v, err := c.ReviewShow(ctx, doctor, message)
	must(h.t, err)
	if sendAt != "" {
		must(h.t, c.MessageSchedule(ctx, doctor, message, clinic.ScheduleForm{Version: v.Message.Version, SendAt: sendAt}))
		v.Message.Version++
	}
	must(h.t, c.ReviewApprove(ctx, doctor, message, v.Message.Version, nil))
	h.one(&delivery, "SELECT id FROM deliveries WHERE message_id = $1", message)
	return message, delivery
}

// came takes a notice to an outcome of its attempt.
func (h *house) came(delivery uuid.UUID, class, code string) {
	h.t.Helper()
	ctx, c, worker := context.Background(), h.app.Clinic(), clinic.WorkerActor("test")
	p, err := c.DeliveryClaim(ctx, worker, delivery)
	must(h.t, err)
	if p == nil {
		h.t.Fatal("there was nothing to claim")
	}
	must(h.t, c.DeliveryRecord(ctx, worker, p, "twilio", clinic.Outcome{Class: class, Code: code, ProviderID: delivery.String()}))
}

func (h *house) reported(delivery uuid.UUID, state, code string) {
	h.t.Helper()
	must(h.t, h.app.Clinic().DeliveryReceive(context.Background(), clinic.ProviderActor("twilio", "", "test"),
		[]clinic.Receipt{{Provider: "twilio", EventKey: uuid.NewString(), DeliveryID: delivery, State: state, Code: code, At: time.Now()}}))
}

// undecided is a delivery whose provider did not answer, and that needs a person.
func (h *house) undecided(delivery uuid.UUID) {
	h.t.Helper()
	h.came(delivery, clinic.OutcomeUnknown, "timeout")
	h.exec("UPDATE deliveries SET updated_at = updated_at - interval '1 hour', lease_until = NULL WHERE id = $1", delivery)
	ctx, c, worker := context.Background(), h.app.Clinic(), clinic.WorkerActor("test")
	rows, err := c.DeliveryReconcile(ctx, worker, 10)
	must(h.t, err)
	for _, u := range rows {
		must(h.t, c.DeliverySettle(ctx, worker, u, clinic.Found{Class: clinic.FoundCannotAsk}))
	}
}

func (b *browser) phone() {
	b.do(chromedp.EmulateViewport(390, 844, chromedp.EmulateScale(2)))
}

func (b *browser) desk() { b.do(chromedp.EmulateViewport(1440, 900)) }

// pictures keeps one picture more: dark, and as wide as a phone, where axe looks too.
func (b *browser) pictures(name string) {
	b.t.Helper()
	b.page(name)
	b.do(emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
	b.shot(name + "-dark")
	b.do(emulation.SetEmulatedMedia())
	b.phone()
	b.shot(name + "-phone")
	for _, finding := range b.axe() {
		b.t.Errorf("axe on %s as wide as a phone: %s", name, finding)
	}
	var wide bool
	b.do(chromedp.Evaluate("document.documentElement.scrollWidth > innerWidth", &wide))
	if wide {
		b.t.Errorf("%s is wider than a phone", name)
	}
	b.desk()
}

// The lists in a real browser: empty, filled by themselves, narrowed, and the two buttons of what is not known.
func TestDeliveries(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.stopWork()                                      // what becomes of each notice is said here
	h.exec("UPDATE deliveries SET superseded = true") // the demo's own are not looked at
	doctor := newBrowser(t, true)
	doctor.desk()
	doctor.signIn(h, "amara-osei")
	doctor.click("nav a[href='/deliveries']", "/deliveries")
	doctor.pictures("empty")

	_, refused := h.signed("Ada Winter", "77001", "sms", "normal", "")
	h.came(refused, clinic.OutcomeFailed, "21614")
	_, busy := h.signed("Bela Castro", "77002", "sms", "urgent", "")
	h.came(busy, clinic.OutcomeAccepted, "")
	h.reported(busy, "undelivered", "30003")
	_, again := h.signed("Cem Aydin", "77003", "email", "normal", "")
	h.came(again, clinic.OutcomeFailed, "400")
	_, asks := h.signed("Dora Nwosu", "77004", "email", "high", "")
	h.undecided(asks)
	h.signed("Emil Fischer", "77005", "sms", "normal", time.Now().AddDate(0, 0, 9).Format("2006-01-02T09:00"))
	_, retried := h.signed("Femi Adeleke", "77006", "sms", "normal", "")
	h.came(retried, clinic.OutcomeNotSent, "unreachable")
	_, arrived := h.signed("Gro Halvorsen", "77007", "sms", "normal", "")
	h.came(arrived, clinic.OutcomeAccepted, "")
	h.reported(arrived, "delivered", "")

	doctor.until("the list has filled by itself", func() bool { return doctor.count("#deliveries li") == 3 })
	doctor.visit(h.web + "/deliveries")
	doctor.pictures("trouble")
	doctor.do(chromedp.SetValue("#f-channel", "email", chromedp.ByQuery), chromedp.Evaluate("document.querySelector('#f-channel').dispatchEvent(new Event('change', {bubbles: true}))", nil))
	doctor.until("one row left", func() bool {
		return doctor.count("#deliveries li") == 1 && strings.Contains(doctor.at(), "channel=email")
	})
	doctor.visit(h.web + "/deliveries?show=trouble&age=older")
	doctor.page("filtered-empty")
	for _, show := range []string{"way", "arrived", "ended"} {
		doctor.visit(h.web + "/deliveries?show=" + show)
		doctor.page(show)
	}
	doctor.visit(h.web + "/deliveries?show=unknown")
	doctor.pictures("unknown")
	doctor.click("form[action='/deliveries/" + asks.String() + "/mark-sent'] button")
	doctor.until("nothing is unknown", func() bool { return strings.Contains(doctor.text("#deliveries"), "Everything is known") })
}

// Many sent once more: chosen while the list lives on, looked at, confirmed, and what moved meanwhile told.
func TestDeliveriesSentOnceMore(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.stopWork()
	h.exec("UPDATE deliveries SET superseded = true")
	doctor, staff := newBrowser(t, true), newBrowser(t, false)
	doctor.desk()
	doctor.signIn(h, "amara-osei")
	dead, first := h.signed("Ada Winter", "77001", "sms", "normal", "")
	h.came(first, clinic.OutcomeFailed, "21614")
	_, busy := h.signed("Bela Castro", "77002", "sms", "urgent", "")
	h.came(busy, clinic.OutcomeAccepted, "")
	h.reported(busy, "undelivered", "30003")
	_, again := h.signed("Cem Aydin", "77003", "email", "normal", "")
	h.came(again, clinic.OutcomeFailed, "400")

	doctor.visit(h.web + "/deliveries")
	doctor.click("input[value='" + again.String() + "']")
	_, more := h.signed("Dora Nwosu", "77004", "email", "high", "")
	h.came(more, clinic.OutcomeFailed, "400") // comes while somebody is choosing, and takes nothing out of their hand
	doctor.click("#retry-form .primary", "/deliveries/preview")
	if n := doctor.count("input[name=row]"); n != 1 {
		t.Errorf("%d rows in place of the one that was chosen", n)
	}
	doctor.visit(h.web + "/deliveries")
	doctor.click("#retry-form button[name=all]", "/deliveries/preview")
	doctor.pictures("preview")
	h.exec("UPDATE messages SET status = 'withdrawn' WHERE id = (SELECT message_id FROM deliveries WHERE id = $1)", again)
	doctor.click("#retry-form .primary", "/deliveries/retry")
	doctor.pictures("moved")
	if text := doctor.text("main"); !strings.Contains(text, "2 notices are on the way once more") || !strings.Contains(text, "withdrawn") {
		t.Errorf("it says %s", text)
	}
	doctor.visit(h.web + "/messages/" + dead.String())
	doctor.pictures("message-failed")
	staff.signIn(h, "tom-reyes")
	staff.visit(h.web + "/deliveries")
	staff.page("staff")
	if staff.has("#retry-form") {
		t.Error("staff may send once more")
	}
}

// Send later, undo until then, and what comes back because it was not sent in time.
func TestSentLaterOrNotInTime(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.stopWork()
	doctor := newBrowser(t, true)
	doctor.desk()
	doctor.signIn(h, "amara-osei")
	waiting, _ := h.signed("Emil Fischer", "77005", "sms", "normal", time.Now().AddDate(0, 0, 9).Format("2006-01-02T09:00"))
	doctor.visit(h.web + "/messages/" + waiting.String())
	doctor.click("#message-schedule summary")
	doctor.pictures("message-scheduled")
	doctor.click("#schedule-form button[name=when]")
	doctor.until("the time is gone", func() bool { return strings.Contains(doctor.text("#message-schedule"), "as soon as it may") })

	late, delivery := h.signed("Femi Adeleke", "77006", "sms", "high", "")
	h.came(delivery, clinic.OutcomeNotSent, "unreachable")
	h.exec("UPDATE deliveries SET not_after = now(), next_attempt_at = now() - interval '1 second' WHERE id = $1", delivery)
	if p, err := h.app.Clinic().DeliveryClaim(context.Background(), clinic.WorkerActor("test"), delivery); p != nil || err != nil {
		t.Fatal(p, err)
	}
	doctor.visit(h.web + "/")
	doctor.pictures("worklist-unsent")
	doctor.visit(h.web + "/messages/" + late.String())
	doctor.page("message-unsent")
	doctor.visit(h.web + "/reviews/" + late.String())
	doctor.click(".more-facts summary")
	doctor.pictures("review-unsent")

	h.exec("UPDATE clinics SET undo_seconds = 100")
	fresh, _ := h.signed("Gro Halvorsen", "77007", "email", "normal", "")
	doctor.visit(h.web + "/messages/" + fresh.String())
	doctor.until("the seconds count down", func() bool { return strings.Contains(doctor.text(".undo"), " s)") })
	doctor.page("message-undo")
	doctor.visit(h.web + "/briefs/" + late.String() + "/edit")
	doctor.page("brief-later")
}
