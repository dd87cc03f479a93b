package crash

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"countersign/internal/clinic"
)

// click is a person's form on its way.
type click struct {
	status int
	body   string
	err    error
}

// clicks posts a deed on the scene's message and does not wait for the answer.
func (s *scene) clicks(p *person, deed string) chan click {
	s.h.t.Helper()
	version, answered := strconv.Itoa(s.version()), make(chan click, 1)
	go func() {
		status, body, err := p.post("/messages/"+s.message.String()+"/"+deed, version)
		answered <- click{status, body, err}
	}()
	return answered
}

const tooLate = "The notice is already on its way, so this cannot be undone."

// blocked waits until somebody waits for another's lock: both are in the middle of it.
func (h *house) blocked() {
	h.t.Helper()
	await(h.t, "one to wait for the other", func() bool {
		return one[int](h, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") > 0
	})
}

// cancelled is how a notice ends that a person stopped.
var cancelled = want{states: []string{"cancelled"}, words: "Cancelled before it was sent"}

// sentAnyway is how it ends when they came too late.
var sentAnyway = answers[0].heard()

// Row «cancel races the claim», the claim first: it holds the row, or has just let it go. Whoever undoes is told.
func TestClaimBeforeUndo(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	doctor := h.as("amara-osei")
	for _, deed := range []string{"undo", "withdraw"} {
		for _, moment := range []string{"before-commit", "committed"} {
			s := h.submitted(answers[0])
			claiming := h.start("worker", silent+"freeze=delivery.claim/"+moment)
			s.approve()
			claiming.freezes()
			answered := s.clicks(doctor, deed)
			if moment == "before-commit" {
				h.blocked()
				claiming.thaw()
			}
			got := <-answered
			claiming.thaw()
			switch {
			case deed == "undo" && (got.status != http.StatusConflict || !strings.Contains(got.body, tooLate)):
				t.Errorf("%s: an undo that came too late is answered %d %v: %.300s", moment, got.status, got.err, got.body)
			case deed == "withdraw" && (got.status != http.StatusOK || !strings.Contains(got.body, `data-status="withdrawn"`)):
				t.Errorf("%s: a withdrawal after the claim is answered %d %v: %.300s", moment, got.status, got.err, got.body)
			}
			await(t, "the attempt to end", func() bool { s.again(); return s.state() == "delivered" })
			claiming.end(syscall.SIGTERM)
		}
	}
	h.rest(func(*scene) want { return sentAnyway })
}

// Row «cancel races the claim», the person first: the claim passes by the row that they hold, and takes nothing.
func TestUndoBeforeClaim(t *testing.T) {
	h := open(t)
	web := h.web("freeze=message.undo/before-commit;freeze=message.withdraw/before-commit")
	doctor := h.as("amara-osei")
	for deed, status := range map[string]string{"undo": "in_review", "withdraw": "withdrawn"} {
		s := h.submitted(answers[0]).approve()
		answered := s.clicks(doctor, deed)
		web.freezes()
		claiming := h.start("worker", silent)
		must(t, h.queue.Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: s.delivery}))
		await(t, "the claim to pass by", func() bool { return h.waiting() == 0 })
		web.thaw()
		if got := <-answered; got.err != nil || got.status != http.StatusOK {
			t.Errorf("%s in time is answered %d %v: %.300s", deed, got.status, got.err, got.body)
		}
		if now := one[string](h, "SELECT status FROM messages WHERE id = $1", s.message); now != status {
			t.Errorf("after %s the message is %s", deed, now)
		}
		claiming.end(syscall.SIGTERM)
	}
	h.start("worker", "")
	h.rest(func(*scene) want { return cancelled })
}

// Beside the row: the web dies in the middle of an undo or a withdrawal. Before the commit nothing has happened, and the
// notice goes; after it the notice does not, although the browser never heard.
func TestWebDiesInUndo(t *testing.T) {
	h := open(t)
	ends := map[*scene]want{}
	for _, deed := range []string{"undo", "withdraw"} {
		for moment, end := range map[string]want{"before-commit": sentAnyway, "committed": cancelled} {
			dying := h.web("kill=message." + deed + "/" + moment)
			s := h.submitted(answers[0]).approve()
			if got := <-s.clicks(h.as("amara-osei"), deed); got.err == nil {
				t.Errorf("%s, %s: the browser of a web that died is answered %d", deed, moment, got.status)
			}
			dying.dies()
			ends[s] = end
		}
	}
	h.web("")
	h.start("worker", "")
	h.rest(func(s *scene) want { return ends[s] })
}

// Row «cancel races the claim», as it comes: twenty times, somewhere in the quarter of a second in which the worker takes
// the task. One wins, and the loser is told.
func TestUndoRace(t *testing.T) {
	h := open(t)
	h.web("")
	h.start("worker", silent)
	doctor := h.as("amara-osei")
	ends := map[*scene]want{}
	won := 0
	for round := range 20 {
		deed := []string{"undo", "withdraw"}[round%2]
		s := h.submitted(answers[0]).approve()
		must(t, h.queue.Enqueue(context.Background(), clinic.Due{Deed: clinic.DeliverySend, ID: s.delivery}))
		time.Sleep(rand.N(250 * time.Millisecond)) // the dice of the race, not a wait
		got := <-s.clicks(doctor, deed)
		ends[s] = cancelled
		inTime := s.state() == "cancelled"
		if !inTime {
			ends[s] = sentAnyway
		}
		if inTime {
			won++
		}
		if told := got.status == http.StatusConflict && strings.Contains(got.body, tooLate); got.err != nil || deed == "undo" && told == inTime || deed == "withdraw" && got.status != http.StatusOK {
			t.Errorf("%s in time is %v, and the answer %d %v: %.300s", deed, inTime, got.status, got.err, got.body)
		}
	}
	t.Logf("the person was faster %d times of 20", won)
	h.start("worker", "")
	h.rest(func(s *scene) want { return ends[s] })
}
