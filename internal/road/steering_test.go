package road

import (
	"context"
	"strings"
	"testing"
	"time"
)

// usedUp writes down a month of drafts, as if the model had been asked for weeks.
func (h *house) usedUp() {
	h.t.Helper()
	h.exec(`INSERT INTO draft_requests (id, clinic_id, message_id, brief_version, instruction_sealed, requested_by, doctor_id, state, next_attempt_at, model, prompt_tokens, completion_tokens, cost_microusd, created_at, finished_at)
		SELECT gen_random_uuid(), m.clinic_id, m.id, 1, '\x00', s.id, m.doctor_id, 'ready', d, 'gpt-4.1-mini', 1800, 240, 40000 + (i * 7919) % 260000, d, d
		FROM (SELECT * FROM messages ORDER BY id LIMIT 1) m, generate_series(0, 180) i, LATERAL (SELECT now() - make_interval(hours => (i * 4)::int) AS d) t,
		     LATERAL (SELECT id FROM staff WHERE clinic_id = m.clinic_id AND role IN ('staff', 'reviewer', 'doctor') ORDER BY md5(id::text || i::text) LIMIT 1) s`)
	h.exec(`UPDATE draft_requests SET cost_microusd = 1300000 WHERE id = (SELECT r.id FROM draft_requests r JOIN staff s ON s.id = r.requested_by WHERE s.role = 'staff' ORDER BY r.created_at DESC LIMIT 1)`)
}

// Who steers the clinic: what drafting costs, settings, prompt versions and jobs, and the home pages with their figures; each
// free of axe's findings in both schemes and on a phone.
func TestSteering(t *testing.T) {
	t.Parallel()
	h := open(t)
	ada := h.patient("Ada Winter", "1950-01-02", "77001", "ada@mail.example", "+1 415 555 0177")
	h.submitted(ada, "Ada Winter", "email")
	h.usedUp()
	admin := newBrowser(t, true)
	admin.signIn(h, "ruth-ebbing")
	for name, path := range map[string]string{"usage": "/usage", "usage-month": "/usage?month=" + time.Now().AddDate(0, -1, 0).Format("2006-01"), "prompts": "/prompts", "clinic": "/clinic", "jobs": "/jobs", "home-admin": "/"} {
		admin.visit(h.web + path)
		admin.pictures(name)
	}
	for subject, name := range map[string]string{"amara-osei": "home-doctor", "tom-reyes": "home-staff", "kenji-watts": "home-ops", "victor-sandoval": "home-auditor"} {
		b := newBrowser(t, true)
		b.signIn(h, subject)
		b.visit(h.web + "/")
		b.pictures(name)
	}

	admin.expects = []string{"422"} // what is wrong with the form
	admin.visit(h.web + "/clinic")
	admin.fill("#f-staff_stop_day", "lots")
	admin.click(".formbar .primary")
	admin.until("the sentence beside the field", func() bool { return strings.Contains(admin.text("#e-staff_stop_day"), "an amount in dollars") })
	admin.pictures("clinic-wrong")
	admin.fill("#f-staff_stop_day", "6")
	admin.click("input[name=drafting]")
	admin.click(".formbar .primary")
	admin.until("who changed what", func() bool { return strings.Contains(admin.text("main"), "stop a day for staff: $4.00 → $6.00") })
	admin.pictures("clinic-changed")

	staff := newBrowser(t, true)
	staff.signIn(h, "tom-reyes")
	id, err := h.app.Clinic().BriefCreate(context.Background(), h.actor("tom-reyes"), h.brief(ada, "email"))
	must(t, err)
	staff.visit(h.web + "/drafts/" + id.String())
	if text := staff.text("main"); !strings.Contains(text, "switched off drafting by the model") || staff.has("form[action$='/request']") {
		t.Error("the page of a draft offers what the clinic has switched off")
	}
	staff.pictures("draft-off")

	admin.visit(h.web + "/jobs")
	admin.click("form[action='/jobs/nightly/run'] button")
	h.waitFor("a worker does the night's work", 30*time.Second, func() bool {
		var n int
		h.one(&n, "SELECT count(*) FROM audit_events WHERE deed = 'job.nightly' AND outcome = 'done'")
		return n > 0
	})
}
