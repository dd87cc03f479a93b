package crash

import (
	"strings"
	"testing"
	"time"
)

// Row «worker frozen past its lease»: each worker stands still at another point, with a message that its provider takes
// and tells of, or takes and is silent about. Another worker works meanwhile. Then the frozen ones go on.
func TestFrozenPastLease(t *testing.T) {
	told, untold, text := answers[0], answers[1], answers[11]
	text.lost = true
	late := want{states: []string{"accepted", "in_transit", "sent", "delivered", "needs_person"}, taken: 1, attempts: 1,
		words: "Accepted by the provider|On its way|Sent to the network|Delivered|" + asksPerson}
	for _, at := range []struct {
		point string
		taken int
		says  string // the thawed worker, of its attempt
		end   func(answer) want
	}{
		// The claim comes through when its lease is over: given up by the clock and sent by the next, or asked about.
		{"delivery.claim/before-commit", -1, `"code":"start_window"`, func(answer) want { return want{} }},
		// It is too late to begin, and nothing has gone out.
		{"delivery.claim/committed", 0, `"code":"start_window"`, func(a answer) want { return a.needsPerson(0) }},
		{"wire/headers-written", 0, "delivery attempt", func(a answer) want { return a.needsPerson(0) }},
		// It has gone out, and whether its answer is still read is a matter of luck.
		{"wire/request-written", 1, "delivery attempt", func(answer) want { return late }},
		{"wire/answered", 1, "delivery attempt", func(answer) want { return late }},
		// Its commit may be too late, and then it is written down once more.
		{"delivery.record/before-commit", 1, "delivery attempt", func(answer) want { return late }},
		{"delivery.record/committed", 1, "delivery attempt", func(a answer) want { return a.heard() }},
	} {
		t.Run(strings.ReplaceAll(at.point, "/", " "), func(t *testing.T) {
			h := open(t, nudging)
			h.web("")
			var frozen []*process
			for _, a := range []answer{told, untold, text} {
				s := h.submitted(a)
				p := h.start("worker", silent+"freeze="+at.point, "LOG_LEVEL=info")
				s.approve()
				p.freezes()
				frozen = append(frozen, p)
			}
			h.start("worker", "")
			await(t, "every lease to be over", 20*time.Second, func() bool { return h.overdue() })
			for _, p := range frozen {
				p.thaw()
			}
			for _, p := range frozen {
				p.says(at.says)
			}
			h.rest(func(s *scene) want {
				w := at.end(s.answer)
				if at.taken >= 0 {
					return w
				}
				w = s.needsPerson(0) // whoever comes first to a lease that was over when it began: the sweep …
				if s.state() != "needs_person" {
					w = s.heard() // … or the claim itself, which gives the attempt up and leaves it to the next
					w.attempts++
				}
				return w
			})
			for _, s := range h.cases {
				if at.taken == 0 && h.outside.requests(s.provider) != 0 {
					t.Errorf("%s: a whole request went out", s.name)
				}
			}
		})
	}
}

// overdue: every message was claimed so long ago that its lease is over, or is settled. A claim that is not committed
// cannot be seen; its lease counts from when it began, which is after the signature.
func (h *house) overdue() bool {
	return one[int](h, `SELECT count(*) FROM deliveries WHERE state = 'sending' AND lease_until > now()
		OR state = 'queued' AND updated_at > now() - interval '8 s'`) == 0
}
