package crash

import (
	"strconv"
	"testing"
)

// Row «claim committed, before the first byte».
func TestClaimCommitted(t *testing.T) {
	h := open(t, nudging)
	h.web("")
	for _, a := range answers {
		s := h.submitted(a)
		dying := h.start("worker", silent+"kill=delivery.claim/committed")
		s.approve()
		dying.dies()
		if s.state() != "sending" || s.attempts() != 1 {
			t.Errorf("%s: after the kill it is %s, attempt %d", a.name, s.state(), s.attempts())
		}
	}
	h.start("worker", "")
	h.rest(func(s *scene) want { return s.needsPerson(0) })
	staff := h.as("tom-reyes")
	for _, s := range h.cases { // a person has it sent again: now the provider answers
		rev := one[int](h, "SELECT rev FROM deliveries WHERE id = $1", s.delivery)
		if status, body, err := staff.post("/deliveries/"+s.delivery.String()+"/resend", strconv.Itoa(rev)); err != nil || status != 200 {
			t.Errorf("%s: send again is answered %d %v: %.200s", s.name, status, err, body)
		}
	}
	h.rest(func(s *scene) want { return s.heard().after(1) })
}
