package crash

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// want is how a message may end.
type want struct {
	states   []string
	taken    int // by the provider
	attempts int
	words    string // on the message's page, beside its state
}

const asksPerson = "Needs a person: not known whether it was sent."

// needsPerson is what nobody could find out.
func (a answer) needsPerson(taken int) want {
	words := asksPerson + " The provider cannot be asked about it."
	if a.channel == "sms" {
		words += "|" + asksPerson + " The provider was asked and does not have it." // unless the last look-up was not answered either
	}
	return want{states: []string{"needs_person"}, taken: taken, attempts: 1, words: words}
}

// unheard is the end when a provider was sent a request whole, and what it answered is not known.
func (a answer) unheard() want {
	switch {
	case a.taken && !a.lost: // its reports settle it
		return want{states: []string{"delivered"}, taken: 1, attempts: 1, words: "Delivered"}
	case a.taken && a.channel == "sms": // looking it up finds it, and how far it has come by then
		return want{states: []string{"accepted", "in_transit", "sent", "delivered"}, taken: 1, attempts: 1, words: "Accepted by the provider|On its way|Sent to the network|Delivered"}
	case a.taken:
		return a.needsPerson(1)
	}
	return a.needsPerson(0)
}

// heard is the end when the answer was heard and written down. What was not sent is sent later, and then taken.
func (a answer) heard() want {
	switch {
	case a.class == failed:
		return want{states: []string{"failed"}, attempts: 1, words: "The provider refused it; nothing was sent. The number is not a valid phone number."}
	case a.class == notSent:
		return want{states: []string{"delivered"}, taken: 1, attempts: 2, words: "Delivered"}
	case a.class == accepted && a.lost:
		return want{states: []string{"accepted"}, taken: 1, attempts: 1, words: "Accepted by the provider"}
	}
	return a.unheard()
}

// after is the same end with so many attempts before it.
func (w want) after(attempts int) want { w.attempts += attempts; return w }

// rest waits until every message of the house has ended as it may, and then looks at what each left behind: on its row,
// on the trail, with its provider and on its page.
func (h *house) rest(expected func(*scene) want) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		waiting := ""
		for _, s := range h.cases {
			if state := s.state(); !slices.Contains(expected(s).states, state) {
				waiting += fmt.Sprintf("\n  %s is %q, not %v", s.name, state, expected(s).states)
			}
		}
		if waiting == "" {
			break
		}
		if time.Now().After(deadline) {
			h.t.Errorf("no rest:%s", waiting)
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	await(h.t, "the queue to be empty", func() bool { return h.waiting() == 0 })
	doctor := h.as("amara-osei")
	for _, s := range h.cases {
		s.judge(expected(s), doctor)
	}
}

func (s *scene) judge(w want, doctor *person) {
	s.h.t.Helper()
	bad := func(format string, args ...any) { s.h.t.Helper(); s.h.t.Errorf(s.name+": "+format, args...) }
	state := s.state()
	if !slices.Contains(w.states, state) {
		bad("it ended %s, not %v", state, w.states)
	}
	taken := s.provider.accepted(s.h.t)
	if len(taken) != w.taken {
		bad("the provider took %d notices, not %d", len(taken), w.taken)
	}
	for _, e := range taken {
		if e.Delivery != s.delivery.String() || !strings.Contains(e.Body, s.h.base+"/m/") {
			bad("the provider took something else: %q for %s", e.Body, e.Delivery)
		}
	}
	if n := s.tries(); n != w.attempts {
		bad("%d attempts, not %d", n, w.attempts)
	}
	for _, complaint := range s.trail(state) {
		bad("%s", complaint)
	}
	status, page := doctor.get("/messages/" + s.message.String())
	said := strings.Contains(page, `data-delivery="`+state+`"`)
	words := false
	for word := range strings.SplitSeq(w.words, "|") {
		words = words || strings.Contains(page, word)
	}
	if status != http.StatusOK || !said || !words {
		bad("the page (%d) does not say %q of a delivery that is %s", status, w.words, state)
	}
}

type step struct {
	Rev            int
	From, To, Deed string
}

type try struct {
	Number        int
	Begun         time.Time
	Ended         *time.Time
	Outcome, Code string
}

// trail holds the audit trail and the attempts to what they promise: an event for each rev, no gap, each step an edge,
// the last one the state; attempts 1 to n, none overlapping, at most one accepted. The attempt of a worker that died has
// no end of its own when the provider's report settled it.
func (s *scene) trail(state string) (bad []string) {
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	steps := all[step](s.h, `SELECT rev, coalesce(detail->>'from', ''), coalesce(detail->>'to', ''), deed FROM audit_events
		WHERE subject_id = $1 AND rev IS NOT NULL AND outcome = 'done' ORDER BY rev, at`, s.delivery)
	if rev := one[int](s.h, "SELECT rev FROM deliveries WHERE id = $1", s.delivery); rev != len(steps) {
		say("%d changes of state and %d events on the trail", rev, len(steps))
	}
	at, told := "", false
	for i, e := range steps {
		told = told || e.From == "sending" && e.Deed == "delivery.receive"
		if e.Rev != i+1 || e.From != at {
			say("event %d of the trail is rev %d from %q, after %q", i+1, e.Rev, e.From, at)
		}
		if i > 0 && !one[bool](s.h, "SELECT EXISTS (SELECT 1 FROM delivery_edges WHERE from_state = $1 AND to_state = $2)", e.From, e.To) {
			say("%s to %s is no edge", e.From, e.To)
		}
		at = e.To
	}
	if at != state {
		say("the trail ends in %q, the row is %q", at, state)
	}
	tries := all[try](s.h, "SELECT attempt, started_at, finished_at, outcome, error_class FROM delivery_attempts WHERE delivery_id = $1 ORDER BY attempt", s.delivery)
	if n := one[int](s.h, "SELECT attempt FROM deliveries WHERE id = $1", s.delivery); len(tries) != n {
		say("%d attempts counted, %d written down", n, len(tries))
	}
	taken := 0
	for i, a := range tries {
		if a.Number != i+1 || a.Ended == nil && !told || i > 0 && tries[i-1].Ended != nil && a.Begun.Before(*tries[i-1].Ended) {
			say("attempt %d is number %d, begun %s, ended %v", i+1, a.Number, a.Begun, a.Ended)
		}
		if a.Outcome == accepted {
			taken++
		}
	}
	if taken > 1 {
		say("%d accepted attempts", taken)
	}
	return bad
}
