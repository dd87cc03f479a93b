package web

import (
	"strings"
	"testing"
)

// The first button of a worklist leads to the first review for who signs; the number above it is that of its rows.
func TestWorklistStart(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	doctor, staff := s.as(t, s.world.Doctor), s.as(t, s.world.Staff)
	if body := doctor.get("/").Body.String(); strings.Contains(body, "wl-start") {
		t.Error("nothing waits, but there is where to start")
	}
	id := s.world.Submitted(t, s.world.Patient, "email").String()
	doctor.wants(doctor.get("/"), 200, `id="wl-start" href="/reviews/`+id+`"`, "Start reviewing", "1 message")
	doctor.wants(doctor.get("/reviews"), 200, `id="wl-start" href="/reviews/`+id+`"`)
	version := versionOn(t, doctor.get("/reviews/"+id))
	doctor.goes(doctor.post("/reviews/"+id+"/return", "version", version, "note", "Say the date first."), "/reviews")
	live := doctor.htmx("worklist-list")
	live.wants(live.get("/worklist"), 200, `id="worklist-list"`, `id="nav-count" hx-swap-oob="true"`)
	staff.wants(staff.get("/"), 200, `id="wl-start" href="/drafts/`+id+`"`, "Start with the first", "1 message")
}

// A live timeline brings along what else on its page has changed.
func TestTimelineBringsTheRest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Approved(t, s.world.Patient, "email").String()
	staff := s.as(t, s.world.Staff)
	live := staff.htmx("message-timeline")
	live.wants(live.get("/messages/"+id+"/timeline"), 200, `id="message-timeline"`, `id="head-chips" hx-swap-oob="true"`, "as signed, word for word", `id="message-withdraw" hx-swap-oob="true"`)
	if body := staff.get("/messages/" + id).Body.String(); strings.Contains(body, "hx-swap-oob") || strings.Count(body, `id="message-final"`) != 1 {
		t.Error("the page itself is no answer to a refresh")
	}
}

// Who is asked whether to sign reads for how long that can be undone.
func TestSigningSaysTheTimeToUndo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	id := s.world.Submitted(t, s.world.Patient, "email")
	s.world.Answer(t, s.world.Doctor, id)
	doctor := s.as(t, s.world.Doctor)
	for seconds, words := range map[int]string{45: "You can undo it for 45 seconds.", 1: "You can undo it for 1 second.", 0: "There is no time to undo it."} {
		s.world.UndoWindow(t, seconds)
		doctor.wants(doctor.get("/reviews/"+id.String()), 200, words)
	}
}
