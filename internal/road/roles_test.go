package road

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/redis/go-redis/v9"
)

// An administrator takes a person off a care team: what that person has open of the patient closes by itself, a page that
// only shows and one on which they are writing.
func TestCareTeams(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	ctx, c, staff := context.Background(), h.app.Clinic(), h.actor("tom-reyes")
	draft, err := c.BriefCreate(ctx, staff, h.brief(ada, "email"))
	must(t, err)
	must(t, c.DraftByHand(ctx, staff, draft))
	shown, writing, admin := newBrowser(t, true), newBrowser(t, true), newBrowser(t, true)
	for b, path := range map[*browser]string{shown: "/patients/" + ada.String(), writing: "/drafts/" + draft.String()} {
		b.expects = []string{"404"}
		b.signIn(h, "tom-reyes")
		b.visit(h.web + path)
		b.until("the patient", func() bool { return strings.Contains(b.text("h1"), "Ada Winter") })
	}
	shown.see("a[href='/patients/" + ada.String() + "/edit']")
	writing.see("[data-editor]")
	admin.signIn(h, "ruth-ebbing")
	admin.visit(h.web + "/teams")
	admin.shots("teams")
	admin.fill("#f-term", "77001")
	admin.click(".search button")
	admin.until("one patient", func() bool { return admin.count("[data-row]") == 1 })
	admin.click("[data-row]", "/teams/"+ada.String())
	admin.shots("team")
	admin.click("form[action$='/leave']:has([value='" + staff.ID.String() + "']) button")
	admin.until("it to be said", func() bool { return strings.Contains(admin.text(".banner.good"), "Taken off.") })
	for _, b := range []*browser{shown, writing} {
		b.until("the page to close by itself", func() bool {
			return strings.Contains(b.text("body"), "There is nothing here that you may see") && !strings.Contains(b.text("body"), "Ada Winter")
		})
	}
	shown.page("gone")
	admin.do(chromedp.SetValue("#f-staff", staff.ID.String(), chromedp.ByQuery))
	admin.click("form[action$='/join'] button")
	admin.until("it to be said", func() bool { return strings.Contains(admin.text(".banner.good"), "Added.") })
	shown.visit(h.web + "/patients/" + ada.String())
	shown.until("the patient again", func() bool { return strings.Contains(shown.text("h1"), "Ada Winter") })
	admin.visit(h.web + "/staff")
	admin.shots("people")
	admin.click("a[href='/settings/"+h.actor("amara-osei").ID.String()+"']", "/settings/")
	admin.page("settings-of")
}

// Emergency access from the form to the review, in a browser with all scripts on.
func TestEmergencyAccess(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	message := h.submitted(ada, "Ada Winter", "email")
	doctor, admin := newBrowser(t, true), newBrowser(t, true)
	doctor.expects = []string{"404", "422"}
	doctor.signIn(h, "jonas-lindqvist")
	doctor.visit(h.web + "/patients/" + ada.String())
	doctor.until("nothing", func() bool { return strings.Contains(doctor.text("body"), "There is nothing here that you may see") })
	doctor.visit(h.web + "/patients")
	doctor.click("a[href='/glass']", "/glass")
	doctor.shots("emergency")
	doctor.fill("#f-mrn", "77001")
	doctor.fill("#f-reason", "Urgent.")
	doctor.click("form[action='/glass/break'] .primary")
	doctor.until("it to be said", func() bool { return strings.Contains(doctor.text("#e-reason"), "at least 20 characters") })
	doctor.fill("#f-reason", "Collapsed in the waiting room; I need the medication list.")
	doctor.click("form[action='/glass/break'] .primary", "/patients/"+ada.String())
	doctor.see(".glass")
	doctor.shots("emergency-patient")
	doctor.visit(h.web + "/reviews/" + message.String())
	doctor.see(".glass")
	doctor.page("emergency-review")
	if doctor.has("#approve-form") || doctor.has("#go-return") {
		t.Error("emergency access may sign or return")
	}
	admin.signIn(h, "ruth-ebbing")
	admin.visit(h.web + "/glass/list")
	admin.until("the reason", func() bool { return strings.Contains(admin.text("main"), "I need the medication list.") })
	admin.shots("emergency-list")
	doctor.click(".glass button", "/patients")
	doctor.until("it to be over", func() bool { return !doctor.has(".glass") && strings.Contains(doctor.text(".banner.good"), "is over") })
	admin.fill("textarea[name=note]", "Called the ward: it was an emergency.")
	admin.click("form[action$='/review'] .primary")
	admin.until("nothing to review", func() bool { return strings.Contains(admin.text("main"), "Nothing to review") })
	admin.visit(h.web + "/glass/list?show=reviewed")
	admin.page("emergency-reviewed")
}

// Emergency access asks nothing of Redis: it is there while Redis is away, and what it counts is there after Redis forgot.
func TestEmergencyAccessWithoutRedis(t *testing.T) {
	t.Parallel()
	var away *proxy
	h := open(t, through(t, &away, "REDIS_URL"))
	h.patient("Ada Winter", "1950-01-02", "77001", "", "")
	doctor := h.as("jonas-lindqvist")
	try := func(mrn string) int {
		status, _ := doctor.post("/glass/break", url.Values{"mrn": {mrn}, "reason": {"Collapsed in the waiting room."}})
		return status
	}
	away.set(true)
	h.waitFor("readyz to say that Redis is degraded", 10*time.Second, func() bool {
		_, body := h.client().get("/readyz")
		return strings.Contains(body, `"redis":"degraded"`)
	})
	if status := try("77001"); status != http.StatusOK {
		t.Fatalf("without Redis it answers %d", status)
	}
	for range 10 {
		if status := try("99999"); status != http.StatusUnprocessableEntity {
			t.Fatalf("a miss answers %d", status)
		}
	}
	away.set(false)
	options, err := redis.ParseURL(h.redis)
	must(t, err)
	client := redis.NewClient(options)
	defer client.Close()
	must(t, client.FlushDB(context.Background()).Err()) // the database that this test has claimed
	if status := try("77001"); status != http.StatusTooManyRequests {
		t.Fatalf("after Redis forgot everything, a try too many answers %d", status)
	}
}
