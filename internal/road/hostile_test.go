package road

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/uuid"

	"countersign/internal/app"
	"countersign/internal/clinic"
	"countersign/internal/web"
)

// bait is what a hostile person types: each tries another way from text to something that acts. Whatever of it acts calls
// owned(), asks for an address with "owned" in it, or leaves an element or an attribute behind.
var bait = []string{
	`<script>owned()</script>`, `"><img src=/owned onerror=owned()>`, `</textarea><script src=/owned.js></script>`,
	`' onmouseover='owned()' x='`, `" autofocus onfocus="owned()" x="`, `<svg/onload=owned()>`, `<style>body{background:url(/owned.css)}</style>`,
	`<b style="color:red" class="owned">bold</b>`, `<p hx-get="/owned" hx-trigger="load">hx</p>`, `" hx-get="/owned" hx-trigger="load" x="`,
	`<div data-hx-post="/owned" data-hx-trigger="load"></div>`, `<iframe srcdoc="<script>parent.owned()</script>"></iframe>`,
	`<base href="/owned/">`, `<meta http-equiv="refresh" content="0;url=/owned">`, `<a href="javascript:owned()">link</a>`, `{{.Actor.Email}}${owned()}`,
	`<form action="/owned"><button autofocus>`, `<details open ontoggle=owned()>`, `--><script>owned()</script>`, `</title><script>owned()</script>`,
	`<img src="/owned.png" hx-on::load="owned()">`, `<link rel=stylesheet href=/owned.css>`,
}

// baited is as much of the bait as a field takes, beginning with another piece each time; what a page says of a field for
// two digits holds nobody back.
func baited(most, turn int) string {
	if most <= 0 || most > 900 {
		most = 900
	}
	most = max(most, len(`<svg/onload=owned()> `))
	text := ""
	for i := range bait {
		piece := bait[(turn+i)%len(bait)]
		if len(text)+len(piece)+1 <= most {
			text += piece + " "
		}
	}
	return strings.TrimSpace(text)
}

// unsent are fields that a browser with scripts does not send, with the reason.
var unsent = map[string]string{"/drafts/:id/findings text": "comes along only without scripts, from the editor that is driven here",
	"/clinic retention_seen": "what the page has told, and sends back: there is none before a shorter time was asked for",
	"/vitals CLS":            "a number that a script sends", "/vitals INP": "the same", "/vitals LCP": "the same", "/vitals TTFB": "the same"}

// Hostile text in every text field of the product stays dead text. All forms are driven in a real browser by the people
// whose forms they are; then everybody visits every page that they may see.
func TestHostileTextStaysText(t *testing.T) {
	t.Parallel()
	h := open(t, hurried)
	h.hostileNames()
	s := h.hostileScene()
	sent, tried := &sync.Map{}, map[string]bool{}
	for _, subject := range slices.Sorted(maps.Keys(roles)) {
		tr := h.trap(string(roles[subject]), sent, tried)
		tr.enter(subject)
		for _, path := range s.pagesOf(h.actor(subject)) {
			tr.sweep(path)
		}
		if roles[subject] == clinic.Doctor {
			tr.settle()
		}
		tr.isQuiet()
	}
	nobody := h.trap("nobody", sent, tried)
	nobody.prove(s.links[1])
	for _, path := range s.pagesOf(clinic.Nobody("", "", "")) {
		nobody.sweep(path)
	}
	nobody.isQuiet()

	for _, r := range web.Routes() { // no field of the product was left out
		for _, name := range r.Typed {
			key := r.Path + " " + name
			if _, was := sent.Load(key); !was && unsent[key] == "" {
				t.Errorf("no bait was sent in the field %s to %s", name, r.Path)
			}
		}
	}
	var reports string
	h.one(&reports, "SELECT coalesce(string_agg(directive || ' on ' || route, ', '), '') FROM csp_reports")
	if reports != "" {
		t.Errorf("only the policy held it: browsers reported %s", reports)
	}
}

// hostileNames gives the clinic and members of the team hostile words: no screen types these.
func (h *house) hostileNames() {
	h.t.Helper()
	h.exec("UPDATE clinics SET name = $1, notice_name = $2, phone = $3, emergency_line = $4", baited(300, 0), baited(300, 5), baited(60, 9), baited(60, 2))
	h.exec("UPDATE staff SET name = $1, email = $2 WHERE subject = 'priya-nair'", baited(200, 3), baited(200, 11))
	h.exec("UPDATE staff SET name = $1 || name WHERE subject IN ('tom-reyes', 'amara-osei', 'ruth-ebbing')", baited(120, 7))
}

// hostileScene is a patient and messages of whom every word is bait, made by the deeds themselves, in the states that have
// pages of their own.
func (h *house) hostileScene() shown {
	h.t.Helper()
	ctx, c, staff, doctor := context.Background(), h.app.Clinic(), h.actor("tom-reyes"), h.actor("amara-osei")
	must(h.t, c.SettingsEdit(ctx, doctor, clinic.Settings{Tone: "warm", ReadingLevel: "middle", Specialty: baited(100, 8), SignOff: baited(200, 4), MaxWords: 150, Version: h.settingsVersion()}))
	patient, err := c.PatientCreate(ctx, staff, clinic.PatientForm{Name: baited(100, 0), BirthDate: "1950-01-02", MRN: baited(40, 5), Language: "en",
		Summary: baited(900, 1), History: baited(900, 6), Medications: baited(900, 12), Allergies: baited(500, 14), Notes: baited(900, 17),
		Email: "ada@mail.example", Phone: "+1 415 555 0177", DoctorID: doctor.ID})
	must(h.t, err)
	s := shown{patients: []string{patient.String()}, weeks: []string{h.week()}, events: h.events(), links: []string{strings.Repeat("x", 43)}}
	brief := h.brief(patient, "email")
	brief.Inquiry, brief.Points = baited(900, 2), []string{baited(300, 9), baited(300, 15)}
	brief.Facts = []clinic.FactForm{{Kind: "drug", Text: baited(200, 10)}, {Kind: "date", Text: baited(200, 13)}}
	for _, upTo := range []string{"brief", "draft", "review", "returned", "signed", "waiting", "failed", "undecided"} {
		if upTo == "waiting" {
			h.stopWork() // what becomes of the next ones is said here
		}
		id, err := c.BriefCreate(ctx, staff, brief)
		must(h.t, err)
		s.messages = append(s.messages, id.String())
		if upTo == "brief" {
			continue
		}
		must(h.t, c.DraftByHand(ctx, staff, id))
		v, err := c.DraftShow(ctx, staff, id)
		must(h.t, err)
		words := "Dear " + baited(100, 0) + ",\n\n" + baited(900, 3) + "\n\nCall the clinic if you have questions."
		if upTo != "draft" { // the checks take a whole tag for a gap that nobody filled; half a tag is as hostile
			words = strings.NewReplacer(">", "", "{", "", "}", "").Replace(words)
		}
		v, err = c.DraftEdit(ctx, staff, id, v.Message.Version, words)
		must(h.t, err)
		if upTo == "draft" {
			continue
		}
		must(h.t, c.ReviewSubmit(ctx, staff, id, v.Message.Version))
		s.links = append(s.links, h.hostileEnd(upTo, id, v.Message.Version+1)...)
	}
	h.unread("tom-reyes") // whose name is bait too
	h.workAgain()
	h.hostileGlass()
	var rev int
	h.one(&rev, "SELECT coalesce(max(rev), 0) FROM breakers WHERE channel = 'sms'")
	must(h.t, c.BreakerOpen(ctx, h.actor("ruth-ebbing"), "sms", rev)) // her name stands on the status page
	return s
}

// hostileGlass is an emergency access to a patient of another team, which waits for its review.
func (h *house) hostileGlass() {
	h.t.Helper()
	ctx, c, other := context.Background(), h.app.Clinic(), h.actor("jonas-lindqvist")
	_, err := c.PatientCreate(ctx, other, clinic.PatientForm{Name: baited(100, 2), BirthDate: "1951-02-03", MRN: "RC-4471", Language: "en", DoctorID: other.ID})
	must(h.t, err)
	_, err = c.GlassBreak(ctx, h.actor("tom-reyes"), clinic.GlassForm{MRN: "RC-4471", Reason: baited(500, 6)})
	must(h.t, err)
}

// unread makes the signed messages such that nobody has opened and that somebody has called about, once, at a wrong number.
func (h *house) unread(caller string) {
	h.t.Helper()
	h.exec(`UPDATE follow_ups f SET due_at = NULL, handed_at = now(), unread_at = now(), call_at = now(), call_reason = 'unread', reminders = 2, calls = 1,
		called_at = now(), called_by = s.id, call_outcome = 'wrong_number' FROM staff s WHERE s.clinic_id = f.clinic_id AND s.subject = $1 AND f.ended_at IS NULL`, caller)
}

// workAgain is a new worker process, after stopWork.
func (h *house) workAgain() {
	h.t.Helper()
	again, err := app.Open(context.Background(), h.config)
	must(h.t, err)
	h.t.Cleanup(func() { _ = again.Close() })
	h.stopWork = run(h.t, "worker", again.Worker)
}

// hostileEnd takes a submitted message to where it is to be, and returns the link to its page when a patient has one.
func (h *house) hostileEnd(upTo string, id uuid.UUID, version int) []string {
	h.t.Helper()
	ctx, c, doctor := context.Background(), h.app.Clinic(), h.actor("amara-osei")
	switch upTo {
	case "review":
		return nil
	case "returned":
		must(h.t, c.ReviewReturn(ctx, doctor, id, version, baited(900, 16)))
		return nil
	case "waiting":
		must(h.t, c.MessageSchedule(ctx, doctor, id, clinic.ScheduleForm{Version: version, SendAt: time.Now().AddDate(0, 0, 9).Format("2006-01-02T09:00")}))
	}
	h.signs(id)
	switch upTo {
	case "failed":
		h.came(h.delivery(id), clinic.OutcomeFailed, "400")
	case "undecided":
		h.undecided(h.delivery(id))
	case "signed":
		h.waitFor("the notice is taken", 30*time.Second, func() bool { return h.state(id) != "queued" && h.state(id) != "sending" })
		_, token, _ := strings.Cut(h.notice(id), "/m/")
		return []string{token}
	}
	return nil
}

func (h *house) settingsVersion() (n int) {
	h.one(&n, "SELECT coalesce(max(version), 0) FROM doctor_settings d JOIN staff s ON s.id = d.staff_id WHERE s.subject = 'amara-osei'")
	return n
}

// signs answers every finding and signs, as the doctor, by the deeds themselves.
func (h *house) signs(id uuid.UUID) {
	h.t.Helper()
	ctx, c, doctor := context.Background(), h.app.Clinic(), h.actor("amara-osei")
	v, err := c.ReviewShow(ctx, doctor, id)
	must(h.t, err)
	for _, f := range v.Findings {
		if f.Level == "ask" && !f.Answered {
			must(h.t, c.FindingAnswer(ctx, doctor, id, f.Key))
		}
	}
	v, err = c.ReviewShow(ctx, doctor, id)
	must(h.t, err)
	must(h.t, c.ReviewApprove(ctx, doctor, id, v.Message.Version, nil))
}

// settle presses the buttons of the deliveries, whose answers are pages of their own without a field to type into.
func (tr *trap) settle() {
	tr.t.Helper()
	tr.show("/deliveries?show=trouble")
	tr.click("#retry-form button[name=all]", "/deliveries/preview")
	tr.look("/deliveries/preview")
	tr.h.exec("UPDATE messages SET status = 'withdrawn' WHERE id IN (SELECT message_id FROM deliveries WHERE state = 'failed')")
	tr.click("#retry-form .primary", "/deliveries/retry")
	tr.look("/deliveries/retry")
	tr.show("/deliveries?show=unknown")
	tr.click("form[action$='/mark-sent'] button")
	tr.until("nothing is unknown", func() bool { return strings.Contains(tr.text("#deliveries"), "Everything is known") })
	tr.look("/deliveries?show=unknown")
}

// prove is the patient at their own page, whose words are bait too.
func (tr *trap) prove(token string) {
	tr.t.Helper()
	tr.show("/m/" + token)
	for name, value := range map[string]string{"month": "1", "day": "2", "year": "1950"} {
		tr.do(chromedp.SetValue("[name="+name+"]", value, chromedp.ByQuery))
	}
	tr.click("form[method=post] button", "/read")
	tr.until("the message", func() bool { return strings.Contains(tr.text(".letter"), "owned()") })
	tr.look("/m/:token/read")
}
