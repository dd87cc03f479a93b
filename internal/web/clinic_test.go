package web

import (
	"net/http"
	"strings"
	"testing"

	"countersign/internal/clinic"
)

// clinicForm is the form of the clinic's settings as a browser sends it unchanged, but for the fields that are named.
func clinicForm(changed ...string) []string {
	fields := map[string]string{"version": "1", "notice_name": "Riverside Care Team", "phone": "+1 415 555 0100", "emergency_line": "911", "zone": "America/Chicago",
		"undo_seconds": "0", "page_days": "7", "drafting": "yes", "email": "yes", "sms": "yes", "later": "yes",
		"staff_drafts": "50", "staff_warn_day": "1", "staff_warn_month": "20", "staff_stop_day": "4",
		"reviewer_drafts": "75", "reviewer_warn_day": "2", "reviewer_warn_month": "50", "reviewer_stop_day": "8",
		"doctor_drafts": "100", "doctor_warn_day": "5", "doctor_warn_month": "100", "doctor_stop_day": "20"}
	for i := 0; i+1 < len(changed); i += 2 {
		fields[changed[i]] = changed[i+1]
	}
	var all []string
	for name, value := range fields {
		if value != "" || name != "drafting" && name != "email" && name != "sms" && name != "later" {
			all = append(all, name, value)
		}
	}
	return all
}

// What an administrator changes holds at once, is told of with who did it, and comes back as it was typed when it is wrong.
func TestClinicScreen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as(t, s.world.Admin)
	got := admin.get("/clinic")
	for _, words := range []string{`value="Riverside Care Team"`, `name="staff_stop_day" type="text" value="4"`, "Nobody has changed these settings yet."} {
		if !strings.Contains(got.Body.String(), words) {
			t.Errorf("the page does not hold %q", words)
		}
	}
	got = admin.post("/clinic", clinicForm("staff_stop_day", "lots", "zone", "Mars/Base", "notice_name", "Our <b>team</b>", "sms", "")...)
	body := got.Body.String()
	if got.Code != http.StatusUnprocessableEntity {
		t.Fatalf("%d\n%s", got.Code, body)
	}
	for _, words := range []string{`value="lots"`, `value="Mars/Base"`, "Our &lt;b&gt;team&lt;/b&gt;", "This time zone is not known", "Please give an amount in dollars"} {
		if !strings.Contains(body, words) {
			t.Errorf("the form came back without %q", words)
		}
	}
	if strings.Contains(body, `name="sms" value="yes" checked`) {
		t.Error("what was switched off is on again")
	}
	if got = admin.post("/clinic", clinicForm("staff_stop_day", "2.50", "zone", "America/New_York", "sms", "")...); got.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", got.Code, got.Body)
	}
	if zone := s.clinicZone().String(); zone != "America/New_York" {
		t.Errorf("the pages' clock is %s", zone)
	}
	body = admin.get("/clinic").Body.String()
	for _, words := range []string{"Ruth Ebbing", "stop a day for staff: $4.00 → $2.50", "SMS: on → off", "time zone: America/Chicago → America/New_York", `value="2.50"`} {
		if !strings.Contains(body, words) {
			t.Errorf("the history does not hold %q", words)
		}
	}
	got = admin.post("/clinic", clinicForm("phone", "+1 415 555 0199")...) // from a page that is older
	if body = got.Body.String(); got.Code != http.StatusConflict || !strings.Contains(body, "Another administrator saved other settings since") || !strings.Contains(body, `name="version" value="2"`) {
		t.Errorf("a form from before the change: %d", got.Code)
	}
}

// Who sets a time after which messages go is told first how many; sending the form again with that saves it.
func TestClinicRetentionScreen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as(t, s.world.Admin)
	id := s.world.Approved(t, s.world.Patient, "email")
	if err := s.world.Clinic.MessageWithdraw(ctx(), s.world.Doctor, id, s.world.Show(t, s.world.Doctor, id).Message.Version); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Exec(t, "UPDATE messages SET updated_at = now() - interval '3 years'"); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Exec(t, "UPDATE pages SET expires_at = now() - interval '3 years'"); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Exec(t, "UPDATE deliveries SET updated_at = now() - interval '3 years'"); err != nil {
		t.Fatal(err)
	}
	for typed, words := range map[string]string{"0": "for 1 to 100 years", "soon": "for 1 to 100 years", "2": "one message goes on the night of"} {
		got := admin.post("/clinic", clinicForm("retention_years", typed, "retention_seen", "")...)
		if body := got.Body.String(); got.Code != http.StatusUnprocessableEntity || !strings.Contains(body, words) || !strings.Contains(body, `value="`+typed+`"`) ||
			strings.Contains(body, `name="retention_seen" value="2/1"`) != (typed == "2") {
			t.Errorf("%s years: %d\n%s", typed, got.Code, body)
		}
	}
	if got := admin.post("/clinic", clinicForm("retention_years", "2", "retention_seen", "2/1")...); got.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", got.Code, got.Body)
	}
	body := admin.get("/clinic").Body.String()
	for _, words := range []string{`name="retention_years" type="text" value="2"`, "As it is set: one message goes on the night of", "how long messages are kept: for ever → 2 years", "only messages that are over are deleted"} {
		if !strings.Contains(body, words) {
			t.Errorf("the page does not hold %q", words)
		}
	}
}

// Every figure of every role's home page leads to a page that the role may see.
func TestHomeFiguresLeadSomewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.world.Submitted(t, s.world.Patient, "email")
	for _, who := range []clinic.Actor{s.world.Staff, s.world.Reviewer, s.world.Doctor, s.world.Auditor, s.world.Admin, s.world.Ops} {
		list, err := s.world.Clinic.WorklistShow(ctx(), who, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(list.Figures) == 0 && who.Can("audit.search") == (who.Role == clinic.Auditor) {
			t.Errorf("%s has no figures", who.Role)
		}
		v := s.as(t, who)
		home := v.get("/").Body.String()
		for _, f := range list.Figures {
			if !strings.Contains(home, f.Label) {
				t.Errorf("the home page of %s does not show %q", who.Role, f.Label)
			}
			if got := v.get(strings.TrimSuffix(f.Href, "#worklist-list")); got.Code != http.StatusOK {
				t.Errorf("%q of %s leads to %s: %d", f.Label, who.Role, f.Href, got.Code)
			}
		}
	}
}

// A job is asked for by an administrator; operations look on.
func TestJobScreen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, ops := s.as(t, s.world.Admin), s.as(t, s.world.Ops)
	if body := ops.get("/jobs").Body.String(); !strings.Contains(body, "Nightly") || strings.Contains(body, "/run") {
		t.Error("operations do not see the jobs, or may run them")
	}
	if got := admin.post("/jobs/relay/run"); got.Code != http.StatusNotFound {
		t.Errorf("a job that nobody may ask for: %d", got.Code)
	}
	if got := admin.post("/jobs/nightly/run"); got.Code != http.StatusSeeOther {
		t.Fatalf("%d\n%s", got.Code, got.Body)
	}
	if body := admin.get("/jobs").Body.String(); !strings.Contains(body, "asked for") {
		t.Error("the page does not say that the job was asked for")
	}
}
