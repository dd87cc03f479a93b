package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"countersign/internal/clinic"
)

// The model at work, as the open page sees it: asked, writing, gone wrong, and by hand instead.
func TestDraftIsWatched(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff := s.as(t, s.world.Staff)
	id := uuid.NewString()
	if got := staff.htmx("main").post("/briefs", briefFields(s, id, "next", "draft")...); got.Code != 200 || got.Header().Get("HX-Redirect") != "/drafts/"+id {
		t.Fatal(got.Code, got.Header(), got.Body)
	}
	staff.wants(staff.get("/drafts/"+id), 200, "Waiting for the model", `data-live="message-`+id+`"`)
	staff.goes(staff.post("/briefs", briefFields(s, id, "next", "")...), "/drafts/"+id) // a double click makes one message
	again := staff.htmx("draft-card").post("/drafts/"+id+"/request", "instruction", "shorter")
	staff.wants(again, http.StatusConflict, "already being written")
	if again.Header().Get("HX-Retarget") != "#notice" {
		t.Error("the card is gone", again.Header())
	}
	staff.wants(staff.post("/drafts/"+id+"/request"), http.StatusConflict, "already being written", "<!doctype html>")

	due := s.world.Dues()[0]
	worker := clinic.WorkerActor("t")
	as, err := s.world.Clinic.DraftClaim(ctx(), worker, due.ID)
	if err != nil || as == nil {
		t.Fatal(as, err)
	}
	if still, err := s.world.Clinic.DraftProgress(ctx(), as, "writing", 42); err != nil || !still {
		t.Fatal(still, err)
	}
	progress := staff.htmx("draft-progress")
	progress.wants(progress.get("/drafts/"+id+"/progress"), 200, "Writing the draft", ">42<", `id="draft-progress"`)
	staff.wants(staff.get("/drafts/"+id+"/progress"), 200, "<!doctype html>", "Writing the draft") // opened by hand: the page
	if err := s.world.Clinic.DraftFinish(ctx(), worker, as, clinic.Answer{Code: "http_401"}); err != nil {
		t.Fatal(err)
	}
	progress.wants(progress.get("/drafts/"+id+"/progress"), 200, `data-state="failed"`, "/drafts/"+id+"/card")
	card := staff.htmx("draft-card")
	card.wants(card.get("/drafts/"+id+"/card"), 200, "No draft this time", "Write it by hand", `id="draft-card"`)
	staff.goes(staff.post("/drafts/"+id+"/by-hand"), "/drafts/"+id)
	staff.wants(staff.get("/drafts/"+id), 200, "Submit for review", "Dear Rosa Delgado")
	long := strings.Repeat("x", 501)
	card.wants(card.post("/drafts/"+id+"/request", "instruction", long), 422, "characters too long", `id="draft-card"`)
	if got := s.world.Count(t, "SELECT count(*) FROM messages"); got != 1 {
		t.Errorf("%d messages", got)
	}
}

func TestDiffAndBriefEdit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	staff := s.as(t, s.world.Staff)
	id := uuid.NewString()
	staff.goes(staff.post("/briefs", briefFields(s, id, "next", "hand")...), "/drafts/"+id)
	page := staff.get("/briefs/" + id + "/edit")
	staff.wants(page, 200, "Edit the brief", "losartan 50 mg once a day", "Book a blood test")
	version := versionOn(t, page)
	staff.goes(staff.post("/briefs/"+id+"/edit", append(briefFields(s, id), "version", version)...), "/drafts/"+id)
	stale := staff.post("/briefs/"+id+"/edit", append(briefFields(s, id), "version", version)...)
	staff.wants(stale, 409, "changed this message", "Book a blood test")
	if versionOn(t, stale) == version {
		t.Error("whoever has read the sentence cannot save over it")
	}

	doctor := s.as(t, s.world.Doctor)
	draft := doctor.get("/drafts/" + id)
	doctor.goes(doctor.post("/drafts/"+id+"/edit", "version", versionOn(t, draft), "text", "Dear Rosa Delgado,\r\n\r\nNew words."), "/drafts/"+id)
	doctor.wants(doctor.get("/drafts/"+id+"/diff?from=1&to=2"), 200, "What changed", "New words.")
	doctor.wants(doctor.get("/drafts/"+id+"/diff?from=1&to=9"), 404)
}

func TestUndo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Approved(t, s.world.Patient, "email").String()
	doctor := s.as(t, s.world.Doctor)
	version := versionOn(t, doctor.get("/messages/"+id))
	linkOf(t, s) // the worker has it: too late
	doctor.wants(doctor.post("/messages/"+id+"/undo", "version", version), 409, "<!doctype html>", `id="message-timeline"`)
	staff := s.as(t, s.world.Staff)
	staff.wants(staff.post("/messages/"+id+"/withdraw", "version", version), 403, "Your role does not include")
}
