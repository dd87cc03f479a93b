package web

import (
	"strings"
	"testing"
)

// The admin pauses and resumes a channel; operations only look; people who write and sign do neither.
func TestBreakerOpen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.world.Approved(t, s.world.Patient, "sms")
	admin, ops, doctor := s.as(t, s.world.Admin), s.as(t, s.world.Ops), s.as(t, s.world.Doctor)
	pause, resume := "/breakers/sms/open", "/breakers/sms/close"
	admin.wants(admin.get("/status"), 200, `href="/status" aria-current="page"`, `action="`+pause+`"`, `name="version" value="1"`, "Notices go out as they come due")
	seen := ops.get("/status")
	ops.wants(seen, 200, "Due and waiting")
	if strings.Contains(seen.Body.String(), "/breakers/") || strings.Contains(seen.Body.String(), "Delgado") {
		t.Error("operations may turn a channel, or see a patient")
	}
	doctor.wants(doctor.get("/status"), 403, "Your role does not include")
	ops.wants(ops.post(pause, "version", "1"), 403, "Your role does not include")
	admin.wants(admin.post(pause, "version", "7"), 409, "Nothing was changed", `id="status-live"`)
	admin.wants(admin.post("/breakers/fax/open", "version", "1"), 404)
	admin.goes(admin.post(pause, "version", "1"), "/status")
	admin.wants(admin.get("/status"), 200, "Paused. What is signed is kept and waits.", "An administrator paused it.", "by Ruth Ebbing",
		"until an administrator resumes it", `action="`+resume+`"`, `name="version" value="2"`)
	admin.goes(admin.post(resume, "version", "2"), "/status")
	admin.wants(admin.get("/status"), 200, "resumed by Ruth Ebbing", `action="`+pause+`"`)
}
